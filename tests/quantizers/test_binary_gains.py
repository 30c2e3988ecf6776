"""Gradients of what binarization methods multiply or add in float, against central differences of their formulas in NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from bitproof.convert import quantize
from bitproof.quantizers import QUANTIZERS


def slope(f, x, step=1e-6):
    """df/dx by central differences, float64."""
    found = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[at] += step
        down[at] -= step
        found[at] = (f(up) - f(down)) / (2 * step)
    return found


def close(got, expected):
    np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-6, atol=1e-8)


def layer_of(plain, method, x):
    """The low-bit layer in float64, its product of signs and scales, the input that it is to be differentiated at."""
    layer = quantize(plain, f"{method}:w1a1,first=same,last=same", [x]).model.double()
    x = x.double().requires_grad_()
    with torch.no_grad():
        y = layer._product(layer.input_quantizer(x), layer.weight)
    return layer, y, x


def windows(x, groups, kernel, stride, pad):
    """Mean over what each output of a convolution looks at, zeros of the padding counted: N×groups×rows×columns."""
    n, c, h, w = x.shape
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))).reshape(n, groups, c // groups, h + 2 * pad, w + 2 * pad)
    rows, columns = ((side + 2 * pad - kernel) // stride + 1 for side in (h, w))
    cut = [
        [x[..., i * stride : i * stride + kernel, j * stride : j * stride + kernel] for j in range(columns)] for i in range(rows)
    ]
    return np.stack([np.stack([part.mean((2, 3, 4)) for part in line], -1) for line in cut], -2)


CONVS = {"conv": (4, 1, 1, 1), "grouped": (4, 2, 2, 1), "depthwise": (3, 3, 1, 0)}


@pytest.mark.parametrize("kind", CONVS)
def test_xnors_k_has_its_true_derivative(kind):
    channels, groups, stride, pad = CONVS[kind]
    draws = torch.Generator().manual_seed(0)
    plain, x = nn.Conv2d(channels, 2 * groups, 3, stride, pad, groups=groups), torch.randn(2, channels, 5, 4, generator=draws)
    layer, y, x = layer_of(plain, "xnor", x)
    g = torch.randn(y.shape, generator=draws, dtype=torch.float64)

    def total(values):
        k = windows(np.abs(values), groups, 3, stride, pad)
        return (g.numpy() * y.numpy() * k.repeat(y.shape[1] // groups, 1)).sum()

    value = (g * layer.gain(x, y, layer._mean)).sum()
    close(value, total(x.detach().numpy()))
    value.backward()
    close(x.grad, slope(total, x.detach().numpy()))
    assert x.grad.any()


def test_xnors_k_of_a_linear_layer():
    draws = torch.Generator().manual_seed(0)
    layer, y, x = layer_of(nn.Linear(6, 3), "xnor", torch.randn(2, 4, 6, generator=draws))
    g = torch.randn(y.shape, generator=draws, dtype=torch.float64)
    (g * layer.gain(x, y, layer._mean)).sum().backward()
    close(x.grad, slope(lambda v: (g.numpy() * y.numpy() * np.abs(v).mean(-1, keepdims=True)).sum(), x.detach().numpy()))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_xnorpps_rows_and_columns_have_their_true_derivative(axes):
    """Through the whole layer, behind its product and before its bias."""
    conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
    draws = torch.Generator().manual_seed(0)
    layer, y, x = layer_of(conv(2, 3, 2, bias=True), "xnorpp", torch.randn(2, 2, *(5, 4, 3)[:axes], generator=draws))
    with torch.no_grad():
        for scale in layer.gain.axes:
            scale.copy_(1 + torch.randn(scale.shape, generator=draws))
    g = torch.randn(y.shape, generator=draws, dtype=torch.float64)
    (g * layer(x)).sum().backward()
    held, plain = [scale.detach().numpy() for scale in layer.gain.axes], y.numpy()
    assert len(held) == axes

    def total(axis, values):
        outer = np.array(1.0)
        for i, scale in enumerate(held):
            outer = np.multiply.outer(outer, values if i == axis else scale)
        return (g.numpy() * plain * outer).sum()

    for axis, scale in enumerate(layer.gain.axes):
        close(scale.grad, slope(lambda values, axis=axis: total(axis, values), held[axis]))
        assert scale.grad.any()


def eta(v, squeeze, expand):
    return np.maximum(v @ squeeze.T, 0) @ expand.T + 0.1 * np.sin(v)


@pytest.mark.parametrize("role", ["activation", "weight"])
@pytest.mark.parametrize("progress", [0.0, 0.6])
def test_fdas_noise_has_its_true_derivative(role, progress):
    """The rest of dx is the series, whose own test is in test_binary.py; 130 numbers make η two wide inside."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 130))
    words = {"channels": 130, "axis": -1} if role == "activation" else {"channels": 3, "axis": -2}
    quantizer = QUANTIZERS.load("fda")(bits=1, role=role, **words)
    quantizer.observe(torch.from_numpy(x).float())
    quantizer.freeze()
    quantizer.double().train().on_step(progress)
    free, g = torch.from_numpy(x).requires_grad_(), rng.standard_normal(x.shape)
    quantizer(free).backward(torch.from_numpy(g))
    share = 0.05 * (1 + np.cos(np.pi * progress))
    scale = np.ones((3, 1)) if role == "activation" else np.abs(x).mean(1, keepdims=True)
    s, e = (p.detach().numpy() for p in (quantizer.adaptation.squeeze, quantizer.adaptation.expand))
    assert s.shape == (2, 130)

    def total(v, squeeze, expand):
        return (g * scale * share * eta(v, squeeze, expand)).sum()

    order, omega = 9 + int(9 * progress), 0.1
    series = 4 * omega / np.pi * sum(np.cos((2 * i + 1) * omega * x) for i in range(order + 1))
    close(free.grad, scale * g * series * (np.abs(x) <= 1) + slope(lambda v: total(v, s, e), x))
    close(quantizer.adaptation.squeeze.grad, slope(lambda v: total(x, v, e), s))
    close(quantizer.adaptation.expand.grad, slope(lambda v: total(x, s, v), e))
