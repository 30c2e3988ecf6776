// A list of instructions on memory that is known beforehand: a packed network, or a run of its steps, as one call.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "attention.hpp"
#include "conv.hpp"
#include "floats.hpp"

namespace bitproof {

// Where something lies: `offset` counts values of four bytes, floats or words.
struct Place {
  size_t slot, offset;
};

// Sizes of an array, and how far apart neighbours along each axis lie where it is read and where it is written.
struct Moves {
  std::vector<size_t> sizes, from, to;
};

class Plan {
 public:
  explicit Plan(const Kernels& kernels) : kernels_(kernels) {}

  // A slot names memory that somebody else keeps; it may be given other memory of the same size between two runs.
  size_t slot(void* memory);
  void bind(size_t slot, void* memory) { slots_.at(slot) = memory; }
  size_t size() const { return code_.size(); }

  // Each of these adds one instruction. Constants (weights, thresholds, offsets) must outlive the plan.
  void pack(Place x, const float* threshold, size_t outer, size_t k, size_t inner, Place y);
  void conv(Place x, const Geometry& geometry, const Weights& weights, const Result& result, Place y);  // which result is set says what y is
  void copy(Place x, const Moves& moves, Place y);
  void map(const std::string& name, Place x, size_t n, float a, float b, Place y);
  void pair(const std::string& name, Place x, Place z, size_t rows, size_t n, bool repeats, Place y);  // z: one row again and again
  void dense(Place x, const Dense& of, const std::vector<size_t>& sizes, const std::vector<size_t>& steps, Place y);
  void means(Place x, size_t images, size_t rows, size_t n, Place y);
  void norm(Place x, size_t rows, size_t n, const float* w, const float* b, float eps, Place y);
  void attend(const Attention& of, Place q, Place k, Place v, const Place* keep, Place y);  // `keep` may be null
  void fill(Place y, size_t n, float value);

  void run(size_t begin, size_t end, size_t threads) const;

 private:
  using Instruction = std::function<void(const Plan&, size_t threads)>;

  template <class T>
  T* at(Place place) const {
    return static_cast<T*>(slots_[place.slot]) + place.offset;
  }

  const Kernels& kernels_;
  std::vector<void*> slots_;
  std::vector<Instruction> code_;
};

}  // namespace bitproof
