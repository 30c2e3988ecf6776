// aarch64: bits are counted in bytes by CNT, which are summed every 31 words.
#include "kernels.hpp"

#if defined(__aarch64__)
#include <arm_neon.h>

#include "float_loops.hpp"
#include "loops.hpp"

namespace bitproof {
namespace {

constexpr int kMost = 4;       // 4 rows x 4 quarter blocks are 16 of the 32 registers
constexpr size_t kFlush = 31;  // a byte holds the counts of 31 words: 8 * 31 < 256

template <int M>
void count_tile(const uint32_t* x, size_t ldx, const uint32_t* block, size_t words, int32_t k, int32_t* y) {
  for (int r = 0; r < M; ++r) {
    for (int q = 0; q < 4; ++q) vst1q_s32(y + size_t(r) * kPair + size_t(q) * 4, vdupq_n_s32(k));
  }
  for (size_t start = 0; start < words; start += kFlush) {
    const size_t end = words - start < kFlush ? words : start + kFlush;
    uint8x16_t sums[M][4];
    for (int r = 0; r < M; ++r) {
      for (int q = 0; q < 4; ++q) sums[r][q] = vdupq_n_u8(0);
    }
    for (size_t i = start; i < end; ++i) {
      uint32x4_t w[4];
      for (int q = 0; q < 4; ++q) w[q] = vld1q_u32(block + i * kLanes + size_t(q) * 4);
      for (int r = 0; r < M; ++r) {
        const uint32x4_t v = vdupq_n_u32(x[size_t(r) * ldx + i]);
        for (int q = 0; q < 4; ++q) sums[r][q] = vaddq_u8(sums[r][q], vcntq_u8(vreinterpretq_u8_u32(veorq_u32(v, w[q]))));
      }
    }
    for (int r = 0; r < M; ++r) {
      for (int q = 0; q < 4; ++q) {
        int32_t* to = y + size_t(r) * kPair + size_t(q) * 4;
        const int32x4_t differ = vreinterpretq_s32_u32(vpaddlq_u16(vpaddlq_u8(sums[r][q])));
        vst1q_s32(to, vmlsq_n_s32(vld1q_s32(to), differ, 2));
      }
    }
  }
}

void count(const uint32_t* x, size_t ldx, int m, const uint32_t* blocks, int n_blocks, size_t words, int32_t k, int32_t* y) {
  using Tile = void (*)(const uint32_t*, size_t, const uint32_t*, size_t, int32_t, int32_t*);
  static constexpr Tile tiles[kMost] = {count_tile<1>, count_tile<2>, count_tile<3>, count_tile<4>};
  for (int b = 0; b < n_blocks; ++b) {
    tiles[m - 1](x, ldx, blocks + size_t(b) * words * kLanes, words, k, y + size_t(b) * kLanes);
  }
}

// A compare and not the sign bit: -0.0 is not below zero.
inline uint32_t below(const float* x, const float* threshold) {
  static const uint32_t bits[4] = {1, 2, 4, 8};
  const uint32x4_t less = vcltq_f32(vld1q_f32(x), threshold ? vld1q_f32(threshold) : vdupq_n_f32(0.0f));
  return vaddvq_u32(vandq_u32(less, vld1q_u32(bits)));
}

void pack_row_wide(const float* x, const float* threshold, size_t k, uint32_t* out) {
  size_t i = 0;
  for (; i + kWord <= k; i += kWord) {
    uint32_t bits = 0;
    for (size_t j = 0; j < kWord; j += 4) bits |= below(x + i + j, threshold ? threshold + i + j : nullptr) << j;
    *out++ = bits;
  }
  if (i < k) *out = pack_few(x + i, threshold ? threshold + i : nullptr, k - i);
}

}  // namespace

const Kernels* neon() {
  static constexpr Kernels kernels = {"neon", kMost, pack_row_wide, pack_columns, count, copy, affine, cut, digits, undigit, &kFloats};
  return &kernels;
}

}  // namespace bitproof
#else
namespace bitproof {
const Kernels* neon() { return nullptr; }
}  // namespace bitproof
#endif
