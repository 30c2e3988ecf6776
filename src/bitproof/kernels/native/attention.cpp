#include "attention.hpp"

#include <algorithm>
#include <vector>

#include "pool.hpp"

namespace bitproof {
namespace {

using Words = std::vector<uint32_t>;

size_t words_of(size_t bits) { return (bits + kWord - 1) / kWord; }

// The keys that count for one query, as bits.
void keep_row(const Attention& of, const uint8_t* keep, uint32_t* out) {
  for (size_t first = 0; first < of.keys; first += kWord, ++out) {
    *out = 0;
    for (size_t j = 0; j < kWord && first + j < of.keys; ++j) {
      *out |= uint32_t(keep == nullptr || keep[(first + j) * of.keep[3]] != 0) << j;
    }
  }
}

// The keys that count: a row for each (image, head, query), or one for several where they do not differ.
class Kept {
 public:
  Kept(const Attention& of, const uint8_t* keep) : of_(of), words_(words_of(of.keys)) {
    heads_ = keep != nullptr && of.keep[1] != 0 ? of.heads : 1;
    queries_ = keep != nullptr && of.keep[2] != 0 ? of.queries : 1;
    images_ = keep != nullptr ? of.images : 1;
    rows_.resize(images_ * heads_ * queries_ * words_);
    for (size_t i = 0; i < images_ * heads_ * queries_; ++i) {
      const size_t at = i / queries_ / heads_ * of.keep[0] + i / queries_ % heads_ * of.keep[1] + i % queries_ * of.keep[2];
      keep_row(of, keep == nullptr ? nullptr : keep + at, rows_.data() + i * words_);
    }
  }

  const uint32_t* row(size_t image, size_t head, size_t query) const {
    return rows_.data() + ((image % images_ * heads_ + head % heads_) * queries_ + query % queries_) * words_;
  }

 private:
  const Attention& of_;
  size_t words_, images_, heads_, queries_;
  Words rows_;
};

// One head of one image.
void head_of(const Kernels& kernels, const Attention& of, const float* q, const float* k, const float* v, const Kept& kept,
             size_t image, size_t head, float* y) {
  const size_t words = words_of(of.width), rows = words_of(of.keys), lanes = rows * kWord;
  Words keys(words * lanes, 0), values(rows * of.width), one(words), map(rows);
  std::vector<int32_t> counts(std::max(lanes, of.width));
  for (size_t s = 0; s < of.keys; ++s) {
    kernels.pack_row(k + s * of.k[2], nullptr, of.width, one.data());
    for (size_t i = 0; i < words; ++i) keys[i * lanes + s] = one[i];
  }
  for (size_t row = 0; row < rows; ++row) {
    const size_t first = row * kWord;
    kernels.pack_columns(v + first * of.v[2], of.v[2], nullptr, std::min(kWord, of.keys - first), of.width,
                         values.data() + row * of.width, 1);
  }
  // width - 2 * differing >= least
  int32_t below[kPair];
  const int32_t room = int32_t(of.width) - of.least;
  std::fill(below, below + kPair, room < 0 ? 0 : room / 2 + 1);
  for (size_t t = 0; t < of.queries; ++t) {
    kernels.pack_row(q + t * of.q[2], nullptr, of.width, one.data());
    kernels.floats->differing(one.data(), words, keys.data(), lanes, counts.data());
    kernels.cut(counts.data(), rows, below, map.data());
    const uint32_t* kept_row = kept.row(image, head, t);
    int32_t total = 0;
    for (size_t i = 0; i < rows; ++i) {
      map[i] &= kept_row[i];
      total += __builtin_popcount(map[i]);
    }
    kernels.floats->common(map.data(), rows, values.data(), of.width, counts.data());
    float* to = y + t * of.heads * of.width;
    for (size_t d = 0; d < of.width; ++d) to[d] = float(total - 2 * counts[d]) * of.scale;
  }
}

}  // namespace

void attend(const Kernels& kernels, const Attention& of, const float* q, const float* k, const float* v, const uint8_t* keep,
            float* y, size_t threads) {
  const Kept kept(of, keep);
  parallel(of.images * of.heads, threads, [&](size_t, size_t task) {
    const size_t image = task / of.heads, head = task % of.heads;
    head_of(kernels, of, q + image * of.q[0] + head * of.q[1], k + image * of.k[0] + head * of.k[1],
            v + image * of.v[0] + head * of.v[1], kept, image, head, y + (image * of.queries * of.heads + head) * of.width);
  });
}

}  // namespace bitproof
