// The door from Python. `ops.py` checks every argument before it comes here.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "conv.hpp"
#include "plan.hpp"
#include "spectra.hpp"

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

Geometry geometry_of(const std::array<size_t, 14>& n, int pad) {
  return {n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11], n[12], n[13], Pad(pad)};
}

void conv_array(const std::string& set, const Array<const uint64_t>& x, const Array<const uint32_t>& blocks,
                const Array<const int32_t>& sums, const std::array<size_t, 14>& numbers, int pad, size_t threads,
                const Maybe<int32_t>& y, const Maybe<float>& real, const Maybe<const float>& scale, const Maybe<const float>& bias,
                const Maybe<uint64_t>& bits, const Maybe<const int32_t>& at, const Maybe<const uint64_t>& flip) {
  const Kernels& kernels = find(set);
  const Geometry geometry = geometry_of(numbers, pad);
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

void frames_array(const std::string& set, const Array<const float>& x, const Array<const float>& window, size_t hop, size_t edge,
                  const Array<float>& y) {
  const Kernels& kernels = find(set);
  nb::gil_scoped_release released;
  frames(kernels, {window.data(), window.size(), hop, edge, y.shape(1)}, x.data(), x.shape(0), x.shape(1), y.data());
}

void bands_array(const std::string& set, const Array<const float>& x, const Array<const float>& weights,
                 const Array<const uint32_t>& first, const Array<const uint32_t>& size, const Array<float>& y) {
  const Kernels& kernels = find(set);
  nb::gil_scoped_release released;
  bands(kernels, {weights.data(), first.data(), size.data(), first.size()}, x.data(), x.shape(0), x.shape(1), x.shape(2), y.data());
}

// A plan reads its constants where Python keeps them: `plan.py` holds on to them, and to the memory of slots.
using At = std::pair<size_t, size_t>;

Place place(const At& at) { return {at.first, at.second}; }

void* memory(size_t address) { return reinterpret_cast<void*>(address); }  // NOLINT(performance-no-int-to-ptr)

void plan_conv(Plan& plan, const At& x, const Array<const uint32_t>& blocks, const Array<const int32_t>& sums,
               const std::array<size_t, 14>& numbers, int pad, const Maybe<const float>& scale, const Maybe<const float>& bias,
               const Maybe<const int32_t>& at, const Maybe<const uint64_t>& flip, const At& y) {
  Result result;
  result.scale = pointer(scale);
  result.bias = pointer(bias);
  result.at = pointer(at);
  result.flip = reinterpret_cast<const uint32_t*>(pointer(flip));
  plan.conv(place(x), geometry_of(numbers, pad), {blocks.data(), sums.data()}, result, place(y));
}

void plan_dense(Plan& plan, const At& x, const Array<const float>& w, const Array<const float>& bias,
                const Maybe<const uint32_t>& offsets, size_t outputs, const std::vector<size_t>& sizes,
                const std::vector<size_t>& steps, const At& y) {
  plan.dense(place(x), {w.data(), bias.data(), pointer(offsets), w.shape(1), outputs}, sizes, steps, place(y));
}

void plan_attend(Plan& plan, const At& q, const At& k, const At& v, const std::optional<At>& keep,
                 const std::array<size_t, 5>& sizes, const std::array<std::array<size_t, 3>, 3>& strides,
                 const std::array<size_t, 4>& kept, int least, float scale, const At& y) {
  const Attention of = {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], strides[0], strides[1], strides[2], kept, least, scale};
  const Place mask = keep ? place(*keep) : place(y);
  plan.attend(of, place(q), place(k), place(v), keep ? &mask : nullptr, place(y));
}

void define_plan(nb::module_& module) {
  nb::class_<Plan>(module, "Plan")
      .def("__init__", [](Plan* plan, const std::string& set) { new (plan) Plan(find(set)); }, nb::arg("set"))
      .def("__len__", &Plan::size)
      .def("slot", [](Plan& plan, size_t address) { return plan.slot(memory(address)); })
      .def("bind", [](Plan& plan, size_t slot, size_t address) { plan.bind(slot, memory(address)); })
      .def("run", &Plan::run, nb::call_guard<nb::gil_scoped_release>())
      .def("pack",
           [](Plan& plan, const At& x, const Maybe<const float>& threshold, size_t outer, size_t k, size_t inner, const At& y) {
             plan.pack(place(x), pointer(threshold), outer, k, inner, place(y));
           },
           nb::arg("x"), nb::arg("threshold").none(), nb::arg("outer"), nb::arg("k"), nb::arg("inner"), nb::arg("y"))
      .def("conv", &plan_conv, nb::arg("x"), nb::arg("blocks"), nb::arg("sums"), nb::arg("numbers"), nb::arg("pad"),
           nb::arg("scale").none(), nb::arg("bias").none(), nb::arg("at").none(), nb::arg("flip").none(), nb::arg("y"))
      .def("dense", &plan_dense, nb::arg("x"), nb::arg("w"), nb::arg("bias"), nb::arg("offsets").none(), nb::arg("outputs"),
           nb::arg("sizes"), nb::arg("steps"), nb::arg("y"))
      .def("copy", [](Plan& plan, const At& x, const std::vector<size_t>& sizes, const std::vector<size_t>& from,
                      const std::vector<size_t>& to, const At& y) { plan.copy(place(x), {sizes, from, to}, place(y)); })
      .def("map", [](Plan& plan, const std::string& name, const At& x, size_t n, float a, float b, const At& y) {
        plan.map(name, place(x), n, a, b, place(y));
      })
      .def("pair", [](Plan& plan, const std::string& name, const At& x, const At& z, size_t rows, size_t n, bool repeats,
                      const At& y) { plan.pair(name, place(x), place(z), rows, n, repeats, place(y)); })
      .def("means", [](Plan& plan, const At& x, size_t images, size_t rows, size_t n, const At& y) {
        plan.means(place(x), images, rows, n, place(y));
      })
      .def("norm",
           [](Plan& plan, const At& x, size_t rows, const Array<const float>& w, const Array<const float>& b, float eps, const At& y) {
             plan.norm(place(x), rows, w.size(), w.data(), b.data(), eps, place(y));
           })
      .def("attend", &plan_attend, nb::arg("q"), nb::arg("k"), nb::arg("v"), nb::arg("keep").none(), nb::arg("sizes"),
           nb::arg("strides"), nb::arg("kept"), nb::arg("least"), nb::arg("scale"), nb::arg("y"))
      .def("fill", [](Plan& plan, const At& y, size_t n, float value) { plan.fill(place(y), n, value); });
}

}  // namespace

NB_MODULE(_native, module) {
  module.def("sets", &sets);
  module.def("pack", &pack_array, nb::arg("set"), nb::arg("x"), nb::arg("threshold").none(), nb::arg("out"), nb::arg("threads"));
  module.def("conv", &conv_array, nb::arg("set"), nb::arg("x"), nb::arg("blocks"), nb::arg("sums"), nb::arg("numbers"),
             nb::arg("pad"), nb::arg("threads"), nb::arg("y") = nb::none(), nb::arg("real") = nb::none(),
             nb::arg("scale") = nb::none(), nb::arg("bias") = nb::none(), nb::arg("bits") = nb::none(), nb::arg("at") = nb::none(),
             nb::arg("flip") = nb::none());
  module.def("frames", &frames_array, nb::arg("set"), nb::arg("x"), nb::arg("window"), nb::arg("hop"), nb::arg("edge"), nb::arg("y"));
  module.def("bands", &bands_array, nb::arg("set"), nb::arg("x"), nb::arg("weights"), nb::arg("first"), nb::arg("size"), nb::arg("y"));
  define_plan(module);
}
