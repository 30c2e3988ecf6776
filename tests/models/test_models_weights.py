"""Checkpoints are read as tensors or not at all."""

import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from bitproof.core import ModelError
from bitproof.models import load
from bitproof.models.resnet_cifar import ResNet
from bitproof.models.weights import load_weights, read_weights


@pytest.fixture
def state():
    return ResNet(3, 10).state_dict()


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, flag):
        self.flag = flag

    def __reduce__(self):
        return os.system, (f"touch {self.flag}",)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth", ".bin", ".ckpt"])
def test_a_round_trip_gives_the_same_network(tmp_path, state, suffix):
    path = tmp_path / f"w{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    network = load(f"resnet20:weights={path}")
    assert all(torch.equal(network.module.net.state_dict()[name], value) for name, value in state.items())
    assert network.digest == load(f"resnet20:weights={path}").digest
    assert network.digest != load("resnet20").digest


def test_the_digest_is_of_the_numbers_and_not_of_the_file(tmp_path, state):
    save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "b.pt")
    one, other = (load(f"resnet20:weights={tmp_path / name}") for name in ("a.safetensors", "b.pt"))
    assert one.digest == other.digest
    state["linear.bias"][0] += 1e-7
    torch.save(state, tmp_path / "b.pt")
    assert load(f"resnet20:weights={tmp_path / 'b.pt'}").digest != one.digest


def test_nested_and_parallel_checkpoints_are_unwrapped(tmp_path, state):
    for i, wrapped in enumerate(({"state_dict": state, "epoch": 3}, {"model": {f"module.{k}": v for k, v in state.items()}})):
        torch.save(wrapped, tmp_path / f"{i}.pt")
        assert read_weights(tmp_path / f"{i}.pt").keys() == state.keys()


def test_a_variable_in_the_path_is_filled_in(tmp_path, state, monkeypatch):
    save_file(state, tmp_path / "w.safetensors")
    monkeypatch.setenv("SOME_WEIGHTS", str(tmp_path))
    assert load("resnet20:weights=$SOME_WEIGHTS/w.safetensors").spec == "resnet20:weights=$SOME_WEIGHTS/w.safetensors"


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt"])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path, state, suffix):
    flag, path = tmp_path / "ran", tmp_path / f"evil{suffix}"
    torch.save({**state, "extra": Bomb(flag)}, path)
    with pytest.raises(ModelError, match="run its code"):
        load(f"resnet20:weights={path}")
    path.write_bytes(pickle.dumps(Bomb(flag), protocol=2))
    with pytest.raises(ModelError):
        load(f"resnet20:weights={path}")
    assert not flag.exists()
    pickle.loads(path.read_bytes())  # the bomb is a real one
    assert flag.exists()


def test_a_whole_module_is_refused(tmp_path):
    torch.save(ResNet(3, 10), tmp_path / "model.pt")
    with pytest.raises(ModelError, match=r"\(bitproof\.models\.resnet_cifar\.ResNet\).*state_dict\(\)"):
        load(f"resnet20:weights={tmp_path / 'model.pt'}")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_damaged_files_are_named(tmp_path, state, suffix):
    path = tmp_path / f"w{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    for content in (path.read_bytes()[:1000], b"", b"not weights"):
        path.write_bytes(content)
        with pytest.raises(ModelError, match="w"):
            read_weights(path)


@pytest.mark.parametrize(
    "content",
    [b"hello\n", b"....", bytes(100), b"<html>404 not found", b'{"a": 1}', b"version https://git-lfs", b"\x80\x02}q\x00."],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_what_is_no_weights_file_is_named_without_advice_to_run_it(tmp_path, content, suffix):
    path = tmp_path / f"text{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"text\..* damaged or") as error:
        read_weights(path)
    assert "weights_only" not in str(error.value)


def test_other_kinds_of_files_are_refused(tmp_path, state):
    (tmp_path / "w.npz").write_bytes(b"")
    with pytest.raises(ModelError, match="safetensors"):
        read_weights(tmp_path / "w.npz")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ModelError, match="state dict"):
        read_weights(tmp_path / "list.pt")
    with pytest.raises(ModelError, match="do not exist"):
        read_weights(tmp_path / "nothing.pt")


def test_what_does_not_fit_is_listed(tmp_path, state):
    state["head.weight"] = state.pop("linear.weight")
    state["linear.bias"] = torch.zeros(4)
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(ModelError) as error:
        load_weights(ResNet(3, 10), tmp_path / "w.safetensors")
    for words in ("missing linear.weight", "surplus head.weight", "linear.bias is (4,), not (10,)"):
        assert words in str(error.value)


def test_lazy_layers_take_weights(tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef build():\n    return nn.Sequential(nn.Flatten(), nn.LazyLinear(3))\n"
    )
    save_file({"1.weight": torch.ones(3, 48), "1.bias": torch.zeros(3)}, tmp_path / "w.safetensors")
    network = load(f"python:{tmp_path / 'net.py'}#build,size=4,weights={tmp_path / 'w.safetensors'}")
    assert network.module(torch.ones(1, 3, 4, 4)).tolist() == [[48.0, 48.0, 48.0]]
