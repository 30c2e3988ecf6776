"""Several processes train one network, here two on the CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import bitproof as bp

ONE = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.{norm}, nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )
"""
GRID = """
tasks: ["imagefolder:{pictures}"]
train: "imagefolder:{more}"
models: ["python:{model}#build,size=32,mean=imagenet,std=imagenet,classes=4"]
recipes: [float, "lsq:w4a4"]
training: {{epochs: 2, batch_size: 16, lr: 0.05, augment: crop-flip, processes: {processes}}}
calibration: {{n: 16}}
noises: [clean]
batch_size: 8
threads: 1
"""


@pytest.fixture
def grid_of(pictures, more, tmp_path):
    def write(processes, norm="Identity()"):
        (tmp_path / "one.py").write_text(ONE.format(norm=norm))
        path = tmp_path / f"grid{processes}.yaml"
        path.write_text(GRID.format(pictures=pictures, more=more, model=tmp_path / "one.py", processes=processes))
        return path

    return write


def launched(grid, out):
    """What `accelerate launch` starts on GPUs is torchrun; on CPUs it would need MPI, so torchrun is asked here."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "bitproof"]
    command += ["run", str(grid), "-o", str(out), "--device", "cpu"]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def weights(out):
    rows = [json.loads(path.read_text()) for path in Path(out).glob("variants/*/row.json")]
    return {row["recipe"]: load_file(Path(out) / "variants" / row["variant"] / "model.safetensors") for row in rows}


@pytest.mark.slow
def test_two_processes_train_the_network_of_one(grid_of, tmp_path):
    """Without batch norms, up to the order of sums."""
    bp.run(grid_of(1), tmp_path / "one")
    said = launched(grid_of(2), tmp_path / "two")
    assert said.count("2 cells: 0 were done before, 0 failed") == 1  # one process speaks
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert set(one) == set(two) == {"float", "lsq:w4a4"}
    for recipe, state in one.items():
        for name, value in state.items():
            torch.testing.assert_close(two[recipe][name], value, rtol=1e-3, atol=1e-3, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.slow
def test_two_processes_give_the_same_bits_each_time_with_batch_norms_too(grid_of, tmp_path):
    grid = grid_of(2, norm="BatchNorm2d(8)")
    for name in ("first", "again"):
        launched(grid, tmp_path / name)
    first, again = weights(tmp_path / "first"), weights(tmp_path / "again")
    assert all(torch.equal(first[recipe][name], again[recipe][name]) for recipe in first for name in first[recipe])


def test_another_number_of_processes_is_refused_before_anything_runs(grid_of, tmp_path):
    with pytest.raises(bp.core.SpecError, match=r"processes=2, and 1 were started.*accelerate launch --num_processes 2"):
        bp.run(grid_of(2), tmp_path / "out")
