"""The way of a shape to a cloud: what decides its points, and what it looks like."""

import numpy as np
import pytest
import torch
from tiny_shapes import write_off

from bitproof.bench.cache import SampleCache
from bitproof.bench.clouds import SIDE_PX, CloudInputs, drawn_cloud
from bitproof.core import Cloud
from bitproof.models import TorchVictim, load
from bitproof.tasks import load_any


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return load_any(f"modelnet:{write_off(tmp_path_factory.mktemp('clouds') / 'ModelNet3', 2)}")


def made(task, noises=(), run_seed=0, index=0):
    return CloudInputs().pipeline(task, Cloud(64), noises, run_seed, SampleCache(1 << 20)).made(task.data.samples[index])


def test_the_shapes_name_decides_its_points_and_the_runs_seed_its_noise(task):
    np.testing.assert_array_equal(made(task), made(task, run_seed=1))
    np.testing.assert_array_equal(made(task, ["point_jitter:3"]), made(task, ["point_jitter:3"]))
    assert not np.array_equal(made(task, ["point_jitter:3"]), made(task, ["point_jitter:3"], run_seed=1))
    assert not np.array_equal(made(task), made(task, index=1))


@pytest.mark.parametrize("noises", [(), ("point_scale:5",), ("sample-farthest", "point_outliers:5"), ("point_shear:5", "unit-box")])
def test_a_cloud_is_brought_to_size_behind_its_noise(task, noises):
    cloud = made(task, noises)
    assert (cloud.dtype, cloud.shape) == (np.float32, (64, 3)) and np.abs(cloud).max() <= 1
    reach = np.abs(cloud).max() if "unit-box" in noises else np.linalg.norm(cloud, axis=1).max()
    assert reach == pytest.approx(1, abs=1e-6)


def test_a_row_of_a_batch_is_3_by_points_in_the_attacks_bounds(task):
    pipeline, row = CloudInputs().pipeline(task, Cloud(64), (), 0, SampleCache(0)), np.zeros((3, 64), np.float32)
    pipeline.fill(row, cloud := pipeline.made(task.data.samples[0]))
    np.testing.assert_array_equal(row, cloud.T)
    network = load("pointnet:width=0.125,classes=3,points=64")
    assert CloudInputs().before(TorchVictim(network.module), network.form, ()).bounds == (-1.0, 1.0)
    trained = CloudInputs().training(pipeline, 1)
    assert trained.kept.shape == (6, 3, 64) and trained[5][1] == 2
    assert torch.equal(trained.batch([0, 3])[0], trained.kept[[0, 3]])


def test_a_thumbnail_shows_near_points_darker_and_up_above():
    picture = drawn_cloud(np.array([[0, 0, 0.9], [0.6, -0.6, -0.2]], np.float32))  # above; near the viewer, below
    dark = np.argwhere(picture[..., 0] < 255)
    assert picture.shape == (SIDE_PX, SIDE_PX, 3) and len(dark) == 8
    (top, _), (bottom, _) = dark.min(axis=0), dark.max(axis=0)
    assert top < 40 and bottom > SIDE_PX / 2 and picture[bottom].min() < picture[top].min()
