#include "conv.hpp"

#include <algorithm>
#include <climits>
#include <cstring>
#include <vector>

#include "pool.hpp"

namespace bitproof {
namespace {

constexpr size_t kTile = 64;  // rows whose gathered inputs stay in the second-level cache; one bit each in a mask

size_t ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }

// The first of part `i` when `n` things go evenly into `parts`.
size_t share(size_t n, size_t parts, size_t i) { return n / parts * i + std::min(i, n % parts); }

// `n` bits of `from` that begin at bit `offset`, the rest of the last word zero.
void copy_bits(const uint32_t* from, size_t length, size_t offset, size_t n, uint32_t* to) {
  const size_t shift = offset % kWord;
  for (size_t i = 0, word = offset / kWord; i * kWord < n; ++i, ++word) {
    uint32_t bits = from[word] >> shift;
    if (shift != 0 && word + 1 < length) bits |= from[word + 1] << (kWord - shift);
    const size_t left = n - i * kWord;
    to[i] = left < kWord ? bits & ((1u << left) - 1) : bits;
  }
}

// An even number of words; a call of memcpy would cost more than these few.
void copy_pairs(const uint32_t* from, size_t n, uint32_t* to) {
  for (size_t i = 0; i < n; i += 2) {
    uint64_t pair;
    std::memcpy(&pair, from + i, sizeof pair);
    std::memcpy(to + i, &pair, sizeof pair);
  }
}

// A place in the output, counted up row by row.
struct Position {
  size_t image, y, x;

  Position(const Geometry& g, size_t row)
      : image(row / (g.out_h() * g.out_w())), y(row / g.out_w() % g.out_h()), x(row % g.out_w()) {}

  void next(const Geometry& g) {
    if (++x < g.out_w()) return;
    x = 0;
    if (++y < g.out_h()) return;
    y = 0;
    ++image;
  }
};

class Convolution {
 public:
  Convolution(const Kernels& kernels, const Geometry& g, const uint32_t* x, const Weights& weights, const Result& result)
      : kernels_(kernels), g_(g), x_(x), weights_(weights), result_(result), padding_(g.pixel(), 0) {
    rows_ = g.images * g.out_h() * g.out_w();
    words_ = g.taps() * g.tap();
    blocks_ = ceil_div(g.out_group(), kLanes);
    gathers_ = g.taps() > 1 || g.groups > 1 || g.stride_h > 1 || g.stride_w > 1 || g.pad_h > 0 || g.pad_w > 0;
    if (g.pad == Pad::minus) {
      for (size_t c = 0; c < g.in; ++c) padding_[c / kWord] |= 1u << (c % kWord);
    }
  }

  void run(size_t threads) {
    threads = std::max<size_t>(threads, 1);
    size_t tiles = ceil_div(rows_, kTile);
    if (rows_ >= threads * size_t(kernels_.rows)) tiles = ceil_div(tiles, threads) * threads;  // the same number for each
    // Few rows and many outputs, as in a GEMV: the outputs are divided too, at whole words.
    const size_t fours = ceil_div(blocks_, 4), parts = g_.groups > 1 ? 1 : std::min(ceil_div(threads, tiles), fours);
    std::vector<Scratch> scratch(std::min(threads, tiles * parts));
    for (Scratch& own : scratch) prepare(own);
    parallel(tiles * parts, threads, [&](size_t worker, size_t task) {
      const size_t tile = task / parts, part = task % parts;
      const size_t begin = share(rows_, tiles, tile), end = share(rows_, tiles, tile + 1);
      if (g_.depthwise()) return depthwise(begin, end, scratch[worker]);
      const size_t first = 4 * share(fours, parts, part), last = std::min(blocks_, 4 * share(fours, parts, part + 1));
      for (size_t group = 0; group < g_.groups; ++group) tile_of(group, begin, end, first, last, scratch[worker].words.data());
    });
  }

 private:
  struct Scratch {
    std::vector<uint32_t> words;         // gathered rows, or the digits of a depthwise count
    std::vector<const uint32_t*> inputs;  // of one depthwise output
  };

  void prepare(Scratch& own) const {
    if (g_.depthwise()) {
      own.words.resize(kDigits * g_.pixel());
      own.inputs.resize(g_.taps());
    } else if (gathers_) {
      own.words.resize(kTile * words_);
    }
  }

  // The products of rows [begin, end) with blocks [first, last) of one group.
  void tile_of(size_t group, size_t begin, size_t end, size_t first, size_t last, uint32_t* buffer) const {
    const uint32_t* rows = x_ + begin * g_.pixel();
    const size_t ld = gathers_ ? words_ : g_.pixel();
    if (gathers_) {
      gather(group, begin, end, buffer);
      rows = buffer;
    }
    const uint64_t border = g_.pad == Pad::zero ? border_rows(begin, end) : 0;
    const size_t steps = ceil_div(end - begin, size_t(kernels_.rows)), least = (end - begin) / steps, more = (end - begin) % steps;
    alignas(64) int32_t y[kRows * kPair];
    for (size_t block = first; block < last; block += 2) {
      const int n_blocks = int(std::min<size_t>(2, last - block));
      const uint32_t* w = weights_.blocks + (group * blocks_ + block) * words_ * kLanes;
      const size_t output = group * g_.out_group() + block * kLanes, n = std::min(kPair, g_.out_group() - block * kLanes);
      for (size_t i = 0, r = 0, m; i < steps; ++i, r += m) {
        m = least + (i < more ? 1 : 0);
        kernels_.count(rows + r * ld, ld, int(m), w, n_blocks, words_, int32_t(g_.taps() * g_.in_group()), y);
        if (border >> r & ((1u << m) - 1)) correct(group, begin + r, m, border >> r, block * kLanes, y);
        finish(begin + r, m, output, n, y);
      }
    }
  }

  const uint32_t* input(const Position& at, size_t tap_y, size_t tap_x) const {
    const size_t y = at.y * g_.stride_h + tap_y * g_.dilation_h - g_.pad_h;  // wraps below zero: then it is not below height
    const size_t x = at.x * g_.stride_w + tap_x * g_.dilation_w - g_.pad_w;
    return y < g_.height && x < g_.width ? x_ + ((at.image * g_.height + y) * g_.width + x) * g_.pixel() : nullptr;
  }

  // The input bits of each row, tap by tap, side by side.
  void gather(size_t group, size_t begin, size_t end, uint32_t* out) const {
    const size_t offset = group * g_.in_group(), tap = g_.tap();
    const bool whole = g_.groups == 1 || g_.in_group() % kWord == 0;
    const bool in_a_row = g_.dilation_w == 1 && tap == g_.pixel();  // taps of a kernel's row are neighbours in the input
    Position at(g_, begin);
    for (size_t row = begin; row < end; ++row, at.next(g_)) {
      for (size_t ky = 0; ky < g_.kernel_h; ++ky) {
        const uint32_t* left = input(at, ky, 0);
        if (in_a_row && left != nullptr && at.x * g_.stride_w - g_.pad_w + g_.kernel_w <= g_.width) {
          copy_pairs(left, g_.kernel_w * tap, out);
          out += g_.kernel_w * tap;
          continue;
        }
        for (size_t kx = 0; kx < g_.kernel_w; ++kx, out += tap) {
          const uint32_t* pixel = input(at, ky, kx);
          if (pixel == nullptr) pixel = padding_.data();
          if (whole) {
            for (size_t i = 0; i < tap; ++i) out[i] = pixel[offset / kWord + i];
          } else {
            copy_bits(pixel, g_.pixel(), offset, g_.in_group(), out);
          }
        }
      }
    }
  }

  // Bit r is set where row begin + r has a tap beyond the border.
  uint64_t border_rows(size_t begin, size_t end) const {
    uint64_t rows = 0;
    Position at(g_, begin);
    for (size_t row = begin; row < end; ++row, at.next(g_)) rows |= uint64_t(!inside(at)) << (row - begin);
    return rows;
  }

  // Takes back what taps beyond the border, counted as +1, have added.
  void correct(size_t group, size_t begin, size_t m, uint64_t border, size_t first, int32_t* y) const {
    const size_t padded = blocks_ * kLanes, n = std::min(kPair, padded - first);
    for (size_t r = 0; r < m; ++r) {
      if (!(border >> r & 1)) continue;
      for_padded(Position(g_, begin + r), [&](size_t tap) {
        const int32_t* sums = weights_.sums + (group * g_.taps() + tap) * padded + first;
        for (size_t j = 0; j < n; ++j) y[r * kPair + j] -= sums[j];
      });
    }
  }

  bool inside(const Position& at) const {
    const size_t top = at.y * g_.stride_h, left = at.x * g_.stride_w;
    return top >= g_.pad_h && left >= g_.pad_w && top - g_.pad_h + (g_.kernel_h - 1) * g_.dilation_h < g_.height &&
           left - g_.pad_w + (g_.kernel_w - 1) * g_.dilation_w < g_.width;
  }

  template <class Do>
  void for_padded(const Position& at, Do&& act) const {
    for (size_t tap = 0; tap < g_.taps(); ++tap) {
      if (input(at, tap / g_.kernel_w, tap % g_.kernel_w) == nullptr) act(tap);
    }
  }

  // One bit a channel: 32 channels are counted at once, in binary digits.
  void depthwise(size_t begin, size_t end, Scratch& own) const {
    uint32_t* planes = own.words.data();
    size_t n_planes = 0;
    while (g_.taps() >> n_planes) ++n_planes;
    Position at(g_, begin);
    for (size_t row = begin; row < end; ++row, at.next(g_)) {
      for (size_t tap = 0; tap < g_.taps(); ++tap) {
        const uint32_t* pixel = input(at, tap / g_.kernel_w, tap % g_.kernel_w);
        own.inputs[tap] = pixel ? pixel : padding_.data();
      }
      kernels_.digits(own.inputs.data(), weights_.blocks, g_.taps(), g_.pixel(), planes);
      for (size_t word = 0; word * kWord < g_.out; ++word) {
        alignas(64) int32_t y[kPair];
        kernels_.undigit(planes + word, n_planes, g_.pixel(), int32_t(g_.taps()), y);
        if (g_.pad == Pad::zero && !inside(at)) {
          for_padded(at, [&](size_t tap) {
            const int32_t* sums = weights_.sums + (tap * g_.pixel() + word) * kWord;
            for (size_t j = 0; j < kWord; ++j) y[j] -= sums[j];
          });
        }
        finish(row, 1, word * kWord, std::min(kPair, g_.out - word * kWord), y);
      }
    }
  }

  // Writes outputs [first, first + n) of m rows, n <= 32.
  void finish(size_t row, size_t m, size_t first, size_t n, const int32_t* y) const {
    const size_t to = row * g_.out + first;
    if (result_.bits != nullptr) {
      finish_bits(row, m, first, n, y);
    } else if (result_.real != nullptr) {
      kernels_.affine(y, m, result_.scale + first, result_.bias + first, n, result_.real + to, g_.out);
    } else {
      kernels_.copy(y, m, n, result_.y + to, g_.out);
    }
  }

  void finish_bits(size_t row, size_t m, size_t first, size_t n, const int32_t* y) const {
    const size_t words = Geometry::words64(g_.out) * 2, shift = first % kWord;
    alignas(64) int32_t at[kPair];
    for (size_t j = 0; j < kPair; ++j) at[j] = j < n ? result_.at[first + j] : INT_MIN;  // no bit beyond n
    uint32_t flip = 0, bits[kRows];
    copy_bits(result_.flip, words, first, n, &flip);
    kernels_.cut(y, m, at, bits);
    uint32_t* to = result_.bits + row * words + first / kWord;
    for (size_t r = 0; r < m; ++r, to += words) {
      bits[r] ^= flip;
      to[0] |= bits[r] << shift;
      if (shift != 0 && bits[r] >> (kWord - shift)) to[1] |= bits[r] >> (kWord - shift);
    }
  }

  const Kernels& kernels_;
  const Geometry& g_;
  const uint32_t* x_;
  const Weights& weights_;
  const Result& result_;
  std::vector<uint32_t> padding_;  // a pixel beyond the border
  size_t rows_, words_, blocks_;
  bool gathers_;
};

}  // namespace

void conv(const Kernels& kernels, const Geometry& geometry, const uint32_t* x, const Weights& weights, const Result& result,
          size_t threads) {
  Convolution(kernels, geometry, x, weights, result).run(threads);
}

void pack(const Kernels& kernels, const float* x, const float* threshold, size_t outer, size_t k, size_t inner, uint32_t* out,
          size_t threads) {
  const size_t words = Geometry::words64(k) * 2;
  if (inner == 1) {
    const size_t tasks = std::min(outer, std::max<size_t>(threads, 1));
    return parallel(tasks, threads, [&](size_t, size_t task) {
      for (size_t row = share(outer, tasks, task); row < share(outer, tasks, task + 1); ++row) {
        kernels.pack_row(x + row * k, threshold, k, out + row * words);
      }
    });
  }
  const size_t used = ceil_div(k, kWord);  // one task a row of words
  parallel(outer * used, threads, [&](size_t, size_t task) {
    const size_t image = task / used, first = task % used * kWord;
    kernels.pack_columns(x + (image * k + first) * inner, inner, threshold ? threshold + first : nullptr,
                         std::min(kWord, k - first), inner, out + image * inner * words + task % used, words);
  });
}

}  // namespace bitproof
