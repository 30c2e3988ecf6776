// Any processor: bits are counted by adding neighbours inside bytes.
#include "float_loops.hpp"
#include "loops.hpp"

namespace bitproof {
namespace {

constexpr size_t kFlush = 31;  // a byte holds the counts of 31 words: 8 * 31 < 256

// Bits of each byte. Source: Warren, Hacker's Delight, ch. 5-1.
inline uint32_t byte_counts(uint32_t v) {
  v -= (v >> 1) & 0x55555555u;
  v = (v & 0x33333333u) + ((v >> 2) & 0x33333333u);
  return (v + (v >> 4)) & 0x0f0f0f0fu;
}

inline int32_t sum_bytes(uint32_t v) {
  v = (v & 0x00ff00ffu) + ((v >> 8) & 0x00ff00ffu);
  return int32_t((v + (v >> 16)) & 0xffffu);
}

void count_row(const uint32_t* x, const uint32_t* w, size_t words, int32_t k, int32_t* y) {
  for (size_t j = 0; j < kLanes; ++j) y[j] = k;
  for (size_t start = 0; start < words; start += kFlush) {
    const size_t end = words - start < kFlush ? words : start + kFlush;
    uint32_t bytes[kLanes] = {};
    for (size_t i = start; i < end; ++i) {
      for (size_t j = 0; j < kLanes; ++j) bytes[j] += byte_counts(x[i] ^ w[i * kLanes + j]);
    }
    for (size_t j = 0; j < kLanes; ++j) y[j] -= 2 * sum_bytes(bytes[j]);
  }
}

void count(const uint32_t* x, size_t ldx, int m, const uint32_t* blocks, int n_blocks, size_t words, int32_t k, int32_t* y) {
  for (int r = 0; r < m; ++r) {
    for (int b = 0; b < n_blocks; ++b) {
      count_row(x + size_t(r) * ldx, blocks + size_t(b) * words * kLanes, words, k, y + size_t(r) * kPair + size_t(b) * kLanes);
    }
  }
}

}  // namespace

const Kernels* portable() {
  static constexpr Kernels kernels = {"portable", 4, pack_row, pack_columns, count, copy, affine, cut, digits, undigit, &kFloats};
  return &kernels;
}

}  // namespace bitproof
