"""An exported network, its nodes computed by the package qonnx, gives what is simulated; what QONNX cannot say is refused."""

import numpy as np
import pytest
import torch
from export_networks import network, pictures
from torch import nn

from bitproof.convert import quantize
from bitproof.core import ModelError
from bitproof.export import to_qonnx, written_out
from bitproof.export.qonnx_file import DOMAIN, bounds
from bitproof.models import OnnxSession

onnx = pytest.importorskip("onnx", reason="onnx is not installed")


def depthwise(channels):
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels)


def low_bit(recipe, activation=nn.ReLU):
    return quantize(network(depthwise, activation), recipe, [pictures(8)]).model


#: Recipe → the nodes that its file quantizes with.
RECIPES = {
    "minmax:w8a8": {"Quant, 8 bits"},
    "mse:w3a5": {"Quant, 3 bits", "Quant, 5 bits", "Quant, 8 bits"},
    "lsq:w2a4": {"Quant, 2 bits", "Quant, 4 bits", "Quant, 8 bits"},
    "dorefa:w4a4": {"Quant, 5 bits", "Quant, 4 bits", "Quant, 8 bits"},
    "xnor:w1a1,k=false": {"BipolarQuant"},
    "bireal:w1a1": {"BipolarQuant"},
    "reactnet:w1a1": {"BipolarQuant"},
}


def executed(graph, x):
    """The file in onnx's reference evaluator, its quantizing nodes by the package qonnx."""
    quant = pytest.importorskip("qonnx.custom_op.general.intquant", reason="qonnx is not installed")
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun
    from qonnx.custom_op.general.bipolar_quant import binary_quant

    class Quant(OpRun):
        op_domain = DOMAIN

        def _run(self, x, scale, zero, bits, signed, narrow, rounding_mode):
            return (quant.int_quant(x, scale, zero, bits, signed, narrow, rounding_mode).astype(np.float32),)

    class BipolarQuant(OpRun):
        op_domain = DOMAIN

        def _run(self, x, scale):
            return (binary_quant(x, scale).astype(np.float32),)

    evaluator = ReferenceEvaluator(onnx.load_from_string(graph), new_ops=[Quant, BipolarQuant])
    return torch.from_numpy(np.concatenate([evaluator.run(None, {"pictures": one[None].numpy()})[0] for one in x]))


@pytest.mark.parametrize("recipe", RECIPES)
def test_qonnx_computes_what_is_simulated(recipe):
    model = low_bit(recipe, nn.Hardtanh if "w1a1" in recipe else nn.ReLU)
    x = pictures(3, seed=5)
    written = to_qonnx(model, x[:2])
    with torch.no_grad():
        torch.testing.assert_close(executed(written.graph, x), model(x), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(OnnxSession(written_out(written.graph))(x), model(x), rtol=1e-3, atol=1e-4)
    assert set(written.nodes) <= RECIPES[recipe] and written.nodes
    assert {node.domain for node in onnx.load_from_string(written.graph).graph.node} == {"", DOMAIN}


def test_the_given_model_is_not_changed_and_a_float_one_has_no_such_node():
    model, x = low_bit("mse:w4a4"), pictures(2)
    before = model(x)
    to_qonnx(model, x)
    assert torch.equal(model(x), before)
    assert to_qonnx(network(depthwise), x).nodes == {}


def test_what_qonnx_cannot_say_is_refused():
    for recipe, message in {"xnor:w1a1": "further factor", "bifsmnv2:w1a2": "planes"}.items():
        with pytest.raises(ModelError, match=message):
            to_qonnx(low_bit(recipe, nn.Hardtanh), pictures(2))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 5, 8])
def test_ranges_are_those_of_qonnx(bits, signed, narrow):
    quant = pytest.importorskip("qonnx.custom_op.general.intquant", reason="qonnx is not installed")
    assert bounds(bits, signed, narrow) == (quant.min_int(signed, narrow, bits), quant.max_int(signed, narrow, bits))
