// Every instruction set of this processor against a convolution written bit by bit, without Python: for processors that are
// emulated, and under sanitizers. `selftest SEED CASES` prints the seed of what differs and returns 1.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "conv.hpp"
#include "selftest.hpp"

using namespace bitproof;

namespace {

Geometry draw(Random& random) {
  Geometry g{};
  const bool depthwise = random.upto(0, 3) == 0;
  g.groups = depthwise ? random.upto(2, 130) : random.upto(1, 3);
  g.in = g.groups * (depthwise ? 1 : random.upto(1, 100));
  g.out = g.groups * (depthwise ? 1 : random.upto(1, 70));
  g.images = random.upto(1, 3);
  g.kernel_h = random.upto(1, 3), g.kernel_w = random.upto(1, 3);
  g.stride_h = random.upto(1, 3), g.stride_w = random.upto(1, 3);
  g.pad_h = random.upto(0, 2), g.pad_w = random.upto(0, 2);
  g.dilation_h = random.upto(1, 2), g.dilation_w = random.upto(1, 2);
  g.height = random.upto(1, 8) + g.dilation_h * (g.kernel_h - 1);
  g.width = random.upto(1, 8) + g.dilation_w * (g.kernel_w - 1);
  g.pad = Pad(random.upto(0, 2));
  return g;
}

// x [images, in, height, width], w [out, in / groups, taps] -> [positions, out].
std::vector<int32_t> slow(const Geometry& g, const Signs& x, const Signs& w) {
  const int beyond = g.pad == Pad::plus ? 1 : g.pad == Pad::minus ? -1 : 0;
  std::vector<int32_t> y;
  for (size_t n = 0; n < g.images; ++n)
    for (size_t i = 0; i < g.out_h(); ++i)
      for (size_t j = 0; j < g.out_w(); ++j)
        for (size_t o = 0; o < g.out; ++o) {
          int32_t sum = 0;
          for (size_t c = 0; c < g.in_group(); ++c)
            for (size_t u = 0; u < g.kernel_h; ++u)
              for (size_t v = 0; v < g.kernel_w; ++v) {
                const size_t row = i * g.stride_h + u * g.dilation_h - g.pad_h, column = j * g.stride_w + v * g.dilation_w - g.pad_w;
                const size_t channel = o / g.out_group() * g.in_group() + c;
                const bool in = row < g.height && column < g.width;
                const int value = in ? x[((n * g.in + channel) * g.height + row) * g.width + column] : beyond;
                sum += value * w[(o * g.in_group() + c) * g.taps() + u * g.kernel_w + v];
              }
          y.push_back(sum);
        }
  return y;
}

struct Arranged {
  std::vector<uint32_t> blocks;
  std::vector<int32_t> sums;
};

Arranged arrange(const Geometry& g, const Signs& w) {
  Arranged all;
  const size_t blocks = (g.out_group() + kLanes - 1) / kLanes, padded = blocks * kLanes;
  all.blocks.assign(g.depthwise() ? g.taps() * g.pixel() : g.groups * padded * g.taps() * g.tap(), 0);
  all.sums.assign(g.depthwise() ? g.taps() * g.pixel() * kWord : g.groups * g.taps() * padded, 0);
  for (size_t o = 0; o < g.out; ++o)
    for (size_t t = 0; t < g.taps(); ++t)
      for (size_t c = 0; c < g.in_group(); ++c) {
        const size_t group = o / g.out_group(), lane = o % g.out_group();
        const int sign = w[(o * g.in_group() + c) * g.taps() + t];
        const size_t word = g.depthwise() ? t * g.pixel() + o / kWord
                                          : (((group * blocks + lane / kLanes) * g.taps() + t) * g.tap() + c / kWord) * kLanes + lane % kLanes;
        if (sign < 0) all.blocks[word] |= 1u << (g.depthwise() ? o % kWord : c % kWord);
        all.sums[g.depthwise() ? t * g.pixel() * kWord + o : (group * g.taps() + t) * padded + lane] += sign;
      }
  return all;
}

bool bit(const std::vector<uint32_t>& words, size_t row, size_t per_row, size_t i) {
  return words[row * per_row + i / kWord] >> (i % kWord) & 1;
}

// Whether one set agrees in all three kinds of result.
bool agrees(const Kernels& kernels, const Geometry& g, const Signs& x, const Signs& w, size_t threads) {
  const std::vector<int32_t> expected = slow(g, x, w);
  const Arranged arranged = arrange(g, w);
  const Weights weights = {arranged.blocks.data(), arranged.sums.data()};
  std::vector<float> reals(x.begin(), x.end());
  std::vector<uint32_t> words(g.images * g.height * g.width * g.pixel(), 0);
  pack(kernels, reals.data(), nullptr, g.images, g.in, g.height * g.width, words.data(), threads);

  const size_t positions = expected.size() / g.out, per_row = Geometry::words64(g.out) * 2;
  std::vector<float> scale(g.out), bias(g.out), real(expected.size());
  std::vector<int32_t> at(g.out), y(expected.size());
  std::vector<uint32_t> flip(per_row, 0), bits(positions * per_row, 0);
  for (size_t o = 0; o < g.out; ++o) {
    scale[o] = 0.37f * float(o % 5) - 0.7f, bias[o] = float(o % 7) - 3.1f;
    at[o] = int32_t(o % 9) - 4;
    if (o % 3 == 0) flip[o / kWord] |= 1u << (o % kWord);
  }
  Result counts, affine, cut;
  counts.y = y.data();
  affine.real = real.data(), affine.scale = scale.data(), affine.bias = bias.data();
  cut.bits = bits.data(), cut.at = at.data(), cut.flip = flip.data();
  for (const Result* result : {&counts, &affine, &cut}) conv(kernels, g, words.data(), weights, *result, threads);

  for (size_t i = 0; i < expected.size(); ++i) {
    const size_t row = i / g.out, o = i % g.out;
    volatile float scaled = float(expected[i]) * scale[o];  // rounded before the bias is added
    if (y[i] != expected[i] || real[i] != scaled + bias[o]) return false;
    if (bit(bits, row, per_row, o) != ((expected[i] < at[o]) != (o % 3 == 0))) return false;
  }
  for (size_t row = 0; row < positions; ++row) {
    for (size_t i = g.out; i < per_row * kWord; ++i) {
      if (bit(bits, row, per_row, i)) return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned seed = argc > 1 ? unsigned(std::atoi(argv[1])) : 0, cases = argc > 2 ? unsigned(std::atoi(argv[2])) : 100;
  for (unsigned i = seed; i < seed + cases; ++i) {
    Random random{std::mt19937(i)};
    const Geometry g = draw(random);
    const Signs x = random.signs(g.images * g.in * g.height * g.width), w = random.signs(g.out * g.in_group() * g.taps());
    for (const Kernels* const* set = available(); *set != nullptr; ++set) {
      if (const char* what = differing(**set, i)) {
        std::printf("%s differs in %s: seed %u\n", (*set)->name, what, i);
        return 1;
      }
      for (size_t threads : {1, 2}) {
        if (agrees(**set, g, x, w, threads)) continue;
        std::printf("%s differs: seed %u, %zu threads\n", (*set)->name, i, threads);
        return 1;
      }
    }
  }
  for (const Kernels* const* set = available(); *set != nullptr; ++set) std::printf("%s ", (*set)->name);
  std::printf("agree in %u cases from seed %u\n", cases, seed);
  return 0;
}
