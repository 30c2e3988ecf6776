// Plain loops that the compiler vectorises, once for each instruction set.
//
// Everything is in an anonymous namespace and nothing of the standard library is instantiated: a shared copy compiled for
// AVX-512 could otherwise be linked into code that must run on any processor.
#pragma once

#include "kernels.hpp"

namespace bitproof {
namespace {

[[maybe_unused]] uint32_t pack_few(const float* x, const float* threshold, size_t n) {
  uint32_t bits = 0;
  for (size_t i = 0; i < n; ++i) bits |= uint32_t(x[i] < (threshold ? threshold[i] : 0.0f)) << i;
  return bits;
}

[[maybe_unused]] void pack_row(const float* x, const float* threshold, size_t k, uint32_t* out) {
  for (size_t i = 0; i < k; i += kWord) {
    *out++ = pack_few(x + i, threshold ? threshold + i : nullptr, k - i < kWord ? k - i : kWord);
  }
}

[[maybe_unused]] void pack_columns(const float* x, size_t stride, const float* threshold, size_t channels, size_t positions,
                                   uint32_t* out, size_t out_stride) {
  constexpr size_t kRun = 64;
  for (size_t p = 0; p < positions; p += kRun) {
    const size_t run = positions - p < kRun ? positions - p : kRun;
    uint32_t bits[kRun] = {};
    for (size_t c = 0; c < channels; ++c) {
      const float t = threshold ? threshold[c] : 0.0f;
      const float* row = x + c * stride + p;
      for (size_t i = 0; i < run; ++i) bits[i] |= uint32_t(row[i] < t) << c;
    }
    for (size_t i = 0; i < run; ++i) out[(p + i) * out_stride] = bits[i];
  }
}

// A whole row has a fixed length, which makes it two or four vectors without a loop.
template <class Do>
void each_row(size_t m, size_t n, Do&& act) {
  for (size_t r = 0; r < m; ++r) {
    if (n == kPair) {
      for (size_t j = 0; j < kPair; ++j) act(r, j);
    } else {
      for (size_t j = 0; j < n; ++j) act(r, j);
    }
  }
}

[[maybe_unused]] void copy(const int32_t* y, size_t m, size_t n, int32_t* out, size_t ldo) {
  each_row(m, n, [=](size_t r, size_t j) { out[r * ldo + j] = y[r * kPair + j]; });
}

[[maybe_unused]] void affine(const int32_t* y, size_t m, const float* scale, const float* bias, size_t n, float* out, size_t ldo) {
  each_row(m, n, [=](size_t r, size_t j) { out[r * ldo + j] = float(y[r * kPair + j]) * scale[j] + bias[j]; });
}

[[maybe_unused]] void cut(const int32_t* y, size_t m, const int32_t* at, uint32_t* out) {
  for (size_t r = 0; r < m; ++r) {
    uint32_t bits = 0;
    for (size_t j = 0; j < kPair; ++j) bits |= uint32_t(y[r * kPair + j] < at[j]) << j;
    out[r] = bits;
  }
}

// A carry-save counter: words [chunk] wide, so that the inner loops are whole vectors.
[[maybe_unused]] void digits(const uint32_t* const* x, const uint32_t* w, size_t taps, size_t words, uint32_t* planes) {
  constexpr size_t kChunk = 16;
  for (size_t start = 0; start < words; start += kChunk) {
    const size_t n = words - start < kChunk ? words - start : kChunk;
    uint32_t count[kDigits][kChunk] = {};
    size_t used = 0;  // digits that t + 1 taps can fill
    for (size_t t = 0; t < taps; ++t) {
      uint32_t carry[kChunk] = {};
      for (size_t i = 0; i < n; ++i) carry[i] = x[t][start + i] ^ w[t * words + start + i];
      used += (t + 1) >> used ? 1 : 0;
      for (size_t d = 0; d < used; ++d) {
        for (size_t i = 0; i < kChunk; ++i) {
          const uint32_t next = count[d][i] & carry[i];
          count[d][i] ^= carry[i];
          carry[i] = next;
        }
      }
    }
    for (size_t d = 0; d < used; ++d) {
      for (size_t i = 0; i < n; ++i) planes[d * words + start + i] = count[d][i];
    }
  }
}

[[maybe_unused]] void undigit(const uint32_t* planes, size_t n_planes, size_t words, int32_t taps, int32_t* y) {
  for (size_t j = 0; j < kWord; ++j) y[j] = taps;
  for (size_t d = 0; d < n_planes; ++d) {
    const uint32_t plane = planes[d * words];
    for (uint32_t j = 0; j < kWord; ++j) y[j] -= int32_t(((plane >> j) & 1u) << (d + 1));
  }
}

}  // namespace
}  // namespace bitproof
