"""Forward and gradient of each method, written again in NumPy from its docstring."""

import numpy as np
import pytest
import torch
from torch import nn

from bitproof.core import SpecError, UnknownName
from bitproof.quantizers import QUANTIZERS

BITS = [2, 3, 4, 8]
METHODS = [name for name in QUANTIZERS if 4 in QUANTIZERS.load(name).widths]  # 1 bit: test_binary.py


def make(name, x, **words):
    quantizer = QUANTIZERS.load(name)(**words)
    quantizer.observe(torch.from_numpy(x).float())
    quantizer.freeze()
    return quantizer


def pass_through(quantizer, x, g):
    """Return x_hat, dx and the gradient of the one learned number, if there is one."""
    x = torch.from_numpy(x).float().requires_grad_(True)
    x_hat = quantizer(x)
    x_hat.backward(torch.from_numpy(g).float())
    learned = [p.grad.double().numpy() for p in quantizer.parameters()]
    return x_hat.detach().double().numpy(), x.grad.double().numpy(), learned[0] if learned else None


def draw(seed=0, shape=(6, 50), shift=0.0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + shift).astype(np.float32).astype(float), rng.standard_normal(shape)


def code_range(bits, signed):
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


@pytest.mark.parametrize("bits", BITS)
def test_minmax_affine(bits):
    x, g = draw(shift=0.7)
    seen = x[:4]
    lo, hi = min(seen.min(), 0), max(seen.max(), 0)
    s = (hi - lo) / (2**bits - 1)
    z = np.round(-lo / s)
    q = np.clip(np.round(x / s) + z, 0, 2**bits - 1)
    inside = (x / s + z >= -0.5) & (x / s + z <= 2**bits - 0.5)
    x_hat, dx, _ = pass_through(make("minmax", seen, bits=bits, role="activation", symmetric=False), x, g)
    np.testing.assert_allclose(x_hat, (q - z) * s, atol=1e-5)
    np.testing.assert_allclose(dx, g * inside, rtol=1e-6)
    assert 0 < inside.sum() and (bits > 2 or inside.all() or inside.sum() < inside.size)


@pytest.mark.parametrize("bits", BITS)
def test_minmax_per_channel(bits):
    w, g = draw()
    low, high = code_range(bits, True)
    s = np.abs(w).max(1, keepdims=True) / high
    x_hat, dx, _ = pass_through(make("minmax", w, bits=bits, channels=6, axis=-2), w, g)
    np.testing.assert_allclose(x_hat, s * np.clip(np.round(w / s), low, high), atol=1e-5)
    np.testing.assert_allclose(dx, g, rtol=1e-6)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("axis", [None, -2])
def test_lsq(bits, signed, axis):
    x, g = draw()
    x = x if signed else np.maximum(x, 0)
    low, high = code_range(bits, signed)
    words = {} if axis is None else {"channels": 6, "axis": axis}
    quantizer = make("lsq", x, bits=bits, role="activation", **words)
    where = None if axis is None else 1
    s = 2 * np.abs(x).mean(where, keepdims=axis is not None) / np.sqrt(high)
    np.testing.assert_allclose(quantizer.info().scale.numpy(), s, rtol=1e-5)
    s = quantizer.info().scale.double().numpy()
    v = x / s
    inside = (v >= low) & (v <= high)
    slope = np.where(inside, np.round(v) - v, np.clip(v, low, high))
    n = x.size if axis is None else x.shape[1]
    ds = (g * slope).sum(where, keepdims=axis is not None) / np.sqrt(n * high)
    x_hat, dx, got = pass_through(quantizer, x, g)
    np.testing.assert_allclose(x_hat, s * np.clip(np.round(v), low, high), atol=1e-5)
    np.testing.assert_allclose(dx, g * inside, rtol=1e-6)
    np.testing.assert_allclose(got, ds, rtol=1e-3, atol=1e-4)
    assert bits > 2 or 0 < inside.sum() < inside.size


def test_lsq_stays_positive():
    x, g = draw()
    quantizer = make("lsq", x, bits=4)
    optimizer = torch.optim.SGD(quantizer.parameters(), lr=1e3)
    for _ in range(5):
        optimizer.zero_grad()
        quantizer(torch.from_numpy(x).float()).backward(torch.from_numpy(g).float())
        optimizer.step()
        assert float(quantizer.info().scale) > 0
        assert torch.isfinite(quantizer(torch.from_numpy(x).float())).all()
    with torch.no_grad():
        quantizer.scale.fill_(0.0)
    assert torch.isfinite(quantizer(torch.from_numpy(x).float())).all()


def test_lsq_gradient_of_a_negative_scale_points_the_other_way():
    x, g = draw()
    quantizer = make("lsq", x, bits=4)
    _, _, ds = pass_through(quantizer, x, g)
    quantizer.zero_grad()
    with torch.no_grad():
        quantizer.scale.neg_()
    _, _, opposite = pass_through(quantizer, x, g)
    np.testing.assert_allclose(opposite, -ds, rtol=1e-5)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("signed", [True, False])
def test_pact(bits, signed):
    x, g = draw()
    x = x * 3 if signed else np.maximum(x * 3, 0)
    alpha = 2.5
    quantizer = make("pact", x, bits=bits, role="activation", start=alpha)
    low, high = code_range(bits, signed)
    s = alpha * (2 if signed else 1) / (2**bits - 1)
    inside = (np.abs(x) <= alpha) if signed else (x >= 0) & (x <= alpha)
    dalpha = (g * (x > alpha)).sum() - ((g * (x < -alpha)).sum() if signed else 0)
    x_hat, dx, got = pass_through(quantizer, x, g)
    np.testing.assert_allclose(x_hat, s * np.clip(np.round(x / s), low, high), atol=1e-5)
    np.testing.assert_allclose(dx, g * inside, rtol=1e-6)
    np.testing.assert_allclose(got, dalpha, rtol=1e-4)
    assert 0 < inside.sum() < inside.size


def test_pact_start_and_penalty():
    x, _ = draw()
    assert float(make("pact", x, bits=4, role="activation").alpha.detach()) == 6.0
    seen = make("pact", x, bits=4, role="activation", start=None)
    assert float(seen.alpha.detach()) == pytest.approx(np.abs(x).max())
    quantizer = make("pact", x, bits=4, role="activation", start=3.0, decay=0.1)
    assert float(quantizer.penalty().detach()) == pytest.approx(0.5 * 0.1 * 9)
    quantizer.penalty().backward()
    assert float(quantizer.alpha.grad) == pytest.approx(0.1 * 3)
    assert float(make("pact", x, bits=4).penalty()) == 0


def dorefa_reference(w, g, bits):
    """W and its gradient, through the maximum too, by finite differences of the smooth part."""
    low, high = code_range(bits, True)
    t, s = np.tanh(w), 2 / (2**bits - 1)
    m = np.abs(t).max() + 1e-5
    inside = (t / m / s >= low - 0.5) & (t / m / s <= high + 0.5)
    through = g * inside
    dt = through / m
    at = np.unravel_index(np.abs(t).argmax(), t.shape)
    dt[at] -= np.sign(t[at]) * (through * t).sum() / m**2
    return s * np.clip(np.round(t / m / s), low, high), dt * (1 - t**2)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("name", ["dorefa", "pact"])
def test_tanh_weights(name, bits):
    w, g = draw()
    x_hat, dx, _ = pass_through(make(name, w, bits=bits), w, g)
    expected, dw = dorefa_reference(w, g, bits)
    np.testing.assert_allclose(x_hat, expected, atol=1e-6)
    np.testing.assert_allclose(dx, dw, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("signed", [True, False])
def test_dorefa_activations(bits, signed):
    x, g = draw()
    x = x if signed else np.maximum(x, 0)
    low, high = code_range(bits, signed)
    s = (2 if signed else 1) / (2**bits - 1)
    x_hat, dx, _ = pass_through(make("dorefa", x, bits=bits, role="activation"), x, g)
    np.testing.assert_allclose(x_hat, s * np.clip(np.round(x / s), low, high), atol=1e-6)
    np.testing.assert_allclose(dx, g * ((x / s >= low - 0.5) & (x / s <= high + 0.5)), rtol=1e-6)


def test_dorefa_takes_the_calibrated_range_at_8_bits():
    x, _ = draw()
    quantizer = make("dorefa", x, bits=8, role="activation")
    assert float(quantizer.info().scale) == pytest.approx(np.abs(x).max() / 127)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("role", ["weight", "activation"])
def test_gradient_modes(name, role):
    x, g = draw()
    x = x * 20  # far outside all ranges that are fixed
    quantizer = make(name, x[:1] / 20, bits=2, role=role)
    free = quantizer.transform(torch.from_numpy(x).float().requires_grad_(True))
    grads = {}
    for mode in ("exact", "ste", "ste-full"):
        quantizer.gradient = mode
        grads[mode] = pass_through(quantizer, x, g)
    assert (grads["exact"][1] == 0).all()
    assert all(np.array_equal(grads["ste"][0], other[0]) for other in grads.values())  # modes change no output
    if free.grad_fn is None:
        np.testing.assert_allclose(grads["ste-full"][1], g, rtol=1e-6)
        assert 0 < np.count_nonzero(grads["ste"][1]) < x.size


def affine_numbers(quantizer, shape):
    """s, lower and upper of x_hat = s·clip(round(x / s), lower, upper)."""
    info = quantizer.info()
    return np.broadcast_to(info.scale.double().numpy(), shape), *(int(c - info.zero_point) for c in (info.low, info.high))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("temperature", [0.05, 0.5, 3.0])
def test_the_soft_gradient_is_the_slope_of_the_smooth_staircase(name, temperature):
    """By finite differences of φ inside the range, by the tail of the outermost jump beyond it."""
    x, g = draw(shift=0.3)
    x = 9 * x
    quantizer = make(name, x[:2] / 3, bits=2, role="activation")
    quantizer.gradient = f"soft:{temperature}"
    s, lower, upper = affine_numbers(quantizer, x.shape)
    v = x / s

    def phi(v):
        m = np.clip(np.floor(v), lower, upper - 1) + 0.5
        return m + np.tanh((v - m) / temperature) / (2 * np.tanh(0.5 / temperature))

    h = 1e-6
    slope = (phi(v + h) - phi(v - h)) / (2 * h)
    smooth = np.floor(v + h) == np.floor(v - h)
    _, dx, _ = pass_through(quantizer, x, g)
    assert smooth.mean() > 0.9 and 0 < ((v > lower) & (v < upper)).sum() < v.size
    np.testing.assert_allclose(dx[smooth], (g * slope)[smooth], rtol=2e-2, atol=2e-3)
    np.testing.assert_allclose(phi(np.arange(lower, upper + 1.0)), np.arange(lower, upper + 1.0), atol=1e-9)  # levels stay levels


@pytest.mark.parametrize("name", METHODS)
def test_soft_lies_between_straight_through_and_exact(name):
    x, g = draw()
    grads = {}
    for mode in ("soft:1e3", "soft:1e-4", "ste-full", "exact"):
        quantizer = make(name, x, bits=4, role="activation")
        quantizer.gradient = mode
        grads[mode] = pass_through(quantizer, x, g)[1]
    np.testing.assert_allclose(grads["soft:1e3"], grads["ste-full"], rtol=1e-2, atol=1e-6)
    assert (grads["soft:1e-4"] != 0).mean() < 0.02 and not grads["exact"].any()


@pytest.mark.parametrize("name", METHODS)
def test_a_backward_of_ones_own_is_asked(name):
    x, g = draw()
    x = 9 * x
    quantizer = make(name, x[:2] / 3, bits=3, role="activation")
    s, lower, upper = affine_numbers(quantizer, x.shape)
    quantizer.gradient = lambda g, x, s, lower, upper: g * (x / s - lower) / (upper - lower)
    np.testing.assert_allclose(pass_through(quantizer, x, g)[1], g * (x / s - lower) / (upper - lower), rtol=1e-4, atol=1e-5)
    quantizer.gradient = "bpda:decay"
    beyond = np.maximum(np.maximum(lower - x / s, x / s - upper), 0)
    np.testing.assert_allclose(pass_through(quantizer, x, g)[1], g * np.exp(-beyond / (upper - lower)), rtol=1e-4, atol=1e-5)
    assert (beyond > 0).any()


def test_a_backward_that_is_unknown_is_refused_by_name():
    x, g = draw()
    quantizer = make("minmax", x, bits=3)
    for mode, error, match in (("bpda:dcay", UnknownName, "Did you mean 'decay'"), ("bpda", SpecError, "bpda:decay")):
        quantizer.gradient = mode
        with pytest.raises(error, match=match):
            pass_through(quantizer, x, g)


@pytest.mark.parametrize("name", [n for n in METHODS if QUANTIZERS.load(n).trainable])
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("training", [True, False])
def test_every_learned_number_has_a_gradient_in_every_phase(name, bits, training):
    x, g = draw()
    layer = nn.ModuleList([make(name, x, bits=bits, role=role) for role in ("weight", "activation")]).train(training)
    for quantizer in layer:
        w = torch.from_numpy(x * 9).float().requires_grad_(True)
        (quantizer(w) * torch.from_numpy(g).float()).sum().backward()
        for key, parameter in quantizer.named_parameters():
            assert parameter.grad is not None and float(parameter.grad.abs().sum()) > 0, key


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("shift", [0.0, 0.7, 5.0])
def test_lsqplus_activations(bits, shift):
    x, g = draw(shift=shift)
    quantizer = make("lsqplus", x[:4], bits=bits, role="activation", symmetric=False)
    with torch.no_grad():
        quantizer.scale.mul_(0.8)
        quantizer.offset.sub_(0.3)
    s, beta, high = quantizer.info().scale.item(), quantizer.offset.item(), 2**bits - 1
    z = np.clip(np.round(-beta / s), 0, high)
    v = x / s
    inside = (v >= -z) & (v <= high - z)
    code = np.clip(np.round(v) + z, 0, high)
    x_hat, dx, ds = pass_through(quantizer, x, g)
    np.testing.assert_allclose(x_hat, s * (code - z), atol=1e-5)
    np.testing.assert_allclose(dx, g * inside, rtol=1e-6)
    c = 1 / np.sqrt(x.size * high)
    np.testing.assert_allclose(ds, c * (g * np.where(inside, np.round(v) - v, code)).sum(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(quantizer.offset.grad.item(), c * (g * ~inside).sum(), rtol=1e-4, atol=1e-6)
    assert 0 < inside.sum() < inside.size
    assert quantizer.info().zero_point == z


@pytest.mark.parametrize("axis", [None, -2])
def test_lsqplus_weights_start_at_three_sigma_and_learn_as_lsq(axis):
    w, g = draw(shift=0.2)
    words = {} if axis is None else {"channels": 6, "axis": axis}
    quantizer = make("lsqplus", w, bits=3, **words)
    rows = w if axis is not None else w.reshape(1, -1)
    s = np.maximum(np.abs(rows.mean(1) - 3 * rows.std(1)), np.abs(rows.mean(1) + 3 * rows.std(1))) / 4
    np.testing.assert_allclose(quantizer.info().scale.flatten().numpy(), s, rtol=1e-5)
    lsq = make("lsq", w, bits=3, **words)
    with torch.no_grad():
        lsq.scale.copy_(quantizer.scale)
    for ours, theirs in zip(pass_through(quantizer, w, g), pass_through(lsq, w, g), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_lsqplus_starts_where_the_squared_error_is_smallest():
    x, _ = draw(shift=0.5)
    x[0, 0] = 40.0  # min–max would give nearly all of its codes away
    words = {"bits": 3, "role": "activation", "symmetric": False}
    ours, best, full = (make(name, x, **words) for name in ("lsqplus", "mse", "minmax"))
    seen = torch.from_numpy(x).float()
    assert (ours(seen) - seen).square().sum() < (full(seen) - seen).square().sum()
    assert torch.equal(ours.codes(seen), best.codes(seen))


def n2uq_reference(x, g, start, lengths, s, low):
    """Forward as thresholds, backward as the derivative of the piecewise linear map through their corners."""
    edges = start + np.concatenate([[0], np.cumsum(lengths)])
    thresholds = (edges[:-1] + edges[1:]) / 2
    q = low + (x[..., None] > thresholds).sum(-1)
    inside = (x >= edges[0]) & (x <= edges[-1])
    i = np.clip((x[..., None] > edges[1:-1]).sum(-1), 0, len(lengths) - 1)
    a, e = lengths[i], edges[i]
    dx = g * s / a * inside
    da = np.zeros(len(lengths))
    for j in range(len(lengths)):
        da[j] = (dx * np.where(i == j, -(x - e) / a, np.where(i > j, -1.0, 0.0))).sum()
    return s * q, dx, -dx.sum(), da, (g * q).sum()


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("signed", [True, False])
def test_n2uq_activations(bits, signed):
    x, g = draw()
    x = 2 * x if signed else np.maximum(2 * x, 0)
    quantizer = make("n2uq", x, bits=bits, role="activation")
    low, high = code_range(bits, signed)
    uniform = 2 * np.abs(x).mean() / np.sqrt(high)
    np.testing.assert_allclose(
        quantizer(torch.from_numpy(x).float()).detach().numpy(), uniform * np.clip(np.round(x / uniform), low, high), atol=1e-5
    )
    with torch.no_grad():
        quantizer.segments.mul_(torch.linspace(0.5, 1.6, 2**bits - 1))
        quantizer.origin.add_(0.05)
        quantizer.scale.mul_(1.1)
    numbers = [t.detach().double().numpy() for t in (quantizer.origin, quantizer.segments, quantizer.scale)]
    expected, dx, dstart, da, ds = n2uq_reference(x, g, *numbers, low)
    x_hat, got, _ = pass_through(quantizer, x, g)
    c = 1 / np.sqrt(x.size * high)
    np.testing.assert_allclose(x_hat, expected, atol=1e-5)
    np.testing.assert_allclose(got, dx, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(quantizer.origin.grad, c * dstart, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(quantizer.segments.grad, c * da, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(quantizer.scale.grad, c * ds, rtol=1e-3, atol=1e-5)
    assert 0 < (got != 0).sum() and (bits > 2 or (got != 0).sum() < got.size)


@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("axis", [None, -2])
def test_n2uq_weights(bits, axis):
    w, g = draw()
    quantizer = make("n2uq", w, bits=bits, **({} if axis is None else {"channels": 6, "axis": axis}))
    n = 2**bits - 1
    gamma = np.abs(w).mean(None if axis is None else 1, keepdims=axis is not None) * n / 2 ** (bits - 1)
    level = np.round((np.clip(w / gamma, -1, 1) + 1) / 2 * n)
    x_hat, dw, _ = pass_through(quantizer, w, g)
    np.testing.assert_allclose(x_hat, gamma * (2 * level / n - 1), atol=1e-5)
    np.testing.assert_allclose(dw, g * (np.abs(w) <= gamma), rtol=1e-6)
    if bits == 2:  # what the scale is for: the four levels are about equally full
        assert np.bincount(level.astype(int).flatten()).min() > 0.15 * w.size


def test_adaround_learns_between_two_codes_and_ends_on_one():
    w, _ = draw()
    quantizer = make("adaround", w, bits=4, channels=6, axis=-2)
    seen = torch.from_numpy(w).float()
    s, (low, high) = quantizer.step(), quantizer.code_range()
    rounding = quantizer.rounding_of(seen)
    torch.testing.assert_close(
        rounding.weight(), seen.clamp(low * s, high * s), rtol=1e-4, atol=1e-5
    )  # it starts at the weight itself
    assert torch.equal(rounding.rounded(), quantizer(seen))  # and undecided it is rounding to the nearest
    with torch.no_grad():
        rounding.v.fill_(9.0)
    assert torch.equal(rounding.rounded(), rounding.weight()) and torch.equal(quantizer(rounding.rounded()), rounding.rounded())
    np.testing.assert_array_equal(quantizer.codes(rounding.rounded()), np.clip(np.floor(seen / s) + 1, low, high))
    assert float(rounding.penalty(1.0)) == 0


@pytest.mark.parametrize(("share", "beta"), [(0.2, 20.0), (0.6, 11.0), (1.0, 2.0)])
def test_adaround_regulariser(share, beta):
    w, _ = draw()
    rounding = make("adaround", w, bits=3, strength=0.5).rounding_of(torch.from_numpy(w).float())
    h = np.clip(1.2 / (1 + np.exp(-rounding.v.detach().double().numpy())) - 0.1, 0, 1)
    assert rounding.penalty(share).item() == pytest.approx(0.5 * (1 - np.abs(2 * h - 1) ** beta).sum(), rel=1e-3)
    assert rounding.penalty(0.19).item() == 0
