"""Forward and gradient of the methods with a frozen range, in NumPy from their numbers; of AdaRound's learned rounding too."""

import numpy as np
import pytest
import torch

from bitproof.quantizers import QUANTIZERS

ROWS = {"channels": 6, "axis": -2}
PLAIN = ("minmax", "percentile", "mse", "adaround", "ptq4vit", "apq-vit", "repq-vit")
VIT = ("ptq4vit", "apq-vit", "repq-vit")


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32).astype(float)


def frozen(name, seen, operand=None, **words):
    method = QUANTIZERS.load(name)
    quantizer = (method if operand is None else method.at_operand(operand))(**words)
    quantizer.observe(torch.from_numpy(seen).float())
    quantizer.freeze()
    return quantizer


def both(quantizer, x, g):
    given = torch.from_numpy(x).float().requires_grad_()
    x_hat = quantizer(given)
    x_hat.backward(torch.from_numpy(g).float())
    return x_hat.detach().double().numpy(), given.grad.double().numpy()


def affine(info, x, g):
    """x_hat = (clip(round(x / s) + z, low, high) − z)·s; dx = g where the code is within half a step of the range."""
    s, z = info.scale.double().numpy(), info.zero_point.double().numpy()
    v = x / s + z
    x_hat = (np.clip(np.rint(x / s) + z, info.low, info.high) - z) * s
    return x_hat, g * ((v >= info.low - 0.5) & (v <= info.high + 0.5)), np.abs(np.abs(v % 1) - 0.5) > 1e-4


def agree(quantizer, x, g):
    """Compare, away from thresholds, where float32 decides; some of it has to be clipped, and some not."""
    expected, dx, clear = affine(quantizer.info(), x, g)
    x_hat, got = both(quantizer, x, g)
    np.testing.assert_allclose(x_hat[clear], expected[clear], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got[clear], dx[clear], rtol=1e-5, atol=1e-7)
    assert clear.mean() > 0.97 and 0 < np.count_nonzero(dx) < dx.size


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("words", [{}, ROWS], ids=["per tensor", "per channel"])
def test_weights(name, words, bits):
    seen, g = drawn(6, 80), drawn(6, 80, seed=1)
    agree(frozen(name, seen, bits=bits, **words), 2.7 * seen, g)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("shift", [0.7, 4.0])
@pytest.mark.parametrize("name", PLAIN)
def test_activations(name, shift, symmetric, bits):
    """Of both signs, and never negative."""
    if QUANTIZERS.load(name).symmetric_only and not symmetric:
        pytest.skip("symmetric ranges only")
    seen, g = np.maximum(drawn(20, 60) + shift, -1.5 if shift < 1 else 0), drawn(20, 60, seed=1)
    quantizer = frozen(name, seen, bits=bits, role="activation", symmetric=symmetric)
    assert quantizer.info().low == (0 if shift > 1 or not symmetric else -(2 ** (bits - 1)))
    agree(quantizer, 2.7 * seen - 0.6, g)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("operand", ["query", "key", "value"])
@pytest.mark.parametrize("name", VIT)
def test_operands(name, operand, bits):
    """A range a head where the method has one."""
    seen, g = drawn(4, 3, 8, 5) * np.array([1.0, 10.0, 0.1]).reshape(3, 1, 1), drawn(4, 3, 8, 5, seed=1)
    quantizer = frozen(name, seen, operand, bits=bits, role="activation", symmetric=name == "ptq4vit")
    assert quantizer.info().scale.numel() == (1 if name == "repq-vit" else 3)
    agree(quantizer, 2.7 * seen, g)


def maps(seed=0):
    z = 3 * drawn(4, 3, 16, 16, seed=seed)
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_apqs_map(bits):
    quantizer = frozen("apq-vit", maps(), "map", bits=bits, role="activation", symmetric=False)
    agree(quantizer, 1.5 * maps() - 0.2, drawn(4, 3, 16, 16))


@pytest.mark.parametrize("bits", [3, 4, 8])
@pytest.mark.parametrize("split", [1.0, 0.125])
def test_ptq4vits_map(split, bits):
    """Two ranges with h codes each; what is half a step of its own range beyond [0, 1] has no gradient."""
    x, g, top = 1.5 * maps() - 0.2, drawn(4, 3, 16, 16), 2 ** (bits - 1) - 1
    quantizer = frozen("ptq4vit", maps(), "map", bits=bits, role="activation")
    quantizer.take(torch.tensor(split))
    fine = split / top
    low, high = fine * np.clip(np.rint(x / fine), 0, top), np.clip(np.rint(x * top), 0, top) / top
    inside = (x >= -fine / 2) & (x <= 1 + 0.5 / top)
    place = np.where(x < split, x / fine, x * top)
    clear = np.abs(place % 1 - 0.5) > 1e-4
    x_hat, dx = both(quantizer, x, g)
    np.testing.assert_allclose(x_hat[clear], np.where(x < split, low, high)[clear], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dx[clear], (g * inside)[clear], rtol=1e-5)
    assert 0 < inside.sum() < inside.size and (x < split).any()


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_repqs_map(bits):
    """Powers of √2: a gradient from half a step above D down to half a step below the last code's place."""
    x, g, top = 1.3 * maps(), drawn(4, 3, 16, 16), 2**bits - 1
    quantizer = frozen("repq-vit", maps(), "map", bits=bits, role="activation")
    d = quantizer.info().values[0].item()
    n = -2 * np.log2(x / d)
    code = np.clip(np.rint(n), 0, top)
    clear = np.abs(n % 1 - 0.5) > 1e-3
    inside = (n >= -0.5) & (n <= top + 0.5)
    x_hat, dx = both(quantizer, x, g)
    np.testing.assert_allclose(x_hat[clear], np.where(code < top, d * 2 ** (-code / 2), 0)[clear], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(dx[clear], (g * inside)[clear], rtol=1e-5)
    assert (n < -0.5).any() and inside.any() and (bits == 8 or (n > top + 0.5).any())


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("q", [90.0, 99.0])
def test_percentiles_range(bits, q):
    """The nearest rank at either end, sorted by hand."""
    w, cut = drawn(6, 400), int((100 - q) / 200 * 400)
    ordered = np.sort(w, axis=1)
    bound = np.maximum(-ordered[:, cut], ordered[:, -1 - cut])
    quantizer = frozen("percentile", w, bits=bits, q=q, **ROWS)
    np.testing.assert_allclose(quantizer.info().scale.flatten().numpy(), bound / (2 ** (bits - 1) - 1), rtol=1e-6)
    agree(quantizer, 2 * w, drawn(6, 400, seed=1))


@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("name", ["mse", "adaround"])
def test_the_range_of_least_squares(name, bits):
    """The best of the 96 ratios, tried one by one."""
    w, high = drawn(6, 400), 2 ** (bits - 1) - 1
    largest = np.abs(w).max(1, keepdims=True)
    scales = [r / 100 * largest / high for r in range(5, 101)]
    errors = np.stack([((s * np.clip(np.rint(w / s), -high - 1, high) - w) ** 2).sum(1) for s in scales])
    quantizer = frozen(name, w, bits=bits, **ROWS)
    s = np.stack(scales)[errors.argmin(0), np.arange(6), 0]
    np.testing.assert_allclose(quantizer.info().scale.flatten().numpy(), s, rtol=1e-5)
    agree(quantizer, 2 * w, drawn(6, 400, seed=1))


@pytest.mark.parametrize("bits", [2, 4])
def test_adarounds_gradient_for_v(bits):
    """Through w_soft = s·clip(⌊w / s⌋ + h(v), low, high) and h(v) = clip(1.2·σ(v) − 0.1, 0, 1): nothing beyond either clip."""
    w, g, v = drawn(6, 80), drawn(6, 80, seed=1), 3 * drawn(6, 80, seed=2)
    quantizer = frozen("adaround", w, bits=bits, **ROWS)
    info = quantizer.info()
    s = info.scale.double().numpy()
    rounding = quantizer.rounding_of(torch.from_numpy(w).float())
    with torch.no_grad():
        rounding.v.copy_(torch.from_numpy(v))
    sigma, floor = 1 / (1 + np.exp(-v)), np.floor(w / s)
    h = np.clip(1.2 * sigma - 0.1, 0, 1)
    slope = 1.2 * sigma * (1 - sigma) * ((h > 0) & (h < 1))
    inside = (floor + h >= info.low) & (floor + h <= info.high)
    soft = rounding.weight()
    np.testing.assert_allclose(soft.detach().numpy(), s * np.clip(floor + h, info.low, info.high), rtol=1e-4, atol=1e-5)
    soft.backward(torch.from_numpy(g).float())
    np.testing.assert_allclose(rounding.v.grad.numpy(), g * s * slope * inside, rtol=1e-3, atol=1e-5)
    assert 0 < inside.sum() < inside.size and (slope == 0).any()
    rounding.v.grad = None
    rounding.penalty(0.6).backward()  # β = 11 there
    pushed = -0.01 * 11 * np.abs(2 * h - 1) ** 10 * np.sign(2 * h - 1) * 2 * slope
    np.testing.assert_allclose(rounding.v.grad.numpy(), pushed, rtol=1e-3, atol=1e-6)
