// An attention whose queries, keys, values and map are bits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "floats.hpp"
#include "kernels.hpp"

namespace bitproof {

// y[n, t, h, d] = scale * sum over s of M[t, s] * sign(v[n, h, s, d]); M is 1 where the product of the signs of q and k is at least
// `least` and `keep` is not 0, else 0. sign(0) = +1. Strides in values, of the axes n, h, t; the last axis has neighbours.
struct Attention {
  size_t images, heads, queries, keys, width;
  std::array<size_t, 3> q, k, v;
  std::array<size_t, 4> keep;  // in bytes, of the axes n, h, t, s
  int32_t least;
  float scale;
};

// `keep` may be null: all.
void attend(const Kernels& kernels, const Attention& of, const float* q, const float* k, const float* v, const uint8_t* keep,
            float* y, size_t threads);

}  // namespace bitproof
