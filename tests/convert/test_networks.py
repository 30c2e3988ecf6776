"""Networks that people use."""

import io
import os
from pathlib import Path

import pytest
import torch

from bitproof.convert import QuantLayer, insert, quantize
from bitproof.core import BitproofError
from bitproof.models import load


@pytest.fixture(scope="module")
def efficientnet():
    try:
        return load("efficientnet-lite0").module
    except BitproofError as error:
        pytest.skip(str(error))


def test_efficientnet_lite(efficientnet):
    """Convs that pad in their own forward, channels whose weights are all zero, a batch norm after each conv but none left."""
    x = torch.rand(6, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    converted = quantize(efficientnet, "mse:w8a8", [x])
    assert len(converted.report.folded) == 49 and len(converted.report.layers) == 50
    layers = [module for module in converted.model.modules() if isinstance(module, QuantLayer)]
    assert any((layer.layer.weight.flatten(1) == 0).all(1).any() for layer in layers)
    with torch.no_grad():
        y, expected = converted.model(x), efficientnet(x)
        assert torch.isfinite(y).all()
        assert torch.equal(y.argmax(1), expected.argmax(1)) or float((y - expected).norm() / expected.norm()) < 0.2
        torch.testing.assert_close(torch.cat([converted.model(one) for one in x.split(1)]), y, rtol=1e-3, atol=1e-3)
    fresh = insert(efficientnet, "mse:w8a8")
    assert fresh.report == converted.report
    fresh.model.load_state_dict(converted.model.state_dict())
    with torch.no_grad():
        assert torch.equal(fresh.model(x), y)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "swin_s3_tiny_224", "resnet10t", "tf_efficientnet_lite0"])
def test_timm(name):
    timm = pytest.importorskip("timm")
    model = timm.create_model(name, num_classes=5).eval()
    x = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    converted = quantize(model, "minmax:w8a8", [x])
    assert all(layer.changed or layer.reason for layer in converted.report.layers)
    with torch.no_grad():
        expected = model(x)
        assert float((converted.model(x) - expected).norm() / expected.norm()) < 0.2


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "least", "most"), [("mse:w8a8", 85, 100), ("mse:w5a8", 65, 92), ("mse:w4a8", 0, 35)])
def test_accuracy_falls_as_known(efficientnet, recipe, least, most):
    """EfficientNet-Lite0 loses little at 8 bits, ten points at w5a8, and collapses with 4-bit weights (90, 80, 11 of 90 %)."""
    x, y = imagenet_sample(200)
    model = quantize(efficientnet, recipe, x[1::2].split(32)[:2]).model
    with torch.no_grad():
        predicted = torch.cat([model(batch).argmax(1) for batch in x[::2].split(25)])
    assert least <= 100 * float((predicted == y[::2]).float().mean()) <= most


def imagenet_sample(n):
    folder = os.environ.get("BITPROOF_DATA")
    if not folder:
        pytest.skip("BITPROOF_DATA is not set")
    import numpy as np
    import polars as pl
    from PIL import Image

    rows = pl.read_parquet(Path(folder) / "imagenet-sample-500.parquet").gather_every(2).head(n)
    pictures = []
    for data in rows["image"]:
        with Image.open(io.BytesIO(data)) as opened:
            image = opened.convert("RGB")
        scale = 256 / min(image.size)
        image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BICUBIC)
        left, top = (image.width - 224) // 2, (image.height - 224) // 2
        crop = np.asarray(image.crop((left, top, left + 224, top + 224)))
        pictures.append(torch.from_numpy(crop.copy()).permute(2, 0, 1).float() / 255)
    return torch.stack(pictures), torch.tensor(rows["label"].to_list())
