"""An ONNX session gives what its torch twin gives, whatever its batch size, and survives being copied."""

import copy
import pickle
import warnings

import pytest
import torch
from torch import nn

from bitproof.core import ModelError, SpecError
from bitproof.models import TorchVictim, load
from bitproof.noises import noise

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
onnx = pytest.importorskip("onnx", reason="onnx is not installed")


def twin():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 49, 5)).eval()


def exported(path, batch=None, module=None, channels=3):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module or twin(),
            (torch.zeros(batch or 1, channels, 16, 16),),
            str(path),
            input_names=["x"],
            dynamic_axes=None if batch else {"x": {0: "n"}},
            dynamo=False,
        )
    return path


@pytest.mark.parametrize("batch", [None, 1, 3])
def test_parity_with_torch(tmp_path, batch):
    path = exported(tmp_path / "m.onnx", batch)
    network = load(f"onnx:{path},size=16,mean=imagenet,std=imagenet")
    x = torch.rand(7, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    expected = twin()((x - network.module.mean) / network.module.std)
    torch.testing.assert_close(network.module(x), expected, rtol=1e-4, atol=1e-5)
    assert network.classes == 5
    assert not network.differentiable


def test_it_can_be_copied_pickled_and_told_apart(tmp_path):
    network = load(f"onnx:{exported(tmp_path / 'm.onnx')},size=16")
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    for other in (copy.deepcopy(network.module), pickle.loads(pickle.dumps(network.module))):
        assert torch.equal(other(x), network.module(x))
    assert load(f"onnx:{tmp_path / 'm.onnx'},size=16").digest == network.digest
    exported(tmp_path / "m.onnx", batch=2)
    assert load(f"onnx:{tmp_path / 'm.onnx'},size=16").digest != network.digest


def test_it_has_the_threads_that_torch_has_when_it_runs(tmp_path, monkeypatch):
    import onnxruntime

    opened = []

    class Options(onnxruntime.SessionOptions):
        def __setattr__(self, name, value):
            if name == "intra_op_num_threads":
                opened.append(value)
            super().__setattr__(name, value)

    monkeypatch.setattr(onnxruntime, "SessionOptions", Options)
    threads, x = torch.get_num_threads(), torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    try:
        torch.set_num_threads(2)
        module = load(f"onnx:{exported(tmp_path / 'm.onnx')},size=16").module
        before = module(x)
        torch.set_num_threads(1)
        after = [module(x), module(x), copy.deepcopy(module)(x)]
    finally:
        torch.set_num_threads(threads)
    assert opened == [2, 1, 1]
    for y in after:
        torch.testing.assert_close(y, before)


def test_gradient_attacks_are_refused_and_noise_works(tmp_path):
    network = load(f"onnx:{exported(tmp_path / 'm.onnx')},size=16")
    victim = TorchVictim(network.module, differentiable=network.differentiable)
    x = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    y = victim.decide(x)
    with pytest.raises(SpecError, match="noise-linf"):
        noise("pgd-linf:eps=0.1")(victim, x, y, range(4))
    assert noise("noise-linf:eps=0.5,draws=30")(victim, x, y, range(4)).queries.max() > 1


def test_what_cannot_be_run_is_refused(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"bad\.onnx"):
        load(f"onnx:{tmp_path / 'bad.onnx'},size=16")
    grey = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten())
    with pytest.raises(ModelError, match="N×3×S×S"):
        load(f"onnx:{exported(tmp_path / 'grey.onnx', module=grey, channels=1)},size=16")
    with pytest.raises(ModelError, match="20×20"):
        load(f"onnx:{exported(tmp_path / 'm.onnx')},size=20")
