#include "plan.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "pool.hpp"

namespace bitproof {
namespace {

constexpr size_t kShare = 32768;  // values below which a second thread costs more than it helps

// Runs work(begin, end) over [0, n), in shares of whole `unit`s.
template <class Work>
void shared(size_t n, size_t unit, size_t threads, const Work& work) {
  const size_t tasks = std::max<size_t>(1, std::min(threads, n * unit / kShare));
  if (tasks == 1) return work(size_t(0), n);
  parallel(tasks, threads, [&](size_t, size_t task) { work(n * task / tasks, n * (task + 1) / tasks); });
}

template <class Entry>
auto find(const Entry* entries, const std::string& name) {
  for (; entries->name != nullptr; ++entries) {
    if (name == entries->name) return entries->run;
  }
  throw std::invalid_argument("no float step " + name);
}

void copy_axis(const Moves& moves, size_t axis, const float* x, float* y) {
  const size_t n = moves.sizes[axis], from = moves.from[axis], to = moves.to[axis];
  if (axis + 1 < moves.sizes.size()) {
    for (size_t i = 0; i < n; ++i) copy_axis(moves, axis + 1, x + i * from, y + i * to);
  } else if (from == 1 && to == 1) {
    std::memcpy(y, x, n * sizeof(float));
  } else {
    for (size_t i = 0; i < n; ++i) y[i * to] = x[i * from];
  }
}

}  // namespace

size_t Plan::slot(void* memory) {
  slots_.push_back(memory);
  return slots_.size() - 1;
}

void Plan::pack(Place x, const float* threshold, size_t outer, size_t k, size_t inner, Place y) {
  code_.push_back([=](const Plan& plan, size_t threads) {
    bitproof::pack(plan.kernels_, plan.at<const float>(x), threshold, outer, k, inner, plan.at<uint32_t>(y), threads);
  });
}

void Plan::conv(Place x, const Geometry& geometry, const Weights& weights, const Result& result, Place y) {
  const size_t positions = geometry.images * geometry.out_h() * geometry.out_w();
  const size_t words = positions * Geometry::words64(geometry.out) * 2;
  code_.push_back([=](const Plan& plan, size_t threads) {
    Result to = result;
    if (to.at != nullptr) {
      to.bits = plan.at<uint32_t>(y);
      std::memset(to.bits, 0, words * sizeof(uint32_t));
    } else {
      to.real = plan.at<float>(y);
    }
    bitproof::conv(plan.kernels_, geometry, plan.at<const uint32_t>(x), weights, to, threads);
  });
}

void Plan::copy(Place x, const Moves& moves, Place y) {
  code_.push_back([=](const Plan& plan, size_t) { copy_axis(moves, 0, plan.at<const float>(x), plan.at<float>(y)); });
}

void Plan::map(const std::string& name, Place x, size_t n, float a, float b, Place y) {
  const auto run = find(kernels_.floats->maps, name);
  code_.push_back([=](const Plan& plan, size_t threads) {
    const float* from = plan.at<const float>(x);
    float* to = plan.at<float>(y);
    shared(n, 1, threads, [&](size_t i, size_t end) { run(from + i, end - i, a, b, to + i); });
  });
}

void Plan::pair(const std::string& name, Place x, Place z, size_t rows, size_t n, bool repeats, Place y) {
  const auto run = find(kernels_.floats->pairs, name);
  if (!repeats) n *= rows, rows = 1;
  code_.push_back([=](const Plan& plan, size_t threads) {
    const float *from = plan.at<const float>(x), *other = plan.at<const float>(z);
    float* to = plan.at<float>(y);
    if (!repeats) return shared(n, 1, threads, [&](size_t i, size_t end) { run(from + i, other + i, end - i, to + i); });
    shared(rows, n, threads, [&](size_t row, size_t end) {
      for (; row < end; ++row) run(from + row * n, other, n, to + row * n);
    });
  });
}

void Plan::dense(Place x, const Dense& of, const std::vector<size_t>& sizes, const std::vector<size_t>& steps, Place y) {
  const auto run = kernels_.floats->dense;
  const size_t images = sizes.at(0), rows = sizes.at(1), n = sizes.at(2), image = steps.at(0), row = steps.at(1), step = steps.at(2);
  code_.push_back([=](const Plan& plan, size_t threads) {
    const float* from = plan.at<const float>(x);
    float* to = plan.at<float>(y);
    shared(images * rows, n * of.outputs, threads, [&](size_t i, size_t end) {
      for (; i < end; ++i) run(of, from + i / rows * image + i % rows * row, n, step, to + i * n * of.outputs);
    });
  });
}

void Plan::means(Place x, size_t images, size_t rows, size_t n, Place y) {
  const auto run = kernels_.floats->means;
  code_.push_back([=](const Plan& plan, size_t threads) {
    shared(images, rows * n, threads, [&](size_t i, size_t end) {
      for (; i < end; ++i) run(plan.at<const float>(x) + i * rows * n, rows, n, plan.at<float>(y) + i * n);
    });
  });
}

void Plan::norm(Place x, size_t rows, size_t n, const float* w, const float* b, float eps, Place y) {
  const auto run = kernels_.floats->norm;
  code_.push_back([=](const Plan& plan, size_t threads) {
    const float* from = plan.at<const float>(x);
    float* to = plan.at<float>(y);
    shared(rows, n, threads, [&](size_t row, size_t end) {
      for (; row < end; ++row) run(from + row * n, n, w, b, eps, to + row * n);
    });
  });
}

void Plan::attend(const Attention& of, Place q, Place k, Place v, const Place* keep, Place y) {
  const bool masked = keep != nullptr;
  const Place mask = masked ? *keep : y;
  code_.push_back([=](const Plan& plan, size_t threads) {
    bitproof::attend(plan.kernels_, of, plan.at<const float>(q), plan.at<const float>(k), plan.at<const float>(v),
                     masked ? plan.at<const uint8_t>(mask) : nullptr, plan.at<float>(y), threads);
  });
}

void Plan::fill(Place y, size_t n, float value) {
  code_.push_back([=](const Plan& plan, size_t) { std::fill_n(plan.at<float>(y), n, value); });
}

void Plan::run(size_t begin, size_t end, size_t threads) const {
  for (size_t i = begin; i < end; ++i) code_[i](*this, threads);
}

}  // namespace bitproof
