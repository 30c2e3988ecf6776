"""Shared by bench, cli and e2e: a model file, a folder of pictures and a grid, small enough to run in seconds."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side; torch reads this when it is first imported

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

# The same examples on every run: a green main stays green. `pytest --hypothesis-profile=explore` draws new ones.
settings.register_profile("repeat", derandomize=True, deadline=None)  # a busy machine is no failure
settings.register_profile("explore", settings.get_profile("default"))
settings.load_profile("repeat")

MODEL = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )
"""

GRID = """
tasks: ["imagefolder:{pictures}"]
train: "imagefolder:{more}"
models: ["python:{model}#build,size=32,mean=imagenet,std=imagenet,classes=4"]
recipes: [fp32, float, "mse:w4a4", "lsq:w4a4"]
training: {{epochs: 2, batch_size: 16, lr: 0.05}}
calibration: {{n: 16}}
noises: [clean, "gaussian_noise:3", "pixelate:2", cv-nearest, "decode-ffmpeg+cv-area", "pgd-linf:eps=8/255,steps=3"]
limit: {{clean: 24, natural: 24, system: 24, adversarial: 8}}
batch_size: 8
threads: 1
"""


@pytest.fixture(autouse=True)
def _same_networks():
    """Layers that a test makes are drawn alike, whatever ran before it."""
    torch.manual_seed(1234)


def pytest_collection_modifyitems(items):
    """Two workers must collect the same names, so none may hold an address."""
    if named := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"Name what is parametrized, for example ids=lambda value: value.__name__: {named[0]}")


def folder_of_pictures(folder: Path, seed: int) -> Path:
    random = np.random.default_rng(seed)
    for label in range(4):
        (folder / f"class{label}").mkdir()
        for i in range(12):
            image = random.integers(0, 256, (40, 48, 3), dtype=np.uint8)
            image[..., label % 3] //= 1 + label
            Image.fromarray(image).save(folder / f"class{label}" / f"{i}.jpg", quality=90)
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    return folder_of_pictures(tmp_path_factory.mktemp("pictures"), seed=0)


@pytest.fixture(scope="session")
def more(tmp_path_factory) -> Path:
    return folder_of_pictures(tmp_path_factory.mktemp("more"), seed=1)


@pytest.fixture(scope="session")
def model_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.py"
    path.write_text(MODEL)
    return path


@pytest.fixture(scope="session")
def grid(pictures, more, model_file, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("grid") / "grid.yaml"
    path.write_text(GRID.format(pictures=pictures, more=more, model=model_file))
    return path
