"""Frames and bands on every instruction set, against torch and NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bitproof import kernels
from bitproof.core import ShapeError


@pytest.mark.parametrize("name", kernels.available())
@given(
    clips=st.integers(1, 3),
    samples=st.integers(2, 300),
    window=st.integers(1, 70),
    hop=st.integers(1, 40),
    edge=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_frames_are_torchs_of_the_mirrored_wave(name, clips, samples, window, hop, edge, seed):
    edge = int(edge * (samples - 1))
    random = np.random.default_rng(seed)
    x = random.standard_normal((clips, samples), dtype=np.float32)
    weights = random.standard_normal(min(window, samples + 2 * edge), dtype=np.float32)
    whole = torch.nn.functional.pad(torch.from_numpy(x)[:, None], (edge, edge), mode="reflect")[:, 0]
    expected = whole.unfold(1, len(weights), hop).numpy() * weights
    np.testing.assert_array_equal(kernels.frames(x, weights, hop, edge=edge, kernels=name), expected)


@pytest.mark.parametrize("name", kernels.available())
@given(
    clips=st.integers(1, 2), frames=st.integers(1, 5), bins=st.integers(1, 90), bands=st.integers(1, 9), seed=st.integers(0, 2**32)
)
@settings(max_examples=60, deadline=None)
def test_bands_are_sums_of_power(name, clips, frames, bins, bands, seed):
    random = np.random.default_rng(seed)
    spectra = (random.standard_normal((clips, frames, bins, 2), dtype=np.float32).view(np.complex64))[..., 0]
    filters = random.random((bins, bands), dtype=np.float32)
    low, high = np.sort(random.integers(0, bins + 1, (2, bands)), axis=0)  # a band may be empty, as narrow mel filters are
    filters[(np.arange(bins)[:, None] < low) | (np.arange(bins)[:, None] >= high)] = 0
    expected = np.einsum("nfk,kb->nbf", np.abs(spectra.astype(np.complex128)) ** 2, filters.astype(np.float64))
    found = kernels.bands(spectra, kernels.band_filters(filters), kernels=name)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-30)


def test_what_does_not_fit_is_refused():
    window = np.ones(8, np.float32)
    for x, hop, edge in ((np.ones((1, 7), np.float32), 1, 0), (np.ones((1, 9)), 1, 0), (np.ones((1, 9), np.float32), 0, 0),
                         (np.ones((1, 9), np.float32), 1, 9), (np.ones(9, np.float32), 1, 0)):  # fmt: skip
        with pytest.raises(ShapeError, match="at least 8 samples"):
            kernels.frames(x, window, hop, edge=edge)
    with pytest.raises(ShapeError, match="bins, bands"):
        kernels.band_filters(window)
    filters = kernels.band_filters(np.ones((5, 2)))
    for spectra in (np.ones((1, 2, 4), np.complex64), np.ones((2, 5), np.complex64), np.ones((1, 2, 5), np.complex128)):
        with pytest.raises(ShapeError, match=r"\[n, frames, 5\]"):
            kernels.bands(spectra, filters)
