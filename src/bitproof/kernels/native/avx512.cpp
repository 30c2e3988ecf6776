// x86-64 with AVX-512 F, BW, VL and VPOPCNTDQ: a lane is an output, and nothing is ever summed across lanes.
#include "kernels.hpp"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512VPOPCNTDQ__)
#include <immintrin.h>

#include "float_loops.hpp"
#include "loops.hpp"

namespace bitproof {
namespace {

constexpr int kMost = 8;  // 8 rows x 2 blocks are 16 of the 32 registers: enough in flight to hide the latency of popcount

template <int M, int B>
void count_tile(const uint32_t* x, size_t ldx, const uint32_t* blocks, size_t words, int32_t k, int32_t* y) {
  __m512i sums[M][B];
  for (int r = 0; r < M; ++r) {
    for (int b = 0; b < B; ++b) sums[r][b] = _mm512_setzero_si512();
  }
  for (size_t i = 0; i < words; ++i) {
    __m512i w[B];
    for (int b = 0; b < B; ++b) w[b] = _mm512_loadu_si512(blocks + (size_t(b) * words + i) * kLanes);
    for (int r = 0; r < M; ++r) {
      const __m512i v = _mm512_set1_epi32(int32_t(x[size_t(r) * ldx + i]));
      for (int b = 0; b < B; ++b) {
        sums[r][b] = _mm512_add_epi32(sums[r][b], _mm512_popcnt_epi32(_mm512_xor_si512(v, w[b])));
      }
    }
  }
  for (int r = 0; r < M; ++r) {
    for (int b = 0; b < B; ++b) {
      const __m512i dot = _mm512_sub_epi32(_mm512_set1_epi32(k), _mm512_slli_epi32(sums[r][b], 1));
      _mm512_storeu_si512(y + size_t(r) * kPair + size_t(b) * kLanes, dot);
    }
  }
}

template <int B>
void count_rows(const uint32_t* x, size_t ldx, int m, const uint32_t* blocks, size_t words, int32_t k, int32_t* y) {
  using Tile = void (*)(const uint32_t*, size_t, const uint32_t*, size_t, int32_t, int32_t*);
  static constexpr Tile tiles[kMost] = {count_tile<1, B>, count_tile<2, B>, count_tile<3, B>, count_tile<4, B>,
                                        count_tile<5, B>, count_tile<6, B>, count_tile<7, B>, count_tile<8, B>};
  tiles[m - 1](x, ldx, blocks, words, k, y);
}

void count(const uint32_t* x, size_t ldx, int m, const uint32_t* blocks, int n_blocks, size_t words, int32_t k, int32_t* y) {
  n_blocks == 2 ? count_rows<2>(x, ldx, m, blocks, words, k, y) : count_rows<1>(x, ldx, m, blocks, words, k, y);
}

// A compare and not the sign bit: -0.0 is not below zero.
inline uint32_t below(const float* x, const float* threshold, __mmask16 lanes) {
  const __m512 t = threshold ? _mm512_maskz_loadu_ps(lanes, threshold) : _mm512_setzero_ps();
  return _mm512_mask_cmp_ps_mask(lanes, _mm512_maskz_loadu_ps(lanes, x), t, _CMP_LT_OQ);
}

inline __mmask16 first(size_t n) { return n >= 16 ? __mmask16(0xffff) : __mmask16((1u << n) - 1); }

void pack_row_wide(const float* x, const float* threshold, size_t k, uint32_t* out) {
  for (size_t i = 0; i < k; i += kWord) {
    const float* t = threshold ? threshold + i : nullptr;
    const size_t left = k - i;
    uint32_t bits = below(x + i, t, first(left));
    if (left > 16) bits |= below(x + i + 16, t ? t + 16 : nullptr, first(left - 16)) << 16;
    *out++ = bits;
  }
}

template <int V>  // V vectors of 16 positions at a time
void columns(const float* x, size_t stride, const float* threshold, size_t channels, __mmask16 last, uint32_t* out,
             size_t out_stride) {
  __m512i bits[V];
  for (int v = 0; v < V; ++v) bits[v] = _mm512_setzero_si512();
  for (size_t c = 0; c < channels; ++c) {
    const __m512 t = _mm512_set1_ps(threshold ? threshold[c] : 0.0f);
    const __m512i bit = _mm512_set1_epi32(int32_t(1u << c));
    for (int v = 0; v < V; ++v) {
      const __mmask16 lanes = v == V - 1 ? last : __mmask16(0xffff);
      const __m512 row = _mm512_maskz_loadu_ps(lanes, x + c * stride + size_t(v) * 16);
      bits[v] = _mm512_mask_or_epi32(bits[v], _mm512_cmp_ps_mask(row, t, _CMP_LT_OQ), bits[v], bit);
    }
  }
  alignas(64) uint32_t words[V * 16];
  for (int v = 0; v < V; ++v) _mm512_store_si512(words + v * 16, bits[v]);
  const int n = (V - 1) * 16 + __builtin_popcount(last);
  for (int i = 0; i < n; ++i) out[size_t(i) * out_stride] = words[i];
}

void pack_columns_wide(const float* x, size_t stride, const float* threshold, size_t channels, size_t positions, uint32_t* out,
                       size_t out_stride) {
  size_t p = 0;
  for (; p + 64 <= positions; p += 64) columns<4>(x + p, stride, threshold, channels, 0xffff, out + p * out_stride, out_stride);
  for (; p < positions; p += 16) {
    columns<1>(x + p, stride, threshold, channels, first(positions - p), out + p * out_stride, out_stride);
  }
}

void cut_wide(const int32_t* y, size_t m, const int32_t* at, uint32_t* out) {
  const __m512i low = _mm512_loadu_si512(at), high = _mm512_loadu_si512(at + kLanes);
  for (size_t r = 0; r < m; ++r, y += kPair) {
    out[r] = _mm512_cmplt_epi32_mask(_mm512_loadu_si512(y), low) |
             uint32_t(_mm512_cmplt_epi32_mask(_mm512_loadu_si512(y + kLanes), high)) << kLanes;
  }
}

}  // namespace

const Kernels* avx512() {
  static constexpr Kernels kernels = {"avx512", kMost,  pack_row_wide, pack_columns_wide, count, copy,
                                      affine,   cut_wide, digits,        undigit, &kFloats};
  return &kernels;
}

}  // namespace bitproof
#else
namespace bitproof {
const Kernels* avx512() { return nullptr; }
}  // namespace bitproof
#endif
