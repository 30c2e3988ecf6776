// Which instruction sets this processor has.
#include "kernels.hpp"

namespace bitproof {
namespace {

struct List {
  const Kernels* found[5] = {};

  List() {
    const Kernels** next = found;
    auto add = [&next](const Kernels* kernels, bool runs) {
      if (kernels != nullptr && runs) *next++ = kernels;
    };
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    add(avx512(), __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vpopcntdq"));
    add(avx2(), __builtin_cpu_supports("avx2"));
#endif
    add(neon(), true);
    add(portable(), true);
  }
};

}  // namespace

const Kernels* const* available() {
  static const List list;
  return list.found;
}

}  // namespace bitproof
