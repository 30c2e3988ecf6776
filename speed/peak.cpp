// Prints the most 1-bit products, in 10^9 a second, that one thread makes of xor, population count and add on registers alone.
#include <chrono>
#include <cstdint>
#include <cstdio>

#if defined(__AVX512VPOPCNTDQ__)
#include <immintrin.h>
using Vector = __m512i;
static Vector step(Vector sum, Vector a, Vector b) { return _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_xor_si512(a, b))); }
#define UNKNOWN(value) asm volatile("" : "+v"(value))
#else
using Vector = uint64_t;
static Vector step(Vector sum, Vector a, Vector b) { return sum + Vector(__builtin_popcountll(a ^ b)); }
#define UNKNOWN(value) asm volatile("" : "+r"(value))
#endif

int main() {
  constexpr int kChains = 12, kRounds = 1 << 16;
  Vector sums[kChains] = {}, a = {}, b = {};
  double best = 0;
  for (int trial = 0; trial < 100; ++trial) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kRounds; ++i) {
      for (Vector& sum : sums) {
        UNKNOWN(a);  // to the compiler, at each step
        sum = step(sum, a, b);
      }
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    const double rate = double(kChains) * kRounds * sizeof(Vector) * 8 / taken.count() / 1e9;
    best = rate > best ? rate : best;
  }
  for (Vector& sum : sums) UNKNOWN(sum);
  std::printf("%.1f\n", best);
}
