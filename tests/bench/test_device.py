"""Cells on another device: a GPU of paper stands for one, so that a tensor on the wrong side is found without a GPU."""

import pytest
import torch
from paper_gpu import GPU, paper_gpu
from torch import nn

import bitproof as bp
from bitproof.bench.device import device_named
from bitproof.core import SpecError
from bitproof.models import TorchVictim
from bitproof.noises import noise

ATTACKS = [
    *(f"{name}:eps=8/255" for name in ("fgsm-linf", "noise-linf", "noise-l2", "noise-l1")),
    *(f"pgd-{norm}:eps=0.5,steps=3" for norm in ("linf", "l2", "l1")),
    "pgd-linf:eps=8/255,steps=3,grad=soft:1..0.1",
    "mim-linf:eps=8/255,steps=3",
    *(f"apgd-{loss}-{norm}:eps=0.1,steps=4" for loss in ("ce", "dlr", "t") for norm in ("linf", "l1")),
    *(f"fab-t-{norm}:eps=0.1,steps=3" for norm in ("linf", "l2", "l1")),
    *(f"square-{norm}:eps=0.1,queries=12" for norm in ("linf", "l2", "l1")),
    *(f"fmn-{norm}:steps=4" for norm in ("linf", "l2", "l1")),
]


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 5)
    ).eval()


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(4, 3, 12, 12, generator=generator), torch.randint(0, 5, (4,), generator=generator)


def quantized(net, batch, recipe):
    return net if recipe == "fp32" else bp.quantize(net, recipe, calibration=[batch[0]])[0]


@pytest.mark.parametrize("recipe", ["fp32", "mse:w4a4"])
@pytest.mark.parametrize("spec", ATTACKS)
def test_an_attack_finds_the_same_on_another_device(net, batch, spec, recipe):
    victim = TorchVictim(quantized(net, batch, recipe))
    x, y = batch
    here = noise(spec)(victim, x, y, range(4))
    with paper_gpu() as device:
        there = noise(spec)(victim.on(device), x.to(device), y.to(device), range(4))
        assert there.x.device == device
        found = [value.cpu() for value in (there.x, there.success, there.queries, there.gradients)]
    for ours, theirs in zip((here.x, here.success, here.queries, here.gradients), found, strict=True):
        assert torch.equal(ours, theirs)


def test_paper_refuses_what_a_gpu_refuses():
    with paper_gpu() as device:
        there = torch.ones(3, device=device)
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(3)
        with pytest.raises(RuntimeError):
            there.numpy()
        assert (there + torch.tensor(1.0)).cpu().tolist() == [2, 2, 2]


def test_a_victim_answers_where_it_is_asked(net, batch):
    victim, x = TorchVictim(net), batch[0]
    with paper_gpu() as device:
        moved = victim.on(device)
        assert moved.device == device and victim.device.type == "cpu"
        assert moved.logits(x).device.type == "cpu" and moved.logits(x.to(device)).device == device
        assert torch.equal(moved.logits(x), victim.logits(x))


def test_a_session_stays_where_it_is(net):
    session = TorchVictim(net, differentiable=False)
    assert session.on(GPU) is session


def test_a_run_on_another_device_leaves_the_same_rows(grid, tmp_path, monkeypatch):
    rows = {}
    for name in ("cpu", "paper"):
        with paper_gpu():
            monkeypatch.setattr("bitproof.bench.runner.device_named", {"cpu": device_named, "paper": lambda _: GPU}[name])
            bp.run(grid, tmp_path / name, device="cpu")
        assert [failure["error"] for failure in bp.results.Store.open(tmp_path / name).failures()] == []
        rows[name] = bp.results.load(tmp_path / name)
        assert bp.results.Store.open(tmp_path / name).environment()["device"] == {"cpu": "cpu", "paper": "meta"}[name]
    assert rows["cpu"].equals(rows["paper"])


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "cuda:99"])
def test_a_device_that_cannot_be_used_is_refused(grid, tmp_path, name):
    with pytest.raises(SpecError, match=f"device '{name}' cannot be used"):
        bp.run(grid, tmp_path / "run", device=name)
    assert not (tmp_path / "run").exists()
