"""The zoo: codes packed at their bits are the network that they were made from; what ships is whole and small."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import bitproof
from bitproof.convert import quantize
from bitproof.core import Clip, Geometry, ModelError, SpecError, UnknownName
from bitproof.export import deploy, low_bit_layers
from bitproof.export.zoo import FOLDER, zoo_cards, zoo_index
from bitproof.export.zoo_file import pack_codes, read_zoo, unpack_codes, write_zoo
from bitproof.noises import noise


@given(st.integers(1, 8), st.integers(1, 40), st.integers(-128, 5), st.integers(0, 2**32 - 1))
def test_codes_come_back_from_their_bits(bits, count, low, seed):
    codes = np.random.default_rng(seed).integers(low, low + 2**bits, count).astype(np.int32)
    packed = pack_codes(codes, low, bits)
    assert len(packed) == -(-count * bits // 8)
    np.testing.assert_array_equal(unpack_codes(packed, (count,), low, bits), codes)


@pytest.fixture(scope="module")
def x():
    return torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "recipe", ["lsq:w4a4", "dorefa:w2a2", "pact:w3a8,per=channel", "mse:w4a8", "lsqplus:w2a4", "bireal:w1a1", "n2uq:w2a2", "float"]
)
def test_the_packed_network_gives_the_same_logits(recipe, x, tmp_path):
    base = bitproof.model("resnet20:seed=3")
    model = quantize(base.module, recipe, [x]).model
    write_zoo(tmp_path / "net.safetensors", model)
    again = read_zoo(tmp_path / "net.safetensors", bitproof.model("resnet20"), recipe, (3, 32, 32))
    with torch.no_grad():
        assert torch.equal(again(x), model(x))


def test_a_weight_that_its_codes_do_not_tell_is_refused(x, tmp_path, monkeypatch):
    model = quantize(bitproof.model("resnet20").module, "mse:w4a4", [x]).model
    kind = type(low_bit_layers(model)["net.conv1"].weight_quantizer)
    monkeypatch.setattr(kind, "codes", lambda self, w: torch.zeros_like(w, dtype=torch.int32))
    with pytest.raises(ModelError, match="codes are not its weight"):
        write_zoo(tmp_path / "net.safetensors", model)


@pytest.mark.parametrize("damage", [b"", b"not a file of tensors", None])
def test_a_damaged_file_is_refused(damage, x, tmp_path):
    path = tmp_path / "net.safetensors"
    model = quantize(bitproof.model("resnet20").module, "lsq:w4a4", [x]).model
    write_zoo(path, model)
    path.write_bytes(path.read_bytes()[:-100] if damage is None else damage)
    with pytest.raises(ModelError, match="cannot be read as a network of the zoo"):
        read_zoo(path, bitproof.model("resnet20"), "lsq:w4a4", (3, 32, 32))


def test_another_networks_file_is_refused(x, tmp_path):
    write_zoo(tmp_path / "net.safetensors", quantize(bitproof.model("resnet32").module, "lsq:w4a4", [x]).model)
    with pytest.raises(ModelError, match="do not fit"):
        read_zoo(tmp_path / "net.safetensors", bitproof.model("resnet20"), "lsq:w4a4", (3, 32, 32))


def test_what_ships_is_what_the_index_says():
    assert {f"{name}.safetensors" for name in zoo_index()} == {path.name for path in FOLDER.glob("*.safetensors")}
    for entry in zoo_index().values():
        data = (FOLDER / entry["file"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (entry["sha256"], entry["size_bytes"])
        assert all(0 <= each["low"] <= each["accuracy"] <= each["high"] <= 1 for each in entry["measured"])
        assert entry["data"] and entry["started_from"] and entry["measured"][0]["noise"] == "clean"
    assert sum(entry["size_bytes"] for entry in zoo_index().values()) <= 6e6
    assert {f"resnet20-cifar10-{recipe}" for recipe in ("float", "lsq-w4a4", "lsq-w2a2")} <= set(zoo_index())
    assert [card.name for card in zoo_cards()] == [f"zoo/{name}" for name in zoo_index()]
    cards = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"## zoo/{name}\n" in cards and entry["sha256"] in cards for name, entry in zoo_index().items())


KEYWORDS = [name for name in zoo_index() if "kws12" in name]


def inputs(network):
    """Four inputs of the network, in the range that it takes."""
    generator = torch.Generator().manual_seed(1)
    if network.form.kind == "keyword":
        return noise("logmel-32")(0.2 * torch.randn(4, network.form.length, generator=generator))
    return torch.rand(4, 3, 32, 32, generator=generator)


@pytest.mark.parametrize("name", zoo_index())
def test_each_network_loads(name):
    network = bitproof.model(f"zoo/{name}")
    low_bit = zoo_index()[name]["recipe"] != "float"
    expected = (12, Clip("logmel-32")) if name in KEYWORDS else (10, Geometry(32, 32))
    assert (network.classes, network.form, network.differentiable) == (*expected, True)
    given = inputs(network).requires_grad_()
    network.module(given).logsumexp(1).sum().backward()
    assert given.grad.abs().sum() > 0
    assert any(parameter.requires_grad for parameter in network.module.parameters()) == (not low_bit)


def test_keywords_are_small_and_say_where_they_come_from():
    assert len(KEYWORDS) >= 3 and sum(zoo_index()[name]["size_bytes"] for name in KEYWORDS) <= 2e6
    for name in KEYWORDS:
        entry = zoo_index()[name]
        assert "CC BY 4.0" in entry["data"] and "results/kws" in entry["source"] and "seed 0" in entry["source"]


@pytest.mark.parametrize("name", [name for name in KEYWORDS if "w1" in name])
def test_packed_a_network_of_keywords_gives_the_same_logits(name):
    """At each depth; the packed sums are exact and scales round elsewhere, so logits differ in their last digits alone."""
    network = bitproof.model(f"zoo/{name}")
    x = inputs(network)
    for depth in (8, 1):
        next(module for module in network.module.modules() if hasattr(type(module), "set_depth")).set_depth(depth)
        with torch.inference_mode():
            torch.testing.assert_close(deploy(network.module, x[:2]).model(x), network.module(x), rtol=1e-4, atol=1e-4)


def test_an_unknown_name_and_a_changed_file_are_refused(monkeypatch, tmp_path):
    with pytest.raises(UnknownName, match=r"resnet20-cifar10-lsq-w4a4.*bitproof list zoo"):
        bitproof.model("zoo/resnet20-cifar10-lsq-w4a")
    (tmp_path / "resnet20-cifar10-float.safetensors").write_bytes(b"other")
    monkeypatch.setattr("bitproof.export.zoo.FOLDER", tmp_path)
    with pytest.raises(ModelError, match="another checksum"):
        bitproof.model("zoo/resnet20-cifar10-float")


def test_a_low_bit_network_is_not_made_low_bit_again(x):
    network = bitproof.model("zoo/resnet20-cifar10-lsq-w4a4")
    with pytest.raises(ModelError, match="low-bit already"):
        quantize(network.module, "mse:w8a8", [x])


DATA = os.environ.get("BITPROOF_DATA")


@pytest.mark.skipif(DATA is None or not Path(DATA, "cifar10-jpeg-test.parquet").exists(), reason="$BITPROOF_DATA has no CIFAR-10")
def test_in_a_grid_it_is_as_accurate_as_its_card_says(tmp_path):
    grid = {
        "tasks": ["parquet:$BITPROOF_DATA/cifar10-jpeg-test.parquet"],
        "models": ["zoo/resnet20-cifar10-lsq-w2a2"],
        "recipes": ["fp32"],
        "noises": ["clean", "pgd-linf:eps=2/255,steps=2"],
        "limit": {"clean": 300, "adversarial": 20},
    }
    assert bitproof.run(grid, tmp_path / "run").failed == 0
    rows = bitproof.results.load(tmp_path / "run")
    clean = zoo_index()["resnet20-cifar10-lsq-w2a2"]["measured"][0]["accuracy"]
    found = rows.filter(rows["noise"] == "clean")["correct"]
    assert len(found) == 300 and abs(found.mean() - clean) < 4 * (clean * (1 - clean) / 300) ** 0.5
    with pytest.raises(SpecError, match="low-bit already"):
        bitproof.run({**grid, "recipes": ["mse:w4a4"]}, tmp_path / "other")


@pytest.mark.skipif(DATA is None or not Path(DATA, "speech-commands-3600.parquet").exists(), reason="$BITPROOF_DATA has no clips")
def test_in_a_grid_keywords_are_what_the_committed_rows_say(tmp_path):
    """The same clips under the same noises get the same answers as in results/kws, from which the network was made."""
    name, limit = "bifsmn-kws12-bifsmnv2-w1a2", 40
    grid = {
        "tasks": ["keyword/parquet:$BITPROOF_DATA/speech-commands-3600.parquet,part=test,classes=12"],
        "models": [f"zoo/{name}"],
        "recipes": ["fp32"],
        "noises": ["clean", "pink_noise:2", "thin:4"],
        "limit": limit,
        "threads": 1,
    }
    assert bitproof.run(grid, tmp_path / "run").failed == 0
    rows = bitproof.results.load(tmp_path / "run")
    committed = bitproof.results.load(Path(__file__).parents[2] / "results" / "kws")
    theirs = committed.filter(recipe="bifsmnv2:w1a2", seed=0).select("noise", "sample", "prediction")
    both = rows.join(theirs, on=["noise", "sample"], suffix="_committed")
    assert len(both) == 3 * limit
    sure = both.filter(both["margin"].abs() > 1e-3)
    assert sure["prediction"].to_list() == sure["prediction_committed"].to_list()


def test_the_index_is_plain_json():
    assert json.loads((FOLDER / "index.json").read_text(encoding="utf-8")) == zoo_index()
