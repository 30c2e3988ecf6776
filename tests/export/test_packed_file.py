"""A packed network as a file: the same logits again, few bytes, and nothing bad happens with what is no such file."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from test_deploy import METHODS
from test_deploy_fused import X, chain
from torch import nn

import bitproof as bp
from bitproof.core import BitproofError, ModelError, StoreError
from bitproof.models import load

KEY = "bitproof.packed"


@pytest.fixture(scope="module")
def program():
    return bp.deploy(chain("reactnet:w1a1"), X).model


@pytest.fixture
def file(program, tmp_path):
    bp.save_packed(
        program, tmp_path / "net.safetensors", {"size": 9, "resize": 9, "mode": "shorter", "interpolation": "pil-bilinear"}
    )
    return tmp_path / "net.safetensors"


def rewritten(file, change):
    """The file after ``change`` of its header and arrays."""
    with safe_open(file, framework="np") as found:
        header, arrays = json.loads(found.metadata()[KEY]), {key: found.get_tensor(key) for key in found.keys()}
    change(header, arrays)
    save_file(arrays, file, {KEY: json.dumps(header)})
    return file


@pytest.mark.parametrize("method", ["bnn", "dorefa", "xnorpp"])
def test_read_again_it_gives_the_same_logits_from_few_bytes(method, tmp_path):
    model = chain(METHODS[method])
    program = bp.deploy(model, X).model
    size = bp.save_packed(program, tmp_path / "net.safetensors")
    assert size == (tmp_path / "net.safetensors").stat().st_size
    with safe_open(tmp_path / "net.safetensors", framework="np") as found:
        kept = {key: found.get_tensor(key) for key in found.keys()}
    assert sum(value.nbytes for key, value in kept.items() if key.endswith(".signs")) == 3 * 40 * 40 * 9 // 8
    again = bp.load_packed(tmp_path / "net.safetensors")
    with torch.no_grad():
        assert torch.equal(again(X), program(X))


def test_its_door_opens_it_as_a_finished_session(file):
    network = load(f"packed:{file}")
    assert (network.differentiable, network.classes, network.geometry.size) == (False, 5, 9)
    with torch.no_grad():
        assert torch.equal(network.module(X), bp.load_packed(file)(X))
    with pytest.raises(ModelError, match="5 logits"):
        load(f"packed:{file},classes=7")


def run_of(name):
    return lambda header, arrays: header["steps"].__setitem__(0, [1, name, [{"step": 0}], {}])


def a_step(change):
    return lambda header, arrays: change(header["steps"])


HOSTILE = {
    "an unknown call": run_of("os.system"),
    "a call that writes": run_of("aten.relu_.default"),
    "a call that reads files": run_of("aten.from_file.default"),
    "an attribute of torch": a_step(lambda steps: steps[0][2].append({"dtype": "hub"})),
    "a word of another kind": a_step(lambda steps: steps[0][2].append({"exec": "1"})),
    "a tensor that is not there": a_step(lambda steps: steps[0][2].append({"tensor": "none"})),
    "a later result": a_step(lambda steps: steps[0][2].__setitem__(0, {"step": 99})),
    "a step twice": a_step(lambda steps: steps.append(steps[0])),
    "no output": lambda header, arrays: header.update(output=99),
    "another version": lambda header, arrays: header.update(version=2),
    "a later version": lambda header, arrays: header.update(version=4),
    "no steps": lambda header, arrays: header.pop("steps"),
    "steps of text": lambda header, arrays: header.update(steps="rm -rf"),
    "too few signs": lambda header, arrays: arrays.update({"product.2.signs": np.zeros(3, np.uint8)}),
    "signs of another type": lambda header, arrays: arrays.update({"product.2.signs": np.zeros(1800, np.float32)}),
    "thresholds of another layer": lambda header, arrays: arrays.update({"product.5.threshold": np.zeros(7, np.float32)}),
    "an endless shape": lambda header, arrays: header["products"]["2"].update(shape=[2**40, 40, 3, 3]),
    "a shape of nothing": lambda header, arrays: header["products"]["2"].update(shape=[0, 40, 3, 3]),
    "groups that do not fit": lambda header, arrays: header["products"]["2"].update(groups=7),
    "a cut too short": lambda header, arrays: arrays.update({"product.2.at": np.zeros(3, np.int32)}),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_file_is_refused_before_anything_runs(how, file):
    with pytest.raises(ModelError, match="is damaged"):
        bp.load_packed(rewritten(file, HOSTILE[how]))


@pytest.mark.parametrize(
    "change",
    [
        lambda header, arrays: header["products"]["2"].update(stride=[0, 1]),
        lambda header, arrays: header["products"]["2"].update(pad=3),
        lambda header, arrays: header["products"]["2"].update(padding=[-1, 0]),
        lambda header, arrays: header["steps"][-1].__setitem__(2, [{"step": 1}, 5]),
    ],
)
def test_what_cannot_run_is_an_error_of_the_door(change, file):
    with pytest.raises(BitproofError):
        load(f"packed:{rewritten(file, change)}")


def test_other_files_are_told_from_packed_networks(file, tmp_path):
    for content in (b"", b"not a tensor", file.read_bytes()[:-9], (100).to_bytes(8, "little") + b"{}"):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(ModelError, match="no packed network"):
            bp.load_packed(tmp_path / "bad")
    save_file({"w": np.zeros(3)}, tmp_path / "weights.safetensors")
    with pytest.raises(ModelError, match="--packed"):
        bp.load_packed(tmp_path / "weights.safetensors")
    with pytest.raises(ModelError, match="does not exist"):
        bp.load_packed(tmp_path / "none")
    bp.save_packed(bp.load_packed(file), tmp_path / "bare.safetensors")
    with pytest.raises(ModelError, match="how a picture"):
        load(f"packed:{tmp_path / 'bare.safetensors'}")


def test_what_cannot_be_written_says_so(program, tmp_path):
    with pytest.raises(StoreError, match="cannot be written"):
        bp.save_packed(program, tmp_path / "none" / "net.safetensors")


def test_a_linear_network_keeps_its_types_and_shapes(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.middle, self.last = nn.Linear(6, 70), nn.Linear(70, 70), nn.Linear(70, 3)

        def forward(self, x):
            y = self.middle(self.first(x)).double().softmax(-1).to(torch.float32)
            return self.last(y.clamp(min=0.001)).mean(dim=1)

    x = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(0))
    model = bp.quantize(Net(), "bireal:w1a1", [x]).model
    program = bp.deploy(model, x).model
    bp.save_packed(program, tmp_path / "net")
    with torch.no_grad():
        torch.testing.assert_close(program(x), model(x))
        assert torch.equal(bp.load_packed(tmp_path / "net")(x[:2]), program(x[:2]))
