"""Shapes from a grid to rows: trained, in one bit, disturbed, attacked; from OFF files and HDF5; and what a grid cannot ask."""

import pytest
from tiny_shapes import write_hdf5, write_off

import bitproof as bp
from bitproof.bench import Plan, parse_grids
from bitproof.core import DataError, SpecError
from bitproof.report import write as write_page

GRID = """
tasks: ["modelnet:{data}"]
train: "modelnet:{data},part=train"
models: ["pointnet:width=0.25,classes=3,points=64,aggregate=ema-max,input_transform=false,feature_transform=false"]
recipes: [{recipes}]
training: {{epochs: 60, optimizer: adamw, lr: 0.01, weight_decay: 0, batch_size: 12, augment: points}}
calibration: {{n: 8, data: "modelnet:{data},part=train"}}
noises: [{noises}]
batch_size: 8
threads: 1
"""

NOISES = ["clean", "point_jitter:3", "point_occlusion:5", "sample-farthest", "unit-box", "fp16", "sample-vertices+point_scale:2"]
ATTACKS = ["pgd-linf:eps=0.1,steps=3", "noise-linf:eps=0.1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_off(tmp_path_factory.mktemp("points") / "ModelNet3", 8)


def test_from_shapes_to_rows(data, tmp_path):
    path, out = tmp_path / "grid.yaml", tmp_path / "run"
    path.write_text(
        GRID.format(data=data, recipes='float, "reactnet:w1a1"', noises=", ".join(f'"{n}"' for n in [*NOISES, *ATTACKS]))
    )
    outcome = bp.run(path, out)
    assert (outcome.cells, outcome.failed) == (2 * (len(NOISES) + len(ATTACKS) + 1), 0)  # evidence comes with attacks
    rows = bp.results.load(out)
    clean = {recipe: float(part["correct"].mean()) for (recipe,), part in rows.filter(noise="clean").group_by("recipe")}
    assert min(clean.values()) > 0.5, clean  # chance is 1/3
    attacked = rows.filter(name="pgd-linf")
    assert attacked["gradients"].max() > 0 and attacked["success"].sum() >= rows.filter(name="noise-linf")["success"].sum()
    assert bp.run(path, out).already == outcome.cells
    assert len(list((out / "gallery").glob("*.json"))) == len(NOISES) + len(ATTACKS) - 1  # fp16 changes no cloud
    assert write_page(out).stat().st_size > 10_000


def test_clouds_of_an_hdf5_file_run_alike(tmp_path):
    pytest.importorskip("h5py", reason="h5py is not installed")
    data, path = write_hdf5(tmp_path / "h5", 4), tmp_path / "grid.yaml"
    text = GRID.format(data=data, recipes="fp32", noises='clean, "corruptions:5", system').replace("modelnet:", "points/hdf5:")
    path.write_text("\n".join(line for line in text.splitlines() if not line.startswith(("training", "train:"))))
    outcome = bp.run(path, tmp_path / "run")
    assert (outcome.cells, outcome.failed) == (1 + 9 + 2, 0)  # a cloud has no other vertices


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "pointnet:width=0.25,classes=3,points=64,aggregate=ema-max,input_transform=false,feature_transform=false",
            "small-cnn:classes=3",
            "'image'",
        ),
        ("noises: [clean]", "noises: [fog:3]", "not the task's kind 'points'"),
        ("noises: [clean]", 'noises: ["square-linf:eps=0.1"]', "not the task's kind 'points'"),
        ("augment: points", "augment: flip", "none, points"),
        ("classes=3", "classes=40", "classes"),
        ("epochs: 60", "epochs: 60, mix: white_noise:2", "for recordings"),
    ],
)
def test_what_a_grid_cannot_ask(data, old, new, told):
    text = GRID.format(data=data, recipes="float", noises="clean")
    assert old in text
    with pytest.raises((SpecError, DataError), match=told):
        Plan(parse_grids(text.replace(old, new))[0])


def test_a_broken_shape_is_named(tmp_path):
    broken = write_off(tmp_path / "broken", 1)
    (broken / "ball" / "test" / "ball_0000.off").write_bytes(b"OFF 1 1 0")
    with pytest.raises(DataError, match=r"ball/test/ball_0000\.off.*broken"):
        Plan(parse_grids(GRID.format(data=broken, recipes="float", noises="clean"))[0])
