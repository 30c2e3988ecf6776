// The float steps between packed products: what an instruction set compiles for itself, found by name. No step adds across lanes of
// another step's result, so only sums (`dense`, `means`) depend on an order.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitproof {

// y[i] = f(x[i], a, b)
struct Map {
  const char* name;
  void (*run)(const float* x, size_t n, float a, float b, float* y);
};

// y[i] = f(x[i], z[i])
struct Pair {
  const char* name;
  void (*run)(const float* x, const float* z, size_t n, float* y);
};

// A float convolution over a source whose border is in it already: y[p][o] = bias[o] + sum over k of x[p + offsets[k]] * w[k][o].
struct Dense {
  const float* w;            // [blocks of 16 outputs][terms][16]
  const float* bias;         // [blocks][16]
  const uint32_t* offsets;   // [terms], null where term k lies at k
  size_t terms, outputs;
};

struct Floats {
  const Map* maps;    // both ended by a name that is null
  const Pair* pairs;
  // `n` positions, `step` floats apart in x and `outputs` in y.
  void (*dense)(const Dense& of, const float* x, size_t n, size_t step, float* y);
  // y[c] = sum over rows of x[row][c] / rows
  void (*means)(const float* x, size_t rows, size_t n, float* y);
  // y = (x - mean) / sqrt(variance + eps) * w + b over n values
  void (*norm)(const float* x, size_t n, const float* w, const float* b, float eps, float* y);

  // y[i] = x[i] * z[i]; the sum of w[i] * x[i]^2
  void (*product)(const float* x, const float* z, size_t n, float* y);
  float (*energy)(const float* x, const float* w, size_t n);

  // Words against columns of words: y[j] = bits of x[i] xor w[i][j], of x[i] and w[i][j], summed over i.
  void (*differing)(const uint32_t* x, size_t words, const uint32_t* w, size_t n, int32_t* y);
  void (*common)(const uint32_t* x, size_t words, const uint32_t* w, size_t n, int32_t* y);
};

}  // namespace bitproof
