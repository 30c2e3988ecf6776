import copy
import json

import numpy as np
import pytest
import torch
from networks import Branching, Residual, lively, pictures
from torch import nn

from bitproof.convert import QuantLayer, Recipe, calibrate, insert, quantize
from bitproof.core import BitproofError, DataError, ModelError, ShapeError, SpecError
from bitproof.quantizers import QUANTIZERS

METHODS = [name for name in QUANTIZERS if 4 in QUANTIZERS.load(name).widths]  # 1 bit: the files test_binary*


def low(method):
    """Its recipe at 4 bits, with as few steps as tell."""
    return f"{method}:w4a4,steps=20" if QUANTIZERS.load(method).reconstructs else f"{method}:w4a4"


TRAINED = [name for name in METHODS if QUANTIZERS.load(name).trainable]


def by_name(report):
    return {layer.name: layer for layer in report.layers}


def low_bit_layers(model):
    return {name: module for name, module in model.named_modules() if isinstance(module, QuantLayer)}


@pytest.mark.parametrize("method", METHODS)
def test_the_given_model_is_not_changed(method):
    model, x = lively(Residual()).train(), pictures()
    before = copy.deepcopy(model.state_dict())
    kinds = [type(m) for m in model.modules()]
    converted = quantize(model, low(method), [x])
    assert model.training and not converted.model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert kinds == [type(m) for m in model.modules()]
    assert torch.isfinite(converted.model(x)).all()


def test_first_and_last_are_by_execution():
    report = by_name(quantize(Residual(), "mse:w3a5,last=4", [pictures()]).report)
    bits = {name: (layer.w_bits, layer.a_bits) for name, layer in report.items() if layer.changed}
    assert bits == {"stem": (8, 8), "twice": (3, 5), "branch": (3, 5), "head": (4, 4)}
    assert report["stem"].reason == "first layer" and report["head"].reason == "last layer"
    assert report["twice"].granularity == "channel" and report["twice"].symmetric is False and report["twice"].method == "mse"


@pytest.mark.parametrize("n", [8, 7])
def test_8_bits_are_near_the_float_network(n):
    model, x = lively(Residual()), pictures(8)
    y = model(x)
    error = (quantize(model, f"mse:w{n}a{n}", [x]).model(x) - y).norm() / y.norm()
    assert 0 < float(error.detach()) < 0.02 * 2 ** (8 - n)


@pytest.mark.parametrize("method", METHODS)
def test_batch_1_and_batch_256_agree(method):
    model = quantize(lively(Residual()), low(method), pictures(32).split(8)).model
    x = pictures(256, seed=1) * 3
    with torch.no_grad():
        torch.testing.assert_close(torch.cat([model(one) for one in x.split(1)]), model(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("lsq", "n2uq")])  # which start from the first batch alone
def test_calibration_batches_of_any_size_give_the_same_network(method):
    model, x = lively(Residual()), pictures(12)
    a = quantize(model, low(method), [x]).model
    b = quantize(model, low(method), iter([x[:2], x[2:3], x[3:]])).model
    for (key, p), q in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6, msg=key)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("with_sample", [True, False])
def test_a_state_dict_goes_into_an_inserted_model(method, with_sample):
    model, x = lively(Residual()), pictures()
    converted = quantize(model, low(method), [x])
    if not with_sample and Recipe.parse(low(method)).product_bits is not None:
        with pytest.raises(ModelError, match="Hand in a batch"):
            insert(Residual(), low(method))
        return
    fresh = insert(Residual(), low(method), pictures(seed=5) if with_sample else None)
    assert fresh.report == converted.report
    with pytest.raises(BitproofError, match="calibrate first"):
        fresh.model(x)
    fresh.model.load_state_dict(converted.model.state_dict())
    assert torch.equal(fresh.model(x), converted.model(x))


def test_insert_then_calibrate_is_quantize():
    model, x = lively(Residual()), pictures()
    converted = insert(model, "mse:w4a4", x)
    calibrate(converted.model, [x])
    assert torch.equal(converted.model(x), quantize(model, "mse:w4a4", [x]).model(x))
    calibrate(converted.model, [x * 2])  # again: the old ranges are gone
    assert not torch.equal(converted.model(x), quantize(model, "mse:w4a4", [x]).model(x))


def test_a_model_without_a_graph_needs_a_sample_to_fold():
    with pytest.raises(ModelError, match="Hand in a batch"):
        insert(Branching(), "mse:w8a8")
    assert len(insert(Branching(), "mse:w8a8", pictures()).report.folded) == 1
    assert insert(Branching(), "lsq:w4a4").report.folded == ()


@pytest.mark.parametrize("method", TRAINED)
@pytest.mark.parametrize("training", [True, False])
def test_every_parameter_learns(method, training):
    recipe = f"{low(method)},start=0.5" if method == "pact" else low(method)  # so that something is clipped
    model = quantize(lively(Residual()), recipe, [pictures(8) * 0.5]).model.train(training)
    (model(pictures(8, seed=3) * 8) * torch.randn(8, 5, generator=torch.Generator().manual_seed(2))).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        if "quantizer" in name:
            assert float(parameter.grad.abs().max()) > 0, name


def test_float_recipes_are_copies():
    model, x = lively(Residual()), pictures()
    for recipe in ("fp32", "float"):
        converted = quantize(model, recipe, [])
        assert torch.equal(converted.model(x), model(x)) and converted.model is not model
        assert not any(layer.changed for layer in converted.report.layers)
        assert by_name(converted.report)["stem"].reason == f"the recipe is {recipe}"
        assert converted.report.size_bytes == converted.report.float_bytes == 4 * sum(p.numel() for p in model.parameters())


def test_sizes():
    layer = nn.Linear(10, 6)
    report = quantize(layer, "minmax:w4a4,first=same", [torch.randn(3, 10)]).report
    assert report.float_bytes == 4 * 66
    assert report.size_bytes == 60 // 2 + 4 * 6 + 4 * 6  # weights, a scale a channel, bias
    folded = quantize(lively(Residual()), "mse:w4a4", [pictures()]).report
    assert folded.float_bytes == 4 * sum(p.numel() for p in Residual().parameters())
    assert folded.size_bytes < folded.float_bytes / 2


def test_keep():
    report = by_name(quantize(Residual(), 'lsq:w4a4,keep="stem|head"', [pictures()]).report)
    assert {name for name, layer in report.items() if layer.changed} == {"twice", "branch"}
    assert report["stem"].reason == "kept by keep=stem|head"
    with pytest.raises(SpecError, match="no layer's name"):
        quantize(Residual(), "lsq:w4a4,keep=tail", [pictures()])


def test_first_and_last_float():
    report = by_name(quantize(Residual(), "lsq:w4a4,first=float,last=float", [pictures()]).report)
    assert {name for name, layer in report.items() if layer.changed} == {"twice", "branch"}
    assert report["stem"].reason == "first=float"


class Words(nn.Module):
    """Tied weights, an embedding, norms, torch's attention, a layer that never runs, a parametrized one."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.mix = nn.Linear(8, 8)
        self.again = self.mix
        self.spectral = nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8))
        self.unused = nn.Linear(8, 8)
        self.logits = nn.Linear(8, 20, bias=False)
        self.logits.weight = self.embedding.weight
        self.position = nn.Parameter(torch.zeros(8))

    def forward(self, tokens):
        x = self.embedding(tokens) + self.position
        x = self.norm(x + self.attention(x, x, x)[0])
        return self.logits(self.spectral(self.again(self.mix(x))))


def test_what_stays_float_is_listed_with_its_reason():
    tokens = torch.randint(0, 20, (2, 5), generator=torch.Generator().manual_seed(0))
    converted = quantize(Words().eval(), "minmax:w8a8", [tokens])
    report = by_name(converted.report)
    attention = {f"attention.{each}_proj" for each in ("q", "k", "v", "out")}
    assert {name for name, layer in report.items() if layer.changed} == {"mix", "logits", *attention} and "attention" not in report
    assert "embeddings stay float" in report["embedding"].reason and "tied" in report["embedding"].reason
    assert report["unused"].reason == "its forward did not run on the sample"
    assert "parametrization" in report["spectral"].reason
    assert report["norm"].reason == "normalisation stays float"
    assert report[""].type == "Words"
    assert "shared by 2 names" in report["mix"].reason and converted.model.mix is converted.model.again
    assert "tied" in report["logits"].reason
    assert torch.isfinite(converted.model(tokens)).all()


def test_a_layer_outside_the_graph_is_told_apart_from_one_that_a_sample_passes_by():
    class Spare(nn.Sequential):
        def forward(self, x):
            return self[0](x)

    report = by_name(insert(Spare(nn.Linear(3, 2), nn.Linear(3, 2)), "minmax:w4a4").report)
    assert report["1"].reason == "its forward did not run in the model's graph"


def test_a_shared_parameter_counts_once():
    words = Words().eval()
    tokens = torch.randint(0, 20, (2, 5), generator=torch.Generator().manual_seed(0))
    floats = 4 * sum(p.numel() for p in words.parameters())
    report = quantize(words, "fp32", []).report
    assert report.float_bytes == report.size_bytes == floats
    report = quantize(words, "minmax:w8a8", [tokens]).report
    mix = 64 + 4 * 8 + 4 * 8  # codes, scales, bias
    logits = 4 * 20  # scales: the embedding needs the weight as float
    assert report.float_bytes == floats
    assert report.size_bytes == floats - 5 * 4 * 72 + 5 * mix + logits  # the attention's four are as large


@pytest.mark.parametrize("wide_first", [True, False])
def test_a_weight_of_two_widths_is_stored_at_the_greater(wide_first):
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    model[1].weight = model[0].weight
    ends = "first=8,last=same" if wide_first else "first=same,last=8"
    report = quantize(model, f"minmax:w4a4,per=tensor,{ends}", [torch.randn(3, 4)]).report
    assert (report.float_bytes, report.size_bytes) == (64, 16 + 2 * 4)


def test_an_encoder_layer_takes_no_short_cut_past_its_quantizers():
    encoder = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True).eval()
    x = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    model = quantize(encoder, "minmax:w3a3,first=same,last=same", [x]).model
    with torch.no_grad():
        short, long = model(x), model.train()(x)
    torch.testing.assert_close(short, long)
    assert not torch.allclose(short, encoder(x), atol=1e-2)


def test_the_table_names_every_layer():
    report = quantize(lively(Residual()), "mse:w4a4", [pictures()]).report
    text = report.table()
    assert all(layer.name in text for layer in report.layers)
    assert "first layer 8 bits" in text and "1 batch norms folded" in text and str(report) == text
    assert report.folded == (("bn", "stem"),)
    data = json.loads(json.dumps(report.to_dict()))
    assert data["size_bytes"] == report.size_bytes and len(data["layers"]) == len(report.layers)


def test_a_converted_model_comes_apart():
    model, report = converted = quantize(Residual(), "mse:w4a4", [pictures()])
    assert converted.model is model and converted.report is report


def test_the_table_says_of_a_trained_method_that_it_is_not_trained_yet():
    last = {r: quantize(Residual(), r, [pictures()]).report.table().splitlines()[-1] for r in ("mse:w4a4", "lsq:w4a4", "float")}
    assert last["lsq:w4a4"] == "lsq is a trained method: calibration only gives the ranges that its training starts from."
    assert last["mse:w4a4"].endswith("bytes") and last["float"].endswith("bytes")


def test_nothing_to_change_is_an_error():
    with pytest.raises(ModelError, match="no layer"):
        quantize(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)), "mse:w8a8", [pictures()])
    with pytest.raises(ModelError, match="no layer"):
        quantize(nn.Linear(3, 3), "mse:w8a8,first=float", [torch.ones(1, 3)])


def test_calibration_needs_a_batch():
    with pytest.raises(DataError, match="no calibration batch"):
        quantize(Residual(), "mse:w8a8", [])


def test_one_tensor_is_no_list_of_batches():
    for call in (quantize, lambda model, recipe, x: calibrate(insert(model, recipe, x).model, x)):
        with pytest.raises(DataError, match=r"one tensor \(4, 3, 16, 16\).* A batch is a tensor, a tuple of arguments.*\[x\]"):
            call(Residual(), "mse:w8a8", pictures())


@pytest.mark.parametrize(
    ("batch", "says"),
    [
        ([pictures(), torch.arange(4)], r"batch \(N×3×16×16 torch.float32, N torch.int64\): TypeError.*hand in x alone"),
        ({"picture": pictures()}, r"batch {picture: N×3×16×16 torch.float32}: TypeError.*'picture'.*keyword arguments"),
        (pictures().half(), r"batch N×3×16×16 torch.float16: RuntimeError"),
        (pictures(channels=1), r"N×1×16×16.*to have 3 channels"),
        (torch.tensor(1.0), "scalar torch.float32"),
        ("pictures", "batch of type str"),
    ],
)
def test_a_batch_that_the_model_does_not_take_is_described(batch, says):
    with pytest.raises(ModelError, match=rf"(?s)Residual fails on the .*{says}"):
        quantize(Residual(), "mse:w8a8", [batch])


def test_a_half_precision_model_is_refused_with_what_it_was_given():
    with pytest.raises(ModelError, match=r"(?s)fails on the batch N×3×16×16 torch.float32.*Half"):
        quantize(Residual().half(), "mse:w8a8", [pictures()])
    with pytest.raises(ModelError, match=r"torch.float16: torch.float32 is needed"):
        quantize(Residual().half(), "mse:w8a8", [pictures().half()])


def test_nan_is_named_by_layer():
    x = pictures()
    bad = x.clone()
    bad[1, 0, 0, 0] = float("nan")
    with pytest.raises(ShapeError, match=r"Layer 'stem', input: .*NaN"):
        quantize(Residual().eval(), "mse:w8a8", [x, bad])
    model = Residual().eval()
    model.branch.weight.data[0] = float("inf")
    with pytest.raises(ShapeError, match=r"Layer 'branch', weight: .*infinity"):
        quantize(model, "lsq:w8a8", [x])


def test_batches_of_several_arguments():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 2)

        def forward(self, a, b):
            return self.fc(a + b)

    a = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    model = Two()
    expected = quantize(model, "minmax:w8a8", [(a, a)]).model(a, a)
    assert torch.equal(quantize(model, "minmax:w8a8", [{"a": a, "b": a}]).model(a, a), expected)


def test_zero_channels_are_zeros():
    model = lively(Residual())
    with torch.no_grad():
        model.stem.weight[3] = 0
        model.bn.weight[3] = 0
        model.bn.bias[3] = 0
    for method in METHODS:
        converted = quantize(model, f"{low(method)},fold=true,per=channel", [pictures()]).model
        assert torch.isfinite(converted(pictures())).all(), method
        most = 1e-5 if method == "n2uq" else 0  # 0 is no level of its weights
        assert (converted.stem(pictures())[:, 3].abs() <= most).all(), method


@pytest.mark.parametrize("recipe", ["minmax:w8a8", "mse:w8a8"])
def test_onnxruntime_runs_the_same_conv(recipe):
    onnx, ort = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    conv, x = nn.Conv2d(3, 8, 3, padding=1), pictures(2)
    low_bit = quantize(conv, recipe, [x]).model
    a, w = low_bit.input_quantizer.info(), low_bit.weight_quantizer.info()
    node, tensor = onnx.helper.make_node, onnx.numpy_helper.from_array
    constants = {
        "a_s": a.scale.numpy(),
        "a_z": np.array(int(a.zero_point), np.uint8),
        "w_q": low_bit.weight_quantizer.codes(conv.weight).numpy().astype(np.int8),
        "w_s": w.scale.flatten().numpy(),
        "w_z": np.zeros(8, np.int8),
        "b": conv.bias.detach().numpy(),
    }
    graph = onnx.helper.make_graph(
        [
            node("QuantizeLinear", ["x", "a_s", "a_z"], ["a_q"]),
            node("DequantizeLinear", ["a_q", "a_s", "a_z"], ["a"]),
            node("DequantizeLinear", ["w_q", "w_s", "w_z"], ["w"], axis=0),
            node("Conv", ["a", "w", "b"], ["y"], pads=[1, 1, 1, 1]),
        ],
        "conv",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (2, 8, 16, 16))],
        [tensor(value, name) for name, value in constants.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 19)], ir_version=9)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    [y] = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, {"x": x.numpy()})
    np.testing.assert_allclose(low_bit(x).detach().numpy(), y, rtol=1e-4, atol=1e-5)


def test_the_order_of_layers_without_data_is_the_graphs():
    report = by_name(insert(Residual(), "lsq:w4a4").report)
    assert report["stem"].reason == "first layer" and report["head"].reason == "last layer"
    assert set(low_bit_layers(insert(Residual(), "lsq:w4a4").model)) == {"stem", "twice", "branch", "head"}


def test_other_number_formats_stay_float():
    model = nn.Sequential(nn.Linear(3, 4).bfloat16(), nn.Linear(4, 2))
    assert "bfloat16" in by_name(insert(model, "minmax:w8a8").report)["0"].reason
