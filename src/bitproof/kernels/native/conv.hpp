// Packing and convolution over whole arrays: the same code above every instruction set. A GEMM is a convolution of one tap.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.hpp"

namespace bitproof {

enum class Pad { plus, minus, zero };

struct Geometry {
  size_t images, height, width;  // of the input: [images, height, width, words(channels)]
  size_t in, out, groups;        // channels of all groups together
  size_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  Pad pad;

  size_t taps() const { return kernel_h * kernel_w; }
  size_t in_group() const { return in / groups; }
  size_t out_group() const { return out / groups; }
  size_t pixel() const { return words64(in) * 2; }  // words of one input position
  size_t tap() const { return (in_group() + kWord - 1) / kWord; }
  bool depthwise() const { return groups > 1 && in_group() == 1 && out_group() == 1; }
  size_t out_h() const { return (height + 2 * pad_h - dilation_h * (kernel_h - 1) - 1) / stride_h + 1; }
  size_t out_w() const { return (width + 2 * pad_w - dilation_w * (kernel_w - 1) - 1) / stride_w + 1; }
  static size_t words64(size_t bits) { return (bits + 63) / 64; }
};

// Weights as the kernels read them.
struct Weights {
  const uint32_t* blocks;  // [groups, ceil(out_group / 16), taps, tap(), 16]; depthwise: [taps, pixel()]
  const int32_t* sums;     // of the +-1 of each tap: [groups, taps, padded(out_group)]; depthwise: [taps, 32 * pixel()]
};

// Where the result goes: exactly one of y, real, bits is set. [positions, out], bits: [positions, words(out)], zeroed before.
struct Result {
  int32_t* y = nullptr;
  float* real = nullptr;  // y * scale + bias
  const float* scale = nullptr;
  const float* bias = nullptr;
  uint32_t* bits = nullptr;  // (y < at) xor flip
  const int32_t* at = nullptr;
  const uint32_t* flip = nullptr;
};

void conv(const Kernels& kernels, const Geometry& geometry, const uint32_t* x, const Weights& weights, const Result& result,
          size_t threads);

// [outer, k, inner] floats -> [outer, inner, words(k)]; `threshold` holds k values or is null: 0. `out` is zeroed before.
void pack(const Kernels& kernels, const float* x, const float* threshold, size_t outer, size_t k, size_t inner, uint32_t* out,
          size_t threads);

}  // namespace bitproof
