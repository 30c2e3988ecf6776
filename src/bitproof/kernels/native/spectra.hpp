// What stands before and after the Fourier transform of a sound's front end; the transform itself is the caller's library's.
#pragma once

#include "kernels.hpp"

namespace bitproof {

// Frames of a wave: y[f][i] = x[f * hop - edge + i] * window[i]; the wave is mirrored at its ends, `edge` samples and fewer than it has.
struct Framing {
  const float* window;
  size_t length, hop, edge, frames;
};

void frames(const Kernels& kernels, const Framing& of, const float* x, size_t clips, size_t samples, float* y);

// Filters over neighbouring bins, as they lie in a row of a spectrum: weights of band b for values first[b] to first[b] + size[b].
struct Bands {
  const float* weights;
  const uint32_t* first;
  const uint32_t* size;
  size_t bands;
};

// y[clip][b][f] = sum over i of weight[b][i] * x[clip][f][first[b] + i]^2; a row of x has `values` floats.
void bands(const Kernels& kernels, const Bands& of, const float* x, size_t clips, size_t frames, size_t values, float* y);

}  // namespace bitproof
