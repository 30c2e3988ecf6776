// x86-64 with AVX2: bits are counted by a table of 16 entries, in bytes, which are summed every 31 words.
#include "kernels.hpp"

#if defined(__AVX2__)
#include <immintrin.h>

#include "float_loops.hpp"
#include "loops.hpp"

namespace bitproof {
namespace {

constexpr int kMost = 4;       // 4 rows x 2 half blocks are 8 of the 16 registers
constexpr size_t kFlush = 31;  // a byte holds the counts of 31 words: 8 * 31 < 256

// Bits of each byte. Source: Mula, Kurz, Lemire, arXiv:1611.07612, section 3.
inline __m256i byte_counts(__m256i v) {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i nibble = _mm256_set1_epi8(15);
  const __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(v, nibble));
  return _mm256_add_epi8(low, _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi32(v, 4), nibble)));
}

inline __m256i sum_bytes(__m256i v) { return _mm256_madd_epi16(_mm256_maddubs_epi16(v, _mm256_set1_epi8(1)), _mm256_set1_epi16(1)); }

template <int M>
void count_tile(const uint32_t* x, size_t ldx, const uint32_t* block, size_t words, int32_t k, int32_t* y) {
  for (int r = 0; r < M; ++r) {
    for (int h = 0; h < 2; ++h) _mm256_storeu_si256((__m256i*)(y + size_t(r) * kPair + size_t(h) * 8), _mm256_set1_epi32(k));
  }
  for (size_t start = 0; start < words; start += kFlush) {
    const size_t end = words - start < kFlush ? words : start + kFlush;
    __m256i sums[M][2];
    for (int r = 0; r < M; ++r) sums[r][0] = sums[r][1] = _mm256_setzero_si256();
    for (size_t i = start; i < end; ++i) {
      const __m256i w0 = _mm256_loadu_si256((const __m256i*)(block + i * kLanes));
      const __m256i w1 = _mm256_loadu_si256((const __m256i*)(block + i * kLanes + 8));
      for (int r = 0; r < M; ++r) {
        const __m256i v = _mm256_set1_epi32(int32_t(x[size_t(r) * ldx + i]));
        sums[r][0] = _mm256_add_epi8(sums[r][0], byte_counts(_mm256_xor_si256(v, w0)));
        sums[r][1] = _mm256_add_epi8(sums[r][1], byte_counts(_mm256_xor_si256(v, w1)));
      }
    }
    for (int r = 0; r < M; ++r) {
      for (int h = 0; h < 2; ++h) {
        __m256i* to = (__m256i*)(y + size_t(r) * kPair + size_t(h) * 8);
        _mm256_storeu_si256(to, _mm256_sub_epi32(_mm256_loadu_si256(to), _mm256_slli_epi32(sum_bytes(sums[r][h]), 1)));
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
  const __m256 t = threshold ? _mm256_loadu_ps(threshold) : _mm256_setzero_ps();
  return uint32_t(_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(x), t, _CMP_LT_OQ)));
}

void pack_row_wide(const float* x, const float* threshold, size_t k, uint32_t* out) {
  size_t i = 0;
  for (; i + kWord <= k; i += kWord) {
    uint32_t bits = 0;
    for (size_t j = 0; j < kWord; j += 8) bits |= below(x + i + j, threshold ? threshold + i + j : nullptr) << j;
    *out++ = bits;
  }
  if (i < k) *out = pack_few(x + i, threshold ? threshold + i : nullptr, k - i);
}

// Eight positions at a time.
void columns(const float* x, size_t stride, const float* threshold, size_t channels, uint32_t* out, size_t out_stride) {
  __m256i bits = _mm256_setzero_si256();
  for (size_t c = 0; c < channels; ++c) {
    const __m256 t = _mm256_set1_ps(threshold ? threshold[c] : 0.0f);
    const __m256i less = _mm256_castps_si256(_mm256_cmp_ps(_mm256_loadu_ps(x + c * stride), t, _CMP_LT_OQ));
    bits = _mm256_or_si256(bits, _mm256_and_si256(less, _mm256_set1_epi32(int32_t(1u << c))));
  }
  uint32_t words[8];
  _mm256_storeu_si256((__m256i*)words, bits);
  for (size_t i = 0; i < 8; ++i) out[i * out_stride] = words[i];
}

void pack_columns_wide(const float* x, size_t stride, const float* threshold, size_t channels, size_t positions, uint32_t* out,
                       size_t out_stride) {
  size_t p = 0;
  for (; p + 8 <= positions; p += 8) columns(x + p, stride, threshold, channels, out + p * out_stride, out_stride);
  if (p < positions) pack_columns(x + p, stride, threshold, channels, positions - p, out + p * out_stride, out_stride);
}

}  // namespace

const Kernels* avx2() {
  static constexpr Kernels kernels = {"avx2", kMost, pack_row_wide, pack_columns_wide, count, copy, affine, cut, digits, undigit, &kFloats};
  return &kernels;
}

}  // namespace bitproof
#else
namespace bitproof {
const Kernels* avx2() { return nullptr; }
}  // namespace bitproof
#endif
