"""Checkpoints of binary networks in other people's formats: the same predictions in simulation and on packed bits."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import bitproof as bp
from bitproof.core import ModelError, SpecError
from bitproof.export import adopt

X = torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class Vgg(nn.Module):
    """A small VGG: a float layer, two binary convolutions, a binary linear layer, a float one."""

    def __init__(self, keras):
        super().__init__()
        self.keras = keras
        self.first = nn.Conv2d(3, 20, 3, padding=1, bias=False)
        self.conv1 = nn.Conv2d(20, 36, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(36, 24, 3, stride=2, padding=1, bias=False)
        self.fc1, self.fc2 = nn.Linear(24 * 4 * 4, 50, bias=False), nn.Linear(50, 7)
        self.norms = nn.ModuleList([nn.BatchNorm2d(20), nn.BatchNorm2d(36), nn.BatchNorm2d(24), nn.BatchNorm1d(50)])

    def forward(self, x):
        x = self.norms[0](self.first(x))
        x = self.norms[1](F.max_pool2d(self.conv1(x), 2))
        x = self.norms[2](self.conv2(x))
        x = x.permute(0, 2, 3, 1) if self.keras else x
        return self.fc2(self.norms[3](self.fc1(x.flatten(1))))


def foreign(seed=0):
    """What somebody's training left: float and ±α weights in torch's layout, norms."""
    random = np.random.default_rng(seed)
    state = {"first.weight": random.standard_normal((20, 3, 3, 3)) / 5, "fc2.weight": random.standard_normal((7, 50))}
    state["fc2.bias"] = random.standard_normal(7)
    for name, shape in {"conv1": (36, 20, 3, 3), "conv2": (24, 36, 3, 3), "fc1": (50, 24 * 16)}.items():
        signs = np.where(random.random(shape) < 0.5, -1.0, 1.0)
        state[f"{name}.weight"] = signs * random.uniform(0.01, 0.2, (shape[0], *[1] * (len(shape) - 1)))
    for i, n in enumerate((20, 36, 24, 50)):
        for key, value in {"weight": random.uniform(0.5, 1.5, n), "bias": random.standard_normal(n) / 3}.items():
            state[f"norms.{i}.{key}"] = value
        state |= {f"norms.{i}.running_mean": random.standard_normal(n) / 3, f"norms.{i}.running_var": random.uniform(0.5, 2, n)}
    return {name: value.astype(np.float32) for name, value in state.items()}


def by_hand(state, keras, pad):
    """The network from its arrays, in float64 and with torch's functions alone."""
    v = {name: torch.from_numpy(value).double() for name, value in state.items()}

    def sign(x):
        return torch.where(x < 0, -1.0, 1.0).double()

    def norm(i, x):
        return F.batch_norm(x, *(v[f"norms.{i}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")))

    def conv(name, x, stride):
        return F.conv2d(F.pad(sign(x), (1, 1, 1, 1), value=pad), v[f"{name}.weight"], stride=stride)

    x = norm(0, F.conv2d(X.double(), v["first.weight"], padding=1))
    x = norm(2, conv("conv2", norm(1, F.max_pool2d(conv("conv1", x, 1), 2)), 2))
    x = (x.permute(0, 2, 3, 1) if keras else x).flatten(1)
    return F.linear(norm(3, F.linear(sign(x), v["fc1.weight"])), v["fc2.weight"], v["fc2.bias"])


def keras_layout(w):
    return w.transpose(2, 3, 1, 0) if w.ndim == 4 else w.T if w.ndim == 2 else w


def as_bits(state, **how):
    """Binary weights as bits, with their scales beside them."""
    found = dict(state)
    for name in ("conv1", "conv2", "fc1"):
        w = state[f"{name}.weight"]
        found[f"{name}.weight"] = np.packbits(keras_layout(w) < 0 if how.get("keras") else w < 0, bitorder=how.get("order", "big"))
        found[f"{name}.alpha"] = np.abs(w).reshape(len(w), -1)[:, 0]
    return found


def check(model, expected):
    deployed, simple = bp.deploy(model, X), bp.deploy(model)
    assert deployed.report.packed == 3
    with torch.no_grad():
        for found in (model, simple.model, deployed.model):
            y = found(X)
            assert torch.equal(y.argmax(1), expected.argmax(1))
            torch.testing.assert_close(y.double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pad", [0, 1, -1])
def test_signs_times_alpha_in_torchs_layout(pad):
    check(adopt(Vgg(False), foreign(), pad=pad), by_hand(foreign(), False, pad))


@pytest.mark.parametrize("pad", [0, 1])
def test_the_layout_and_names_of_keras(pad):
    state = {f"net/{name}:0": keras_layout(value) for name, value in foreign().items()}
    names = {f"net/{name}:0": name for name in foreign()}
    check(adopt(Vgg(True), state, layout="hwio", pad=pad, names=names), by_hand(foreign(), True, pad))


def test_bits_with_scales():
    check(adopt(Vgg(False), as_bits(foreign(), order="little"), order="little", pad=1), by_hand(foreign(), False, 1))
    flipped = {name: ~value if value.dtype == np.uint8 else value for name, value in as_bits(foreign()).items()}
    check(adopt(Vgg(False), flipped, ones=1), by_hand(foreign(), False, 0))
    keras = {
        name: value if value.dtype == np.uint8 else keras_layout(value) for name, value in as_bits(foreign(), keras=True).items()
    }
    check(adopt(Vgg(True), keras, layout="hwio"), by_hand(foreign(), True, 0))


def test_an_adopted_network_goes_into_a_file(tmp_path):
    program = bp.deploy(adopt(Vgg(False), foreign(), pad=-1), X).model
    bp.save_packed(program, tmp_path / "vgg")
    with torch.no_grad():
        assert torch.equal(bp.load_packed(tmp_path / "vgg")(X).argmax(1), by_hand(foreign(), False, -1).argmax(1))


@pytest.mark.parametrize(
    ("change", "settings", "error", "words"),
    [
        ({}, {"layout": "ohwi"}, SpecError, "oihw, hwio"),
        ({}, {"pad": 2}, SpecError, "0, 1, -1"),
        ({}, {"layout": "hwio"}, ModelError, "layout"),
        ({"conv1.weight": np.zeros(5, np.uint8)}, {}, ModelError, "5 bytes"),
        ({"surplus": np.zeros(1)}, {}, ModelError, "surplus"),
    ],
)
def test_what_does_not_fit_is_refused(change, settings, error, words):
    with pytest.raises(error, match=words):
        adopt(Vgg(False), {**foreign(), **change}, **settings)


def test_float_weights_are_told_from_signs():
    state = foreign()
    state["conv1.weight"][3, 2, 1, 1] = 0  # one zero among the signs
    assert "float" in str(bp.deploy(adopt(Vgg(False), state), X).report)
    with pytest.raises(ModelError, match="±α"):
        adopt(nn.Linear(2, 2), nn.Linear(2, 2).state_dict())


class LeNet(nn.Module):
    """The networks of larq/train.py: Keras's epsilon, and its order of positions before channels."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 12, 5, bias=False), nn.Conv2d(12, 24, 5, padding=2, bias=False)
        self.fc1, self.fc2, self.fc3 = nn.Linear(24 * 36, 120, bias=False), nn.Linear(120, 84, bias=False), nn.Linear(84, 10)
        self.norm1, self.norm2 = nn.BatchNorm2d(12, 1e-3), nn.BatchNorm2d(24, 1e-3)
        self.norm3, self.norm4 = nn.BatchNorm1d(120, 1e-3), nn.BatchNorm1d(84, 1e-3)

    def forward(self, x):
        x = self.norm1(F.max_pool2d(self.conv1(x), 2))
        x = self.norm2(F.max_pool2d(self.conv2(x), 2))
        x = self.norm3(self.fc1(x.permute(0, 2, 3, 1).flatten(1)))
        return self.fc3(self.norm4(self.fc2(x)))


KERAS = {
    **{"kernel": "weight", "kernel.alpha": "alpha", "gamma": "weight", "beta": "bias", "bias": "bias"},
    **{"moving_mean": "running_mean", "moving_variance": "running_var"},
}


@pytest.mark.parametrize(("name", "pad"), [("zero", 0), ("minus-one", -1)])
def test_networks_that_larq_trained_answer_as_in_larq(name, pad):
    """Oracle: TensorFlow's own answers, kept beside the weights."""
    kept = dict(np.load(Path(__file__).parent / "larq" / f"lenet-{name}.npz"))
    pictures, expected = kept.pop("pictures"), torch.from_numpy(kept.pop("logits"))
    x = torch.from_numpy((pictures[:, None] / 127.5 - 1).astype(np.float32))
    names = {key: f"{key.split('/')[0]}.{KERAS[key.split('/')[1]]}" for key in kept}
    model = adopt(LeNet(), kept, layout="hwio", pad=pad, names=names)
    deployed = bp.deploy(model, x)
    assert deployed.report.packed == 3
    with torch.no_grad():
        for found in (model(x), deployed.model(x)):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
            assert torch.equal(found.argmax(1), expected.argmax(1))
