// What the parts of the self-test share.
#pragma once

#include <random>
#include <vector>

#include "kernels.hpp"

using Signs = std::vector<int>;  // +-1

struct Random {
  std::mt19937 engine;
  size_t upto(size_t low, size_t high) { return low + engine() % (high - low + 1); }
  int sign() { return engine() % 2 ? 1 : -1; }
  Signs signs(size_t n) {
    Signs all(n);
    for (int& one : all) one = sign();
    return all;
  }
};

// The name of the first step between products that one set does not do as loops written out do it, within rounding; null: none.
const char* differing(const bitproof::Kernels& kernels, unsigned seed);
