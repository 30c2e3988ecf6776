"""BiFSMN and BiFSMNv2 written again in NumPy, forward and gradient."""

import numpy as np
import pytest
import torch

from bitproof.core import SpecError
from bitproof.quantizers import QUANTIZERS


def make(name, bits=1, x=None, **words):
    quantizer = QUANTIZERS.load(name).at_width(bits)(bits=bits, **words).eval()
    quantizer.observe(torch.zeros(4, 3) if x is None else x)
    quantizer.freeze()
    return quantizer


def sign(u):
    return np.where(u < 0, -1.0, 1.0)


def draw(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape).astype(np.float32), rng.standard_normal(shape).astype(np.float32)


def test_a_convolutions_weight_is_centred_and_a_linear_layers_is_not():
    for shape, axis in (((4, 3, 1, 5), -4), ((4, 6), -2)):
        w, g = draw(*shape)
        w = 0.8 * w + 0.3
        rest = tuple(range(1, w.ndim))
        u = w - w.mean(rest, keepdims=True) if w.ndim > 2 else w
        a = np.abs(u).mean(rest, keepdims=True)
        passed = a * g * (np.abs(u) <= 1)
        dw = passed - passed.mean(rest, keepdims=True) if w.ndim > 2 else passed
        x = torch.from_numpy(w).requires_grad_()
        made = make("bifsmn", x=x.detach(), channels=4, axis=axis)(x)
        made.backward(torch.from_numpy(g))
        np.testing.assert_allclose(made.detach(), a * sign(u), rtol=1e-5)
        np.testing.assert_allclose(x.grad, dw, atol=1e-5)


def test_a_learned_slope_has_its_gradient_and_changes_no_code():
    x, g = draw(5, 3)
    alpha, theta = 0.6, np.array([0.2, -0.4, 0.0], np.float32)
    quantizer = make("bifsmnv2", x=torch.from_numpy(x), role="activation", channels=3, axis=-1)
    with torch.no_grad():
        quantizer.alpha.fill_(alpha)
        quantizer.theta.copy_(torch.from_numpy(theta))
    free = torch.from_numpy(x).requires_grad_()
    y = quantizer(free)
    y.backward(torch.from_numpy(g))
    v = x - theta
    inside = np.abs(alpha * v) <= 1
    np.testing.assert_array_equal(y.detach(), sign(v))
    np.testing.assert_allclose(free.grad, alpha * g * inside, rtol=1e-5)
    np.testing.assert_allclose(quantizer.alpha.grad, (g * v * inside).sum(), rtol=1e-4)
    np.testing.assert_allclose(quantizer.theta.grad, -(alpha * g * inside).sum(0), rtol=1e-4)


def test_two_signs_of_an_input():
    x, g = draw(5, 3)
    quantizer = make("bifsmnv2", 2, torch.from_numpy(x), role="activation", channels=3, axis=-1)
    with torch.no_grad():
        quantizer.theta.copy_(torch.tensor([0.2, -0.4, 0.0]))
        quantizer.theta_left.copy_(torch.tensor([0.1, 0.0, -0.2]))
    s = float(quantizer.scale)
    np.testing.assert_allclose(s, np.abs(x - sign(x)).mean(), rtol=1e-5)
    b = sign(x - np.array([0.2, -0.4, 0.0], np.float32))
    r = x - b - np.array([0.1, 0.0, -0.2], np.float32)
    free = torch.from_numpy(x).requires_grad_()
    y = quantizer(free)
    np.testing.assert_allclose(y.detach(), b + s * sign(r), rtol=1e-6)
    first, second = quantizer.codes(torch.from_numpy(x))
    np.testing.assert_array_equal(first, b)
    np.testing.assert_array_equal(second, sign(r))
    assert torch.equal(quantizer.dequantize((first, second)), y.detach())
    assert [plane.threshold is not None and plane.bits for plane in quantizer.info().planes] == [1, 1]
    y.backward(torch.from_numpy(g))
    assert all(p.grad is not None and bool(p.grad.any()) for p in quantizer.parameters())


def test_its_scale_follows_training_alone():
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    quantizer = make("bifsmnv2", 2, x, role="activation", channels=3, axis=-1)
    frozen = float(quantizer.scale)
    quantizer(9 * x)
    assert float(quantizer.scale) == frozen
    left = float(quantizer.left(9 * x, quantizer.codes(9 * x)[0]).detach().abs().mean())
    quantizer.train()(9 * x)
    assert float(quantizer.scale) == pytest.approx(frozen + 0.1 * (left - frozen), rel=1e-4)


def test_weights_have_one_sign():
    with pytest.raises(SpecError, match="w1a2"):
        QUANTIZERS.load("bifsmnv2").at_width(2)(bits=2, role="weight")
