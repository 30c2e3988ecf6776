"""Eight ways to one bit, from a grid to rows: trained in two stages, taught by the float control, stored, loaded again."""

import json

import pytest

import bitproof as bp
from bitproof.bench import Plan, parse_grids
from bitproof.core import SpecError

METHODS = ("bnn", "xnor", "dorefa", "bireal", "xnorpp", "reactnet", "recu", "fda")

GRID = """
tasks: ["imagefolder:{pictures}"]
train: "imagefolder:{more}"
models: ["python:{model}#build,size=32,classes=4"]
recipes: [{recipes}]
training: {{epochs: 16, two_stage: 8, distill: 0.5, teacher: float, optimizer: adamw, lr: 0.01, weight_decay: 0, batch_size: 16}}
calibration: {{n: 16}}
noises: [clean, "pixelate:2"]
batch_size: 16
threads: 1
"""

MODEL = """
import torch
from torch import nn

def block(i, o, stride, **words):
    return nn.Conv2d(i, o, 3, stride, padding=1, bias=False, **words), nn.BatchNorm2d(o), nn.ReLU()

def build():
    torch.manual_seed(0)
    convs = *block(3, 16, 2), *block(16, 16, 2), *block(16, 32, 2, groups=2)
    return nn.Sequential(*convs, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 4))
"""


@pytest.fixture
def text(pictures, more, tmp_path):
    model = tmp_path / "net.py"
    model.write_text(MODEL)
    recipes = ", ".join(f'"{method}:w1a1"' for method in METHODS)
    return GRID.format(pictures=pictures, more=more, model=model, recipes=recipes)


def plan(text):
    [grid] = parse_grids(text)
    return Plan(grid)


def test_eight_methods_learn_and_are_there_again(text, tmp_path):
    grid, out = tmp_path / "grid.yaml", tmp_path / "run"
    grid.write_text(text)
    outcome = bp.run(grid, out)
    assert (outcome.cells, outcome.failed) == (16, 0)
    rows = bp.results.load(out)
    clean = {recipe: float(part["correct"].mean()) for (recipe,), part in rows.filter(noise="clean").group_by("recipe")}
    assert set(clean) == {f"{method}:w1a1" for method in METHODS} and min(clean.values()) > 0.5, clean  # chance is 0.25
    variants = bp.results.variants(out)
    assert set(variants["layers_low_bit"]) == {2, 0}  # the teacher is a variant too, and has no rows
    report = json.loads((out / "variants" / variants.filter(recipe="bireal:w1a1")["variant"][0] / "report.json").read_text())
    assert len(report["replaced"]) == 3
    grid.write_text(text.replace('"pixelate:2"', '"pixelate:2", "fgsm-linf:eps=1/255"'))
    again = bp.run(grid, out)  # the networks come from disk
    assert (again.already, again.failed) == (16, 0) and again.cells > 16


def test_the_teacher_is_the_grids_own_control(text):
    made = plan(text)
    teacher = made.made[0]
    assert str(teacher.recipe) == "float" and len(made.made) == 1 + len(METHODS)
    assert {made.teacher(variant) for variant in made.variants} == {teacher}
    beside = plan(text.replace("recipes: [", "recipes: [float, "))
    assert beside.made[0] == teacher and len(beside.made) == len(made.made)
    assert beside.teacher(teacher) is None


def test_what_the_teacher_learned_by_is_in_its_pupils_ids_and_not_the_reverse(text):
    one, other = plan(text), plan(text.replace("distill: 0.5", "distill: 0.7"))
    assert one.made[0].id == other.made[0].id and one.made[1].id != other.made[1].id
    given = plan(text.replace("teacher: float, ", ""))
    assert "float" not in {str(variant.recipe) for variant in given.made}
    assert all(given.teacher(variant) is None for variant in given.variants)


def test_a_teacher_without_a_lesson_is_refused(text):
    with pytest.raises(SpecError, match="distill > 0"):
        plan(text.replace("distill: 0.5, ", ""))
