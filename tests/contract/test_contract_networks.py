"""A network from every door through the checks of ``contract_networks``, and a wrong one for each check."""

import functools
import warnings
from dataclasses import replace

import pytest
import torch
from contract_networks import CHECKS
from torch import nn

from bitproof.convert import quantize
from bitproof.core import Geometry, MissingExtra
from bitproof.export import deploy, save_packed
from bitproof.models import MODELS, Network, load

MINE = """
from torch import nn

def build():
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 25, 5))
"""

ANSWERS = """
import numpy as np

def logits(pictures):
    return pictures.reshape(len(pictures), -1)[:, :430].reshape(len(pictures), 5, 86).mean(axis=2)
"""

#: Door → a spec that opens it without the network; {mine}, {answers}, {bits}, {program} and {onnx} are files.
SPECS = {
    "timm": "timm/test_resnet.r160_in1k:pretrained=false,size=32,classes=7",
    "torchvision": "torchvision/squeezenet1_1:pretrained=false,size=48,classes=6",
    "python": "python:{mine}#build,size=12",
    "onnx": "onnx:{onnx},size=12,mean=imagenet,std=imagenet",
    "exported": "exported:{program},size=12,trust=true",
    "black-box": "black-box:{answers}#logits,size=12",
    "packed": "packed:{bits}",
    "efficientnet-lite0": "efficientnet-lite0",
    "efficientnet-lite1": "efficientnet-lite1",
    "efficientnet-lite2": "efficientnet-lite2",
    "resnet20": "resnet20",
    "resnet32": "resnet32:seed=1",
    "resnet44": "resnet44:classes=3",
    "resnet56": "resnet56",
    "small-cnn": "small-cnn",
    "small-vit": "small-vit:classes=7",
    "compact-vit": "compact-vit:classes=7",
    "vgg11-cifar": "vgg11-cifar:width=0.125",
    "mobilenet-v2-cifar": "mobilenet-v2-cifar:width=0.125",
    "bireal-resnet18": "bireal-resnet18:classes=9",
    "bireal-resnet20": "bireal-resnet20",
    "reactnet-resnet18": "reactnet-resnet18:seed=1",
    "reactnet-resnet20": "reactnet-resnet20",
    "d-fsmn": "d-fsmn:depth=2",
    "bifsmn": "bifsmn:depth=4,seed=1",
    "ds-cnn": "ds-cnn:classes=35",
    "res8": "res8",
    "pointnet": "pointnet:width=0.125,classes=5,points=64",
}


@pytest.fixture(scope="session")
def mine(tmp_path_factory):
    path = tmp_path_factory.mktemp("contract") / "mine.py"
    path.write_text(MINE)
    return path


@pytest.fixture(scope="session")
def answers(tmp_path_factory):
    path = tmp_path_factory.mktemp("contract") / "answers.py"
    path.write_text(ANSWERS)
    return path


@pytest.fixture(scope="session")
def onnx(tmp_path_factory):
    path = tmp_path_factory.mktemp("contract") / "mine.onnx"
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        net = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 25, 5)).eval()
        names = {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}}
        torch.onnx.export(net, (torch.zeros(1, 3, 12, 12),), str(path), dynamo=False, **names)
    return path


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    path, x = tmp_path_factory.mktemp("contract") / "mine.pt2", torch.rand(2, 3, 12, 12)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 25, 5)).eval()
    torch.export.save(torch.export.export(net, (x,), dynamic_shapes=({0: torch.export.Dim("n")},)), path)
    return path


@pytest.fixture(scope="session")
def bits(tmp_path_factory):
    path, x = tmp_path_factory.mktemp("contract") / "bits.safetensors", torch.rand(2, 3, 12, 12)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(4 * 9, 5))
    program = deploy(quantize(net, "bireal:w1a1", [x - 0.5]).model, x).model
    save_packed(program, path, {"size": 12, "resize": 12, "mode": "shorter", "interpolation": "pil-bilinear"})
    return path


def test_every_door_is_here():
    elsewhere = {"chat", "vlm", "transformers", "minilm-l6", "zoo"}
    assert set(SPECS) == {*MODELS._own} - elsewhere  # no layers here, and checks of their own


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("door", SPECS)
def test_network(door, check, request):
    if door == "onnx":
        pytest.importorskip("onnx", reason="onnx is not installed")
        pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    files = {
        name: request.getfixturevalue(name)
        for name in ("mine", "answers", "bits", "program", "onnx")
        if f"{{{name}}}" in SPECS[door]
    }
    try:
        check(functools.partial(load, SPECS[door].format(**files)))
    except MissingExtra as missing:
        pytest.skip(str(missing))


class Named(nn.Linear):
    """A layer that no recipe knows."""


def good(classes=None):
    return load("small-cnn", classes=classes)


def changed(**fields):
    return lambda classes=None: replace(good(), **fields)


def with_module(change):
    def loader(classes=None) -> Network:
        network = good()
        return replace(network, module=change(network.module))

    return loader


class Flat(nn.Module):
    """Gives the same whatever it sees, or NaN."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return torch.full((len(x), 10), self.value)


class Drifting(nn.Module):
    """Drawn anew for each instance."""

    def __init__(self, net):
        super().__init__()
        self.net, self.shift = net, torch.rand(10)

    def forward(self, x):
        return self.net(x) + self.shift


class Writing(nn.Module):
    """Normalises in place."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x.sub_(0.5))


class Local(nn.Module):
    """Holds on to a function without a name."""

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.hook = lambda x: x

    def forward(self, x):
        return self.net(x)


#: Check → loaders that it must not let pass.
WRONG = {
    "check_gives_a_logit_a_class": [changed(classes=11), with_module(lambda net: Flat(float("nan")))],
    "check_loads_the_same_again": [with_module(Drifting)],
    "check_digest_tells_networks_apart": [changed(digest="v1")],
    "check_is_ready_to_be_measured": [
        *(with_module(lambda net: net.train()), with_module(lambda net: net.double()), with_module(lambda net: Writing(net).eval()))
    ],
    "check_names_a_clean_resize": [changed(form=Geometry(28, 28, interpolation="decode-pil"))],
    "check_spec_is_canonical": [changed(spec=" small-cnn ")],
    "check_carries_a_gradient_or_says_so": [changed(differentiable=False), with_module(lambda net: Flat(0.0))],
    "check_pickled_it_is_the_same": [with_module(Local)],
    "check_can_be_made_low_bit": [with_module(lambda net: nn.Sequential(nn.Flatten(), Named(3 * 28 * 28, 10)))],
    "check_another_number_of_classes_is_refused": [lambda classes=None: good()],
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_check_finds_a_wrong_network(check):
    for wrong in WRONG[check.__name__]:
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            check(wrong)
