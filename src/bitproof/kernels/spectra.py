"""What stands before and after the Fourier transform of a sound's front end: frames of a wave, and bands of a power spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitproof.core import ShapeError
from bitproof.kernels.sets import REFERENCE, chosen, native

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class BandFilters:
    """Filters that each take few neighbouring bins; from ``band_filters``.

    Args: filters: float32 [bins, bands]. weights: what each band takes of its bins, one after the other, twice each, since real and
    imaginary parts lie side by side. first, size: where a band begins in a row of parts, and how many it takes, uint32 [bands].
    """

    filters: Floats
    weights: Floats
    first: NDArray[np.uint32]
    size: NDArray[np.uint32]


def band_filters(filters: NDArray[Any]) -> BandFilters:
    """Prepare filters [bins, bands]. Raises ShapeError for another shape."""
    if filters.ndim != 2:
        raise ShapeError(f"Filters are [bins, bands]; these have shape {filters.shape}.")
    columns = [(column, np.flatnonzero(column)) for column in np.asarray(filters, dtype=np.float32).T]
    ends = [(int(seen[0]), int(seen[-1]) + 1) if seen.size else (0, 0) for _, seen in columns]
    weights = [column[start:stop].repeat(2) for (column, _), (start, stop) in zip(columns, ends, strict=True)]
    return BandFilters(
        np.ascontiguousarray(filters, dtype=np.float32),
        np.concatenate(weights),
        np.array([2 * start for start, _ in ends], dtype=np.uint32),
        np.array([2 * (stop - start) for start, stop in ends], dtype=np.uint32),
    )


def frames(x: Floats, window: Floats, hop: int, *, edge: int = 0, kernels: str | None = None) -> Floats:
    """Cut waves into frames and multiply each by the window; at both ends ``edge`` mirrored samples stand before the first.

    y[n, f, i] = x[n, f·hop − edge + i] · window[i]; float32 ``[n, samples]`` → ``[n, frames, len(window)]``.

    Args: hop, edge: in samples. kernels: the instruction set; the fastest if not given.
    Raises: ShapeError for waves that are not float32 [n, samples] or are too short for a frame or for the edge.
    """
    samples = x.shape[-1] + 2 * edge
    if x.ndim != 2 or x.dtype != np.float32 or hop < 1 or samples < len(window) or not 0 <= edge < x.shape[1]:
        raise ShapeError(
            f"Waves are float32 [n, at least {len(window)} samples]; found {x.dtype} {x.shape}, hop={hop}, edge={edge}."
        )
    if (name := chosen(kernels)) == REFERENCE:
        whole = np.pad(x, ((0, 0), (edge, edge)), mode="reflect")
        cut: Floats = np.lib.stride_tricks.sliding_window_view(whole, len(window), axis=1)[:, ::hop] * window
        return cut
    y = np.empty((len(x), 1 + (samples - len(window)) // hop, len(window)), dtype=np.float32)
    native().frames(name, np.ascontiguousarray(x), np.ascontiguousarray(window, dtype=np.float32), hop, edge, y)
    return y


def bands(spectra: NDArray[np.complex64], filters: BandFilters, *, kernels: str | None = None) -> Floats:
    """Return the power in each band: complex64 ``[n, frames, bins]`` → float32 ``[n, bands, frames]``.

    y[n, b, f] = Σ_k filters[k, b] · |spectra[n, f, k]|². Raises ShapeError where bins and filters differ.
    """
    if spectra.ndim != 3 or spectra.dtype != np.complex64 or spectra.shape[2] != len(filters.filters):
        raise ShapeError(f"Spectra are complex64 [n, frames, {len(filters.filters)}]; found {spectra.dtype} {spectra.shape}.")
    if (name := chosen(kernels)) == REFERENCE:
        power = spectra.real**2 + spectra.imag**2
        whole: Floats = np.ascontiguousarray((power @ filters.filters).swapaxes(1, 2))
        return whole
    y = np.empty((len(spectra), len(filters.first), spectra.shape[1]), dtype=np.float32)
    parts = np.ascontiguousarray(spectra).view(np.float32)
    native().bands(name, parts, filters.weights, filters.first, filters.size, y)
    return y
