"""Folders of outside packages, and a task small enough to be run by each of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from plugin_sites import install

EXAMPLE = Path(__file__).parent / "bitproof_example"

BROKEN = """
[project]
name = "bitproof-broken"
version = "0.1"
[project.entry-points."bitproof.noises"]
broken = "bitproof_broken:Noise"
"""

MODEL = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 2))
"""

GRID = """
tasks: ["imagefolder:{pictures}"]
models: ["python:{model}#build,size=16,classes=2"]
recipes: [fp32, "power:w4a4,finer=1"]
calibration: {{n: 4}}
noises: ["scanlines:3", "pil-nearest+scanlines:2,period=3", "dim-linf:eps=8/255"]
batch_size: 4
threads: 1
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """A folder of packages that holds the example."""
    return install(tmp_path_factory.mktemp("site"), EXAMPLE)


@pytest.fixture(scope="session")
def broken(tmp_path_factory) -> Path:
    """A folder with a package that fails when it is imported."""
    project = tmp_path_factory.mktemp("project")
    (project / "pyproject.toml").write_text(BROKEN)
    (project / "bitproof_broken.py").write_text("import no_such_library\n")
    return install(tmp_path_factory.mktemp("broken"), project)


@pytest.fixture(scope="session")
def grid_text(tmp_path_factory) -> str:
    """A grid that asks for all that the example brings, twelve pictures and a tiny model."""
    pictures, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for label in range(2):
        (pictures / f"class{label}").mkdir()
        for i in range(6):
            image = Image.fromarray(random.integers(0, 256, (20, 24, 3), dtype=np.uint8))
            image.save(pictures / f"class{label}" / f"{i}.png")
    model = tmp_path_factory.mktemp("model") / "tiny.py"
    model.write_text(MODEL)
    return GRID.format(pictures=pictures, model=model)
