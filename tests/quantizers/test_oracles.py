"""Other people's code: onnxruntime's QDQ, torch's fake quantization, brevitas' integer quantization."""

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


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_brevitas_integers(bits):
    brevitas = pytest.importorskip("brevitas.core.quant")
    from brevitas.core.function_wrapper import Identity, RoundSte, TensorClamp

    x = torch.randn(4, 500, generator=torch.Generator().manual_seed(0))
    quantizer = calibrated(x, "lsq", bits=bits)
    peer = brevitas.IntQuant(
        narrow_range=False, signed=True, input_view_impl=Identity(), float_to_int_impl=RoundSte(), tensor_clamp_impl=TensorClamp()
    )
    y = peer(quantizer.info().scale, torch.tensor(0.0), torch.tensor(float(bits)), x)
    y = y[0] if isinstance(y, tuple) else y
    assert torch.equal(y, quantizer(x).detach())
