"""Encoders in one bit as one program: any length, packed attention, the numbers of the simulation."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from tiny_bert import tiny_bert
from torch import nn

import bitproof as bp
from bitproof import kernels, models
from bitproof.convert import QuantAttention
from bitproof.core import ModelError
from bitproof.export import PackedTexts, deploy
from bitproof.export.packed_attention import packed_attention_
from bitproof.export.packed_file import read_packed

pytest.importorskip("transformers", reason="the extra text")


def texts(n, length, seed=0):
    x = torch.zeros(n, 3, length, dtype=torch.long)
    x[:, 0] = torch.randint(4, 18, (n, length), generator=torch.Generator().manual_seed(seed))
    x[:, 1] = 1
    return x


def network_of(folder):
    network = models.load(f"transformers:{tiny_bert(folder, hidden_size=64, intermediate_size=96)},length=16")
    torch.manual_seed(0)
    for layer in [module for module in network.module.modules() if isinstance(module, (nn.LayerNorm, nn.Linear))]:
        nn.init.normal_(layer.bias, 0, 0.2)  # sums of 0 are no ties then
    return network


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    network, x = network_of(tmp_path_factory.mktemp("tiny")), texts(2, 12)
    x[0, 1, 9:] = 0
    model = bp.quantize(network.module, "bibert:w1a1", [x]).model
    return network.module, model, deploy(model, x), x


def test_both_products_of_every_attention_are_packed(made):
    _, model, found, _ = made
    assert deploy(model).report.attentions == 0  # layers alone, without a sample
    count = sum(isinstance(module, QuantAttention) for module in model.modules())
    assert found.report.attentions == count > 0 and f"and {count} attentions" in str(found.report)


@pytest.mark.skipif(len(kernels.available()) == 1, reason="the C++ kernels were not built")
def test_any_length_and_batch_gives_the_simulations_logits(made):
    _, model, found, x = made
    for sample in (x, texts(1, 5, 1), texts(3, 16, 2), texts(1, 2, 3)):
        with torch.no_grad():
            stepwise = found.model.program.stepwise(sample)
            torch.testing.assert_close(stepwise, model(sample), rtol=1e-3, atol=1e-4)
            torch.testing.assert_close(found.model(sample), stepwise, rtol=1e-3, atol=1e-4)
    assert found.model.program.native > 0.8 * len(found.model.program.steps)


def test_what_nothing_stands_in_is_cut_off(made):
    *_, found, x = made
    padded = torch.cat([x, torch.zeros(2, 3, 4, dtype=torch.long)], 2)
    padded[:, 2, 12:] = -1
    with torch.no_grad():
        assert torch.equal(found.model(padded), found.model(x))


def test_packed_attention_is_the_simulated_one_exactly(made):
    layer = next(module for module in made[1].modules() if isinstance(module, QuantAttention))
    q, k, v = (torch.randn(2, 2, 6, 32, generator=torch.Generator().manual_seed(i)) for i in range(3))
    keep = torch.rand(2, 1, 6, 6, generator=torch.Generator().manual_seed(3)) < 0.7
    q[0, 0, 0] = 0
    added = torch.where(keep, 0.0, -1e4)
    masks = (None, keep, added)
    with torch.no_grad():
        expected = [layer.attend(q, k, v, mask) for mask in masks]
        own = layer.attend
        try:
            assert packed_attention_(layer) == ""
            for mask, y in zip(masks, expected, strict=True):
                torch.testing.assert_close(layer.attend(q, k, v, mask), y, rtol=0, atol=0)
        finally:
            layer.attend = own


def test_an_attention_with_a_softmax_stays_simulated(made):
    encoder, _, found, x = made
    model = bp.quantize(encoder, "lsq:w8a8,products=same", [x]).model
    reasons = [packed_attention_(module) for module in model.modules() if isinstance(module, QuantAttention)]
    assert reasons and all(reasons)
    told = str(dataclasses.replace(found.report, simulated=Counter(reasons)))
    assert f"{len(reasons)} attentions simulated: {reasons[0]}" in told


def test_an_attention_with_a_softmax_is_a_part_of_the_program(tmp_path):
    """Elastic binarization: its operands' quantizers are steps, and torch sees no graph that depends on their values."""
    network, x = network_of(tmp_path / "tiny"), texts(2, 12)
    x[0, 1, 9:] = 0
    model = bp.quantize(network.module, "elastic:w1a1", [x]).model
    found = deploy(model, x)
    assert found.report.attentions == 0 and found.report.packed > 10
    ops = {step.op for step in found.model.program.steps}
    assert "aten.softmax.int" in ops and not ops & {"aten.mul_.Tensor", "aten.add_.Tensor"}
    for sample in (x, texts(1, 5, 1)):
        with torch.no_grad():
            torch.testing.assert_close(found.model(sample), model(sample), rtol=1e-3, atol=1e-4)


def test_the_embedding_counts_as_what_a_file_keeps_of_it(made):
    (line,) = [line for line in made[2].report.layers if line.name.endswith("position_embeddings")]
    assert not line.packed and line.reason == "looked up; a file keeps its signs"
    assert line.size_bytes == 24 * (64 // 8 + 4) and line.float_bytes == 24 * 64 * 4  # the one with most rows


def test_a_file_gives_the_same_logits_and_is_small(made, tmp_path):
    _, _, found, x = made
    size = bp.save_packed(found.model, tmp_path / "net.safetensors", {"kind": "text", "long": "ä" * 10_000})
    again, about = read_packed(tmp_path / "net.safetensors")
    assert isinstance(again, PackedTexts) and about == {"kind": "text", "long": "ä" * 10_000}
    with torch.no_grad():
        assert torch.equal(again(x), found.model(x))
        assert torch.equal(again.program.stepwise(x), found.model.program.stepwise(x))
    floats = sum(value.nbytes for name, value in again.program.tensors.items() if "position_embeddings" not in name)
    assert size == (tmp_path / "net.safetensors").stat().st_size < floats + 60_000


def test_a_damaged_text_about_a_network_is_told(made, tmp_path):
    path = tmp_path / "net.safetensors"
    bp.save_packed(made[2].model, path, {"long": "ab" * 10_000})
    with safe_open(path, framework="np") as file:
        header, arrays = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}
    for damaged in (arrays["about.long"][:-3], np.zeros(9, np.uint8)):
        save_file({**arrays, "about.long": damaged}, path, header)
        with pytest.raises(ModelError, match="damaged"):
            bp.load_packed(path)
