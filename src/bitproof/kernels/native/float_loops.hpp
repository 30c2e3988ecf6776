// Plain float loops that the compiler vectorises, once for each instruction set; see loops.hpp for why nothing here is shared.
#pragma once

#include "floats.hpp"
#include "kernels.hpp"

namespace bitproof {
namespace {

// Selections are written so that a NaN stays one.
struct Clip {
  static float of(float x, float low, float high) {
    const float least = x < low ? low : x;
    return least > high ? high : least;
  }
};
struct Prelu {
  static float of(float x, float slope, float) { return x > 0 ? x : slope * x; }
};
struct AddTo {
  static float of(float x, float a, float) { return x + a; }
};
struct SubFrom {
  static float of(float x, float a, float) { return x - a; }
};
struct Times {
  static float of(float x, float a, float) { return x * a; }
};
struct Over {
  static float of(float x, float a, float) { return x / a; }
};

// e^x for -87 <= x <= 0, to about 1e-7 of itself. Source: Moshier, Cephes, expf.
inline float exp_below(float x) {
  x = x < -87.0f ? -87.0f : x;
  const float k = (x * 1.44269504f + 12582912.0f) - 12582912.0f;  // rounded: adding 1.5 * 2^23 leaves no fraction
  const float r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float y = p * (r * r) + r + 1.0f;
  const int32_t bits = (int32_t(k) + 127) << 23;
  float power;
  __builtin_memcpy(&power, &bits, sizeof power);
  return y * power;
}

// x / 2 * (1 + erf(x / sqrt 2)), rounded like that, so that it is 0 where 1 + erf is: the next sign may be taken of it.
// erf to about 1e-7. Source: Abramowitz and Stegun, 7.1.26.
struct Gelu {
  static float of(float x, float, float) {
    const float z = (x < 0 ? -x : x) * 0.70710678f;
    const float t = 1.0f / (1.0f + 0.3275911f * z);
    const float p = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t;
    const float erf = 1.0f - p * exp_below(-z * z);
    return 0.5f * x * (1.0f + (x < 0 ? -erf : erf));
  }
};

template <class F>
void map(const float* x, size_t n, float a, float b, float* y) {
  for (size_t i = 0; i < n; ++i) y[i] = F::of(x[i], a, b);
}

template <class F>
void pair(const float* x, const float* z, size_t n, float* y) {
  for (size_t i = 0; i < n; ++i) y[i] = F::of(x[i], z[i], 0);
}

// Sixteen outputs in whatever registers there are; memory need not be aligned.
typedef float Lanes __attribute__((vector_size(64)));
typedef float LanesInMemory __attribute__((vector_size(64), aligned(4)));

#if defined(__AVX512F__)
constexpr size_t kPositions = 8;
#elif defined(__AVX__)
constexpr size_t kPositions = 4;
#else
constexpr size_t kPositions = 2;
#endif

template <size_t P>
void dense_tile(const Dense& of, size_t block, const float* x, size_t step, float* y) {
  const float* w = of.w + block * of.terms * kLanes;
  Lanes sums[P];
  for (size_t p = 0; p < P; ++p) sums[p] = *reinterpret_cast<const LanesInMemory*>(of.bias + block * kLanes);
  for (size_t k = 0; k < of.terms; ++k) {
    const Lanes weights = *reinterpret_cast<const LanesInMemory*>(w + k * kLanes);
    const float* from = x + (of.offsets ? of.offsets[k] : k);
    for (size_t p = 0; p < P; ++p) sums[p] += from[p * step] * weights;
  }
  const size_t first = block * kLanes, n = of.outputs - first < kLanes ? of.outputs - first : kLanes;
  for (size_t p = 0; p < P; ++p) {
    float* to = y + p * of.outputs + first;
    if (n == kLanes) {
      *reinterpret_cast<LanesInMemory*>(to) = sums[p];
    } else {
      for (size_t j = 0; j < n; ++j) to[j] = sums[p][j];
    }
  }
}

// One position: four sums side by side, or each addition would wait for the one before.
void dense_one(const Dense& of, size_t block, const float* x, float* y) {
  const float* w = of.w + block * of.terms * kLanes;
  Lanes sums[4] = {*reinterpret_cast<const LanesInMemory*>(of.bias + block * kLanes)};
  size_t k = 0;
  for (; k + 4 <= of.terms; k += 4) {
    for (size_t i = 0; i < 4; ++i) {
      sums[i] += x[of.offsets ? of.offsets[k + i] : k + i] * *reinterpret_cast<const LanesInMemory*>(w + (k + i) * kLanes);
    }
  }
  for (; k < of.terms; ++k) sums[0] += x[of.offsets ? of.offsets[k] : k] * *reinterpret_cast<const LanesInMemory*>(w + k * kLanes);
  const Lanes sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  const size_t first = block * kLanes;
  for (size_t j = 0; j < kLanes && first + j < of.outputs; ++j) y[first + j] = sum[j];
}

[[maybe_unused]] void dense(const Dense& of, const float* x, size_t n, size_t step, float* y) {
  for (size_t block = 0; block * kLanes < of.outputs; ++block) {
    size_t p = 0;
    for (; p + kPositions <= n; p += kPositions) dense_tile<kPositions>(of, block, x + p * step, step, y + p * of.outputs);
    for (; p + 2 <= n; p += 2) dense_tile<2>(of, block, x + p * step, step, y + p * of.outputs);
    if (p < n) dense_one(of, block, x + p * step, y + p * of.outputs);
  }
}

[[maybe_unused]] void means(const float* x, size_t rows, size_t n, float* y) {
  for (size_t j = 0; j < n; ++j) y[j] = 0;
  for (size_t r = 0; r < rows; ++r) {
    for (size_t j = 0; j < n; ++j) y[j] += x[r * n + j];
  }
  for (size_t j = 0; j < n; ++j) y[j] /= float(rows);
}

inline float sum_of(const Lanes& lanes) {
  float sum = 0;
  for (size_t j = 0; j < kLanes; ++j) sum += lanes[j];
  return sum;
}

[[maybe_unused]] void norm(const float* x, size_t n, const float* w, const float* b, float eps, float* y) {
  Lanes sums = {};
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) sums += *reinterpret_cast<const LanesInMemory*>(x + i);
  float sum = sum_of(sums);
  for (; i < n; ++i) sum += x[i];
  const float mean = sum / float(n);
  Lanes squares = {};
  for (i = 0; i + kLanes <= n; i += kLanes) {
    const Lanes away = *reinterpret_cast<const LanesInMemory*>(x + i) - mean;
    squares += away * away;
  }
  float square = sum_of(squares);
  for (; i < n; ++i) square += (x[i] - mean) * (x[i] - mean);
  const float scale = 1.0f / __builtin_sqrtf(square / float(n) + eps);
  for (i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale * w[i] + b[i];
}

[[maybe_unused]] float energy(const float* x, const float* w, size_t n) {
  Lanes sums[2] = {};
  size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    for (size_t j = 0; j < 2; ++j) {
      const Lanes value = *reinterpret_cast<const LanesInMemory*>(x + i + j * kLanes);
      sums[j] += value * value * *reinterpret_cast<const LanesInMemory*>(w + i + j * kLanes);
    }
  }
  float sum = sum_of(sums[0] + sums[1]);
  for (; i < n; ++i) sum += x[i] * x[i] * w[i];
  return sum;
}

struct Differing {
  static uint32_t of(uint32_t x, uint32_t w) { return x ^ w; }
};
struct Common {
  static uint32_t of(uint32_t x, uint32_t w) { return x & w; }
};

template <class F>
void bits(const uint32_t* x, size_t words, const uint32_t* w, size_t n, int32_t* y) {
  for (size_t j = 0; j < n; ++j) y[j] = 0;
  for (size_t i = 0; i < words; ++i) {
    const uint32_t word = x[i];
    for (size_t j = 0; j < n; ++j) y[j] += __builtin_popcount(F::of(word, w[i * n + j]));
  }
}

constexpr Map kMaps[] = {{"clip", map<Clip>},  {"prelu", map<Prelu>}, {"add", map<AddTo>}, {"sub", map<SubFrom>},
                         {"mul", map<Times>}, {"div", map<Over>},    {"gelu", map<Gelu>},  {nullptr, nullptr}};
constexpr Pair kPairs[] = {{"prelu", pair<Prelu>}, {"add", pair<AddTo>}, {"sub", pair<SubFrom>},
                           {"mul", pair<Times>},  {"div", pair<Over>},  {nullptr, nullptr}};
[[maybe_unused]] constexpr Floats kFloats = {kMaps, kPairs, dense, means, norm, pair<Times>, energy, bits<Differing>, bits<Common>};

}  // namespace
}  // namespace bitproof
