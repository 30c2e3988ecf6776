// What an instruction set has to bring, and the list of those that were built.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitproof {

struct Floats;

constexpr size_t kWord = 32;   // bits in a word; the public uint64 words are pairs of these, low half first
constexpr size_t kLanes = 16;  // outputs side by side in a block of weights: lane j of words [i][16] is output j, word i

constexpr size_t kPair = 2 * kLanes;  // outputs that are counted at once
constexpr size_t kRows = 8;           // the most rows that any set counts at once
constexpr size_t kDigits = 16;        // binary digits of a depthwise count: fewer than 65536 taps

// All work on a bit that is 1 for -1 and 0 for +1, so that xor marks the products that are -1 and padding with 0 is harmless.
struct Kernels {
  const char* name;
  int rows;  // the largest m that `count` takes, at most kRows

  // out[i / 32] gets bit i % 32 = (x[i] < threshold[i]); threshold may be null: 0. Writes ceil(k / 32) words.
  void (*pack_row)(const float* x, const float* threshold, size_t k, uint32_t* out);

  // The same along the slower axis: bit c of out[p * out_stride] = (x[c * stride + p] < threshold[c]), c < channels <= 32.
  void (*pack_columns)(const float* x, size_t stride, const float* threshold, size_t channels, size_t positions, uint32_t* out,
                       size_t out_stride);

  // y[r][16 * b + j] = k - 2 * (differing bits of row r and lane j of block b), for m <= rows rows and 1 or 2 blocks.
  // A row of y, here and below, is kPair long.
  void (*count)(const uint32_t* x, size_t ldx, int m, const uint32_t* blocks, int n_blocks, size_t words, int32_t k, int32_t* y);

  // The first n of each of m rows of y: as they are; times scale plus bias, each step rounded to float32.
  void (*copy)(const int32_t* y, size_t m, size_t n, int32_t* out, size_t ldo);
  void (*affine)(const int32_t* y, size_t m, const float* scale, const float* bias, size_t n, float* out, size_t ldo);

  // Bit j of out[r] = (y[r][j] < at[j]), j < kPair.
  void (*cut)(const int32_t* y, size_t m, const int32_t* at, uint32_t* out);

  // Depthwise: counts, for each bit position of `words` words, the taps in which it differs, as binary digits:
  // planes[d][i] holds digit d. Tap t of the input starts at x[t], its weights at w + t * words.
  void (*digits)(const uint32_t* const* x, const uint32_t* w, size_t taps, size_t words, uint32_t* planes);

  // y[j] = taps - 2 * (the number whose digits are bit j of planes[d * words]), j < 32.
  void (*undigit)(const uint32_t* planes, size_t n_planes, size_t words, int32_t taps, int32_t* y);

  const Floats* floats;  // what stands between products in a plan
};

// Null where the compiler was not asked, or not able, to build the set.
const Kernels* avx512();
const Kernels* avx2();
const Kernels* neon();
const Kernels* portable();

// Those that run on this processor, fastest first, ended by null.
const Kernels* const* available();

}  // namespace bitproof
