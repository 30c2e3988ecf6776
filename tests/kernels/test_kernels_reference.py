"""The reference against torch, and what packing promises."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels_cases import Layer, by_torch, packed, sign

from bitproof import kernels

LAYERS = [
    Layer(),
    Layer(pad=0),
    Layer(pad=-1, stride=(2, 1)),
    Layer(c=70, o=33, kernel=(2, 3), dilation=(2, 1), padding=(0, 2), pad=0),
    Layer(c=3, o=5, groups=4, pad=0, padding=(2, 2)),
    Layer(c=1, o=1, groups=70, pad=0),
    Layer(c=1, o=2, groups=6),
    Layer(kernel=(1, 1), padding=(0, 0)),
]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_the_reference_is_torchs_convolution_of_the_signs(layer):
    np.testing.assert_array_equal(packed(layer, kernels="reference"), by_torch(layer))


@given(st.integers(1, 200), st.integers(0, 2**32))
@settings(deadline=None, max_examples=50)
def test_unpack_undoes_pack(k, seed):
    x = np.random.default_rng(seed).standard_normal((3, k))
    words = kernels.pack(x)
    assert words.shape == (3, -(-k // 64))
    np.testing.assert_array_equal(kernels.unpack(words, k), sign(x))
    np.testing.assert_array_equal(kernels.pack(kernels.unpack(words, k)), words)


@pytest.mark.parametrize("name", kernels.available())
def test_zeros_and_nan_are_plus_one_and_a_float64_below_float32_is_minus_one(name):
    x = np.array([0.0, -0.0, np.nan, -1e-45, 1e-45, -np.inf, np.inf])
    expected = [1, 1, 1, -1, 1, -1, 1]
    np.testing.assert_array_equal(kernels.unpack(kernels.pack(x.astype(np.float32), kernels=name), 7), expected)
    assert kernels.unpack(kernels.pack(np.array([-1e-300]), kernels=name), 1) == -1


def test_bits_beyond_the_last_value_are_zero():
    assert kernels.pack(-np.ones((1, 3), np.float32)).tolist() == [[0b111]]
    assert kernels.pack(-np.ones((1, 65), np.float32)).tolist() == [[2**64 - 1, 1]]


@pytest.mark.parametrize(
    ("shape", "groups"), [((5, 3, 2, 3), 1), ((32, 70, 1, 1), 1), ((12, 5, 3, 3), 4), ((70, 1, 3, 3), 70), ((9, 100), 1)]
)
def test_a_packed_weight_gives_its_signs_back(shape, groups):
    w = np.random.default_rng(0).standard_normal(shape)
    weight = kernels.pack_weight(w, groups)
    np.testing.assert_array_equal(weight.unpack().reshape(shape), sign(w))


def test_a_packed_weight_is_a_32nd_of_its_floats():
    w = np.ones((64, 64, 3, 3), np.float32)
    assert kernels.pack_weight(w).size_bytes * 32 == w.nbytes


def test_gemm_takes_any_leading_axes():
    random = np.random.default_rng(0)
    x, w = random.standard_normal((2, 3, 70)), random.standard_normal((9, 70))
    y = kernels.gemm(kernels.pack(x), kernels.pack_weight(w))
    np.testing.assert_array_equal(y, sign(x) @ sign(w).T)
    np.testing.assert_array_equal(kernels.gemm(kernels.pack(x[0, 0]), kernels.pack_weight(w)), y[0, 0])
    assert kernels.gemm(kernels.pack(x[:0]), kernels.pack_weight(w)).shape == (0, 3, 9)


def test_channels_last_tensors_are_packed_without_a_copy_of_another_order():
    x = torch.randn(2, 70, 5, 6, generator=torch.Generator().manual_seed(0))
    last = x.to(memory_format=torch.channels_last)
    np.testing.assert_array_equal(kernels.pack(last.numpy(), axis=1), kernels.pack(x.numpy(), axis=1))
