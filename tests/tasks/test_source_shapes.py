"""ModelNet's folders of OFF files, and the HDF5 files of clouds: what is read, and what is told of what cannot be."""

import os
import pickle

import numpy as np
import pytest
from tiny_shapes import CLASSES, off, write_hdf5, write_off

from bitproof.core import Cloud, DataError, SpecError
from bitproof.noises import noise
from bitproof.tasks import SOURCES, load_any, load_kind


@pytest.fixture(scope="module")
def modelnet(tmp_path_factory):
    return write_off(tmp_path_factory.mktemp("modelnet") / "ModelNet3", 4)


@pytest.fixture(scope="module")
def clouds(tmp_path_factory):
    pytest.importorskip("h5py", reason="h5py is not installed")
    return write_hdf5(tmp_path_factory.mktemp("hdf5"), 4)


def test_folders_are_the_official_parts_and_classes_in_order(modelnet):
    task = load_any(f"modelnet:{modelnet}")
    assert (task.kind, task.data.names, len(task.data), task.data.things) == ("points", CLASSES, 12, "shapes")
    assert task.data.samples[4].id == "box/test/box_0000.off" and task.data.samples[4].label == 1
    train = load_any(f"modelnet:{modelnet},part=train").data
    assert not {s.read() for s in train.samples} & {s.read() for s in task.data.samples}
    assert train.digest != task.data.digest == load_any(f"modelnet:{modelnet}").data.digest


def test_a_changed_shape_is_other_data(modelnet):
    before, path = load_any(f"modelnet:{modelnet},part=train").data.digest, modelnet / "ball" / "train" / "ball_0000.off"
    kept = path.read_bytes()
    path.write_bytes(kept.replace(b"1", b"2", 1))
    try:
        assert load_any(f"modelnet:{modelnet},part=train").data.digest != before
    finally:
        path.write_bytes(kept)


def test_clouds_are_read_one_by_one(clouds):
    task = load_any(f"points/hdf5:{clouds}")
    assert (task.kind, task.data.names, len(task.data)) == ("points", CLASSES, 12)
    assert task.data.samples[4].id == "ply_data_test0.h5#4" and task.data.samples[4].label == 1
    shape = noise("decode-shape")(task.data.samples[4].read())
    assert shape.vertices.shape == (128, 3) and not len(shape.triangles)
    import h5py

    with h5py.File(clouds / "ply_data_test0.h5") as file:
        np.testing.assert_array_equal(shape.vertices, file["data"][4])
    again = pickle.loads(pickle.dumps(task))
    assert again.data.samples[4].read() == task.data.samples[4].read() and again.data.digest == task.data.digest
    one = load_any(f"points/hdf5:{clouds / 'ply_data_train0.h5'}").data
    assert one.digest == load_any(f"points/hdf5:{clouds},part=train").data.digest != task.data.digest


def test_shapenets_parts_are_found_by_their_words(clouds, tmp_path):
    for part in ("train", "val", "test"):
        os.link(clouds / "ply_data_test0.h5", tmp_path / f"ply_data_{part}0.h5")
    (tmp_path / "all_object_categories.txt").write_text("Airplane\t02691156\nBag\t02773838\nCap\t02954340\n")
    data = load_any(f"points/hdf5:{tmp_path},part=val").data
    assert data.names == ("Airplane", "Bag", "Cap") and data.samples[0].id == "ply_data_val0.h5#0"


@pytest.mark.parametrize(
    ("spec", "error", "told"),
    [
        ("modelnet:{modelnet},part=val", SpecError, "train, test"),
        ("modelnet:{modelnet}/ball", DataError, "test/test.*no folder"),
        ("modelnet:{modelnet}/ball/test", DataError, "no class folders"),
        ("modelnet:{modelnet}/README.txt", DataError, "but a file"),
        ("points/hdf5:{clouds},part=val", DataError, "ply_data_val0.h5: ply_data_test0.h5"),
        ("points/hdf5:{clouds},part=dev", SpecError, "train, val, test"),
        ("points/hdf5:{modelnet}/README.txt", DataError, "no readable HDF5"),
        ("image/modelnet:{modelnet}", SpecError, "'points'"),
    ],
)
def test_what_does_not_fit_is_told(spec, error, told, modelnet, clouds):
    with pytest.raises(error, match=told):
        load_any(spec.format(modelnet=modelnet, clouds=clouds))


def test_a_file_without_clouds_is_told(clouds, tmp_path):
    h5py = pytest.importorskip("h5py")
    for what, told in (({"data": np.zeros((2, 5, 3))}, "label"), ({"data": np.zeros((2, 5)), "label": np.zeros(2, int)}, "2×5"),
                       ({"data": np.zeros((2, 5, 3)), "label": np.zeros(3, int)}, "3 of int64")):  # fmt: skip
        with h5py.File(tmp_path / "x_test.h5", "w") as file:
            for name, value in what.items():
                file[name] = value
        with pytest.raises(DataError, match=told):
            load_any(f"points/hdf5:{tmp_path}")


def test_a_broken_shape_is_a_broken_sample(modelnet, tmp_path):
    assert load_kind(f"modelnet:{modelnet}", "points").clean(Cloud(64)) == {
        "decode": "decode-shape",
        "sample": "sample-area",
        "frame": "unit-sphere",
    }
    empty = write_off(tmp_path / "empty", 1)
    (empty / "box" / "test" / "box_0000.off").unlink()
    with pytest.raises(DataError, match="box/test"):
        load_any(f"modelnet:{empty}")
    (empty / "box" / "test" / "box.stl").write_bytes(off("box", 0))
    with pytest.raises(DataError, match=r"box\.stl.*is no shape.*\.off"):
        load_any(f"modelnet:{empty}")


def test_the_sources_of_the_task_are_these():
    assert {name for name in SOURCES._own if SOURCES.load(name).task == "points"} == {"modelnet", "points/hdf5"}
