#include "spectra.hpp"

#include "floats.hpp"

namespace bitproof {
namespace {

size_t mirrored(ptrdiff_t at, size_t samples) {
  const size_t away = size_t(at < 0 ? -at : at);
  return away < samples ? away : 2 * (samples - 1) - away;
}

}  // namespace

void frames(const Kernels& kernels, const Framing& of, const float* x, size_t clips, size_t samples, float* y) {
  for (size_t clip = 0; clip < clips; ++clip, x += samples) {
    for (size_t f = 0; f < of.frames; ++f, y += of.length) {
      const ptrdiff_t start = ptrdiff_t(f * of.hop) - ptrdiff_t(of.edge);
      if (start >= 0 && size_t(start) + of.length <= samples) {
        kernels.floats->product(x + start, of.window, of.length, y);
        continue;
      }
      for (size_t i = 0; i < of.length; ++i) y[i] = x[mirrored(start + ptrdiff_t(i), samples)] * of.window[i];
    }
  }
}

void bands(const Kernels& kernels, const Bands& of, const float* x, size_t clips, size_t frames, size_t values, float* y) {
  for (size_t clip = 0; clip < clips; ++clip, y += of.bands * frames) {
    for (size_t f = 0; f < frames; ++f, x += values) {
      const float* weights = of.weights;
      for (size_t b = 0; b < of.bands; weights += of.size[b], ++b) {
        y[b * frames + f] = kernels.floats->energy(x + of.first[b], weights, of.size[b]);
      }
    }
  }
}

}  // namespace bitproof
