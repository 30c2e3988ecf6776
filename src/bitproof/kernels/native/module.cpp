// The door from Python. `ops.py` checks every argument before it comes here.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "conv.hpp"

namespace nb = nanobind;
using namespace bitproof;

namespace {

template <class T>
using Array = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
template <class T>
using Maybe = std::optional<Array<T>>;

const Kernels& find(const std::string& name) {
  for (const Kernels* const* set = available(); *set != nullptr; ++set) {
    if (name == (*set)->name) return **set;
  }
  throw std::invalid_argument("no instruction set " + name);
}

std::vector<std::string> sets() {
  std::vector<std::string> names;
  for (const Kernels* const* set = available(); *set != nullptr; ++set) names.emplace_back((*set)->name);
  return names;
}

template <class T>
T* pointer(const Maybe<T>& array) {
  return array ? array->data() : nullptr;
}

// The public words are 64 bits wide; read as 32-bit words, low half first, they are what the kernels take.
const uint32_t* words(const Array<const uint64_t>& array) { return reinterpret_cast<const uint32_t*>(array.data()); }

void pack_array(const std::string& set, const Array<const float>& x, const Maybe<const float>& threshold, const Array<uint64_t>& out,
                size_t threads) {
  const Kernels& kernels = find(set);
  nb::gil_scoped_release released;
  pack(kernels, x.data(), pointer(threshold), x.shape(0), x.shape(1), x.shape(2), reinterpret_cast<uint32_t*>(out.data()), threads);
}

void conv_array(const std::string& set, const Array<const uint64_t>& x, const Array<const uint32_t>& blocks,
                const Array<const int32_t>& sums, const std::array<size_t, 14>& numbers, int pad, size_t threads,
                const Maybe<int32_t>& y, const Maybe<float>& real, const Maybe<const float>& scale, const Maybe<const float>& bias,
                const Maybe<uint64_t>& bits, const Maybe<const int32_t>& at, const Maybe<const uint64_t>& flip) {
  const Kernels& kernels = find(set);
  const auto& n = numbers;
  const Geometry geometry = {n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11], n[12], n[13], Pad(pad)};
  const Weights weights = {blocks.data(), sums.data()};
  Result result;
  result.y = pointer(y);
  result.real = pointer(real);
  result.scale = pointer(scale);
  result.bias = pointer(bias);
  result.bits = reinterpret_cast<uint32_t*>(pointer(bits));
  result.at = pointer(at);
  result.flip = reinterpret_cast<const uint32_t*>(pointer(flip));
  nb::gil_scoped_release released;
  conv(kernels, geometry, words(x), weights, result, threads);
}

}  // namespace

NB_MODULE(_native, module) {
  module.def("sets", &sets);
  module.def("pack", &pack_array, nb::arg("set"), nb::arg("x"), nb::arg("threshold").none(), nb::arg("out"), nb::arg("threads"));
  module.def("conv", &conv_array, nb::arg("set"), nb::arg("x"), nb::arg("blocks"), nb::arg("sums"), nb::arg("numbers"),
             nb::arg("pad"), nb::arg("threads"), nb::arg("y") = nb::none(), nb::arg("real") = nb::none(),
             nb::arg("scale") = nb::none(), nb::arg("bias") = nb::none(), nb::arg("bits") = nb::none(), nb::arg("at") = nb::none(),
             nb::arg("flip") = nb::none());
}
