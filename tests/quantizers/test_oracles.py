"""Other people's code: onnxruntime's QDQ, torch's fake quantization, brevitas' and torchao's integer quantization."""

import numpy as np
import pytest
import torch

from bitproof.quantizers import QUANTIZERS


def calibrated(x, name="minmax", **words):
    quantizer = QUANTIZERS.load(name)(**words)
    quantizer.observe(x)
    quantizer.freeze()
    return quantizer


def onnx_qdq(x, info, axis):
    onnx = pytest.importorskip("onnx")
    ort = pytest.importorskip("onnxruntime")
    kind = np.int8 if info.low < 0 else np.uint8
    scale = info.scale.flatten().numpy() if axis is not None else info.scale.numpy()
    zero = np.full(scale.shape, int(info.zero_point), kind)
    helper, tensor = onnx.helper, onnx.numpy_helper.from_array
    words = {} if axis is None else {"axis": axis}
    graph = helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **words),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], **words),
        ],
        "qdq",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info(name, kind_, x.shape) for name, kind_ in
         (("q", onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))), ("y", onnx.TensorProto.FLOAT))],
        [tensor(scale, "s"), tensor(zero, "z")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x.numpy()})


@pytest.mark.parametrize("name", ["minmax", "percentile", "mse"])
@pytest.mark.parametrize(
    "words",
    [
        {"role": "weight", "channels": 4, "axis": -3},
        {"role": "weight"},
        {"role": "activation", "symmetric": False},
        {"role": "activation", "symmetric": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("positive", [False, True])
def test_onnxruntime_qdq(name, words, positive):
    x = torch.randn(4, 33, 17, generator=torch.Generator().manual_seed(0)) * 3
    x = x.relu() if positive else x
    quantizer = calibrated(x[:, :20], name, bits=8, **words)
    q, y = onnx_qdq(x, quantizer.info(), 0 if "channels" in words else None)
    off = np.mean(q.astype(int) != quantizer.codes(x).numpy())
    assert off == 0  # onnxruntime divides by the scale and rounds half to even, as we do
    np.testing.assert_allclose(y, quantizer(x).numpy(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_torch_fake_quantization_with_its_gradient(bits):
    x = torch.randn(4, 500, generator=torch.Generator().manual_seed(0)) * 3
    quantizer = calibrated(x[:, :50], bits=bits, role="activation", symmetric=False)
    info = quantizer.info()
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    y = torch.fake_quantize_per_tensor_affine(theirs, info.scale, info.zero_point, info.low, info.high)
    x_hat = quantizer(ours)
    torch.testing.assert_close(x_hat, y, rtol=1e-6, atol=1e-6)
    x_hat.sum().backward()
    y.sum().backward()
    assert torch.equal(ours.grad, theirs.grad)


@pytest.mark.parametrize("signed", [True, False])
def test_torch_learned_scale_gradient(signed):
    """Aten's learnable fake quantization has LSQ's gradients, but a mask that is half a step wider."""
    x = torch.randn(4, 500, generator=torch.Generator().manual_seed(0))
    x = x if signed else x.relu()
    quantizer = calibrated(x, "lsq", bits=4, role="activation")
    info = quantizer.info()
    ours, theirs, s = x.clone().requires_grad_(), x.clone().requires_grad_(), info.scale.reshape(1).requires_grad_()
    factor = 1 / (x.numel() * info.high) ** 0.5
    y = torch._fake_quantize_learnable_per_tensor_affine(theirs, s, torch.zeros(1), info.low, info.high, factor)
    x_hat = quantizer(ours)
    torch.testing.assert_close(x_hat, y)
    edge = ((x / info.scale > info.high) & (x / info.scale < info.high + 0.5)) | (
        (x / info.scale < info.low) & (x / info.scale > info.low - 0.5)
    )
    g = torch.randn(x.shape, generator=torch.Generator().manual_seed(1)) * ~edge
    x_hat.backward(g)
    y.backward(g)
    torch.testing.assert_close(ours.grad, theirs.grad)
    torch.testing.assert_close(quantizer.scale.grad, s.grad.reshape(()), rtol=1e-4, atol=1e-5)


GRANULARITIES = {
    "weight per tensor": {"role": "weight"},
    "weight per channel": {"role": "weight", "channels": 4, "axis": -2},
    "activation of both signs": {"role": "activation"},
    "activation never negative": {"role": "activation"},
}


def drawn(kind="", seed=0):
    x = torch.randn(4, 500, generator=torch.Generator().manual_seed(seed))
    return x.relu() if "never negative" in kind else x


def brevitas_integers(signed):
    brevitas = pytest.importorskip("brevitas.core.quant")
    from brevitas.core.function_wrapper import Identity, RoundSte, TensorClamp

    return brevitas.IntQuant(
        narrow_range=False,
        signed=signed,
        input_view_impl=Identity(),
        float_to_int_impl=RoundSte(),
        tensor_clamp_impl=TensorClamp(),
    )


def between_levels(x, info):
    """Where x / s is no half: what lies on a threshold depends on how the division was rounded."""
    return ((x / info.scale).abs() % 1 - 0.5).abs() > 1e-4


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("kind", GRANULARITIES)
def test_brevitas_integers_and_the_gradient_of_their_scale(kind, bits):
    """Its rounding and clamping have LSQ's gradients, without LSQ's factor and with a mask that is half a step wider."""
    x = drawn(kind)
    quantizer = calibrated(x, "lsq", bits=bits, **GRANULARITIES[kind])
    info = quantizer.info()
    ours, theirs, s = x.clone().requires_grad_(), x.clone().requires_grad_(), info.scale.clone().requires_grad_()
    peer = brevitas_integers(info.low < 0)
    y = peer(s, torch.tensor(0.0), torch.tensor(float(bits)), theirs)
    x_hat = quantizer(ours)
    assert torch.equal(x_hat, y)
    v = x / info.scale
    edge = ((v > info.high) & (v < info.high + 0.51)) | ((v < info.low) & (v > info.low - 0.51))
    g = torch.randn(x.shape, generator=torch.Generator().manual_seed(1)) * ~edge
    x_hat.backward(g)
    y.backward(g)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=0)
    n = x.numel() / info.scale.numel()
    torch.testing.assert_close(quantizer.scale.grad, s.grad / (n * info.high) ** 0.5, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("channels", [None, 4])
def test_brevitas_takes_the_same_scale_from_the_same_weights(channels, bits):
    stats = pytest.importorskip("brevitas.core.stats")
    from brevitas.core.scaling import IntScaling

    x = drawn()
    words = {} if channels is None else {"channels": channels, "axis": -2}
    largest = stats.AbsMax(stats_reduce_dim=None if channels is None else 1, keepdim=channels is not None)(x)
    scale = largest / IntScaling(narrow_range=True, signed=True)(torch.tensor(float(bits)))
    quantizer = calibrated(x, bits=bits, **words)
    torch.testing.assert_close(quantizer.info().scale, scale.reshape(quantizer.shape), rtol=1e-6, atol=0)
    wider = drawn(seed=1) * 1.5  # some of it is clipped
    y = brevitas_integers(True)(quantizer.info().scale, torch.tensor(0.0), torch.tensor(float(bits)), wider)
    assert torch.equal(quantizer(wider), y)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_brevitas_zero_point(bits):
    x = drawn() + 0.7
    quantizer = calibrated(x[:, :50], bits=bits, role="activation", symmetric=False)
    info = quantizer.info()
    y = brevitas_integers(False)(info.scale, info.zero_point.float(), torch.tensor(float(bits)), x)
    clear = between_levels(x, info)
    assert clear.float().mean() > 0.99
    torch.testing.assert_close(quantizer(x)[clear], y[clear], rtol=1e-6, atol=1e-6)


TORCHAO = {
    "per tensor": ("SYMMETRIC", True, {"role": "weight"}),
    "per channel": ("SYMMETRIC", True, {"role": "weight", "channels": 4, "axis": -2}),
    "affine": ("ASYMMETRIC", False, {"role": "activation", "symmetric": False}),
    "never negative": ("ASYMMETRIC", False, {"role": "activation", "symmetric": True}),
}


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("kind", TORCHAO)
def test_torchao_affine_primitives(kind, bits):
    """Scale, zero point, codes and values, from the same data; then the gradient, of data that reach beyond."""
    ao = pytest.importorskip("torchao.quantization.quant_primitives")
    mapping, signed, words = TORCHAO[kind]
    x = drawn(kind) if kind != "affine" else drawn() + 0.7
    quantizer = calibrated(x, bits=bits, **words)
    info, dtype = quantizer.info(), torch.int8 if signed else torch.uint8
    block = (1, x.shape[1]) if "channels" in words else tuple(x.shape)
    lowest = -info.high if signed else info.low  # its symmetric scale halves the span: −high … high gives max|x| / high
    s, z = ao.choose_qparams_affine(x, ao.MappingType[mapping], block, dtype, lowest, info.high)
    torch.testing.assert_close(s.reshape(quantizer.shape), info.scale, rtol=1e-6, atol=0)
    assert bool((z == info.zero_point).all())
    wider = x * 1.3
    clear = between_levels(wider, info)  # it multiplies by 1 / s
    assert clear.float().mean() > 0.99 and bool((wider > info.scale * (info.high - info.zero_point)).any())
    q = ao.quantize_affine(wider, block, s, z, dtype, info.low, info.high)
    y = ao.dequantize_affine(q, block, s, z, dtype, info.low, info.high)
    ours, theirs = wider.clone().requires_grad_(), wider.clone().requires_grad_()
    x_hat = quantizer(ours)
    assert torch.equal(q[clear].int(), quantizer.codes(wider)[clear])
    torch.testing.assert_close(x_hat.detach()[clear], y[clear], rtol=1e-6, atol=1e-6)
    q = q.int()
    inner = ((q > info.low) & (q < info.high)) | (x_hat - wider).abs().gt(info.scale)  # at a bound torch.clamp's own rule counts
    g = torch.randn(x.shape, generator=torch.Generator().manual_seed(1)) * (clear & inner)
    x_hat.backward(g)
    ao._fake_quantize_affine(theirs, block, s, z, dtype, info.low, info.high).backward(g)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=0)
    assert bool(ours.grad[wider == wider.max()].eq(0).all()) and ours.grad.count_nonzero() > 500
