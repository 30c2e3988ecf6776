"""Thresholds agree with the floats they stand for, and layers exchange bits only."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels_cases import Layer, sign

from bitproof import kernels
from bitproof.core import ShapeError

finite = st.floats(-100, 100, width=32)


@given(st.integers(1, 300), st.lists(st.tuples(finite, finite), min_size=1, max_size=70))
@settings(deadline=None, max_examples=100)
def test_a_cut_is_the_sign_of_scale_and_bias_at_every_sum(terms, pairs):
    scale, bias = np.array(pairs, np.float32).T
    found = kernels.cut(scale, bias, len(pairs), terms)
    y = np.arange(-terms, terms + 1, dtype=np.int32)[:, None]
    negative = (y < found.at) ^ (kernels.unpack(found.flip, len(pairs)) < 0)
    np.testing.assert_array_equal(negative, y.astype(np.float32) * scale + bias < 0)


def test_a_cut_agrees_with_torchs_batch_norm_at_every_sum():
    torch.manual_seed(0)
    norm, terms = torch.nn.BatchNorm1d(40).eval(), 147
    with torch.no_grad():
        for part in (norm.weight, norm.bias, norm.running_mean):
            part.normal_(0, 3)
        norm.running_var.uniform_(0.1, 9)
        found = kernels.cut_where(lambda y: (norm(0.37 * torch.from_numpy(y).float()[None])[0] < 0).numpy(), 40, terms)
        y = torch.arange(-terms, terms + 1)[:, None].expand(-1, 40)
        expected = (norm(0.37 * y.float()) < 0).numpy()
    np.testing.assert_array_equal((y.numpy() < found.at) ^ (kernels.unpack(found.flip, 40) < 0), expected)


def test_a_folded_norm_is_torchs_within_rounding():
    torch.manual_seed(0)
    norm = torch.nn.BatchNorm1d(9).double().eval()
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
        norm.running_mean.normal_()
        y = torch.arange(-20.0, 21.0, dtype=torch.float64)[:, None].expand(-1, 9)
        expected = norm(y * 0.3 + 0.1).numpy()
    parts = (p.detach().numpy() for p in (norm.weight, norm.bias, norm.running_mean, norm.running_var))
    then = kernels.fold_norm(0.3, 0.1, *parts, norm.eps)
    np.testing.assert_allclose(y.numpy() * then.scale + then.bias, expected, atol=1e-5)


def conv_by_torch(a: np.ndarray, w: np.ndarray) -> np.ndarray:
    return torch.nn.functional.conv2d(*(torch.from_numpy(sign(p)).float() for p in (a, w)), padding=1).numpy()


@pytest.mark.parametrize("name", kernels.available())
@pytest.mark.parametrize("o", [32, 70])
def test_two_layers_that_exchange_bits_equal_the_same_in_floats(name, o):
    first, (scale, bias) = Layer(c=20, o=o, pad=0), Layer(o=o).affine()
    x, w1 = first.arrays()
    w2 = np.random.default_rng(5).standard_normal((11, o, 3, 3)).astype(np.float32)
    hidden = conv_by_torch(x, w1) * scale[:, None, None] + bias[:, None, None]
    then = kernels.cut(scale, bias, o, 20 * 9)
    words = kernels.conv2d(kernels.pack(x, axis=1), kernels.pack_weight(w1), then, padding=1, pad=0, kernels=name)
    found = kernels.conv2d(words, kernels.pack_weight(w2), padding=1, pad=0, kernels=name)
    np.testing.assert_array_equal(found.transpose(0, 3, 1, 2), conv_by_torch(hidden, w2))


def test_a_scale_of_another_size_and_a_rule_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match="needs 1 value or 4"):
        kernels.cut(np.ones(3), 0, 4, 9)
    with pytest.raises(ShapeError, match="must answer for 4 outputs"):
        kernels.cut_where(lambda y: y[:2] < 0, 4, 9)
