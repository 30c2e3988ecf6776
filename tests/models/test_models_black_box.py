"""A function that answers for a network: labels or logits, at the door, in code and in a run."""

import numpy as np
import pytest
import torch

import bitproof as bp
from bitproof.bench import Plan, parse_grids
from bitproof.core import ModelError, SpecError
from bitproof.models import TorchVictim, load

CODE = """
import numpy as np

def labels(pictures):
    assert pictures.dtype == np.float32 and pictures.flags.writeable
    return (pictures.mean(axis=(1, 2, 3)) * 3.99).astype(int)

def logits(pictures):
    mean = pictures.mean(axis=(1, 2, 3))
    return np.stack([mean, 1 - mean], axis=1)

def wrong(pictures):
    return pictures

def broken(pictures):
    raise RuntimeError("out of order")
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "service.py"
    path.write_text(CODE)
    return path


def test_labels_become_the_prediction_and_are_known_to_be_no_more(file):
    network = load(f"black-box:{file}#labels,size=8,classes=4")
    x = torch.linspace(0, 1, 5)[:, None, None, None].expand(5, 3, 8, 8).contiguous()
    victim = TorchVictim(network.module, network.differentiable)
    assert victim.decide(x).tolist() == [0, 0, 1, 2, 3]
    assert victim.labels_only and not network.differentiable and network.classes == 4


def test_logits_stay_what_they_are(file):
    network = load(f"black-box:{file}#logits,size=8")
    victim = TorchVictim(network.module, network.differentiable)
    assert network.classes == 2 and not victim.labels_only
    torch.testing.assert_close(victim.logits(torch.full((1, 3, 8, 8), 0.25)), torch.tensor([[0.25, 0.75]]))


def test_the_digest_tells_files_and_functions_apart(file):
    one, other = (load(f"black-box:{file}#{name},size=8,classes={k}").digest for name, k in (("logits", 2), ("labels", 4)))
    again = load(f"black-box:{file}#logits,size=8,classes=2").digest
    file.write_text(CODE + "\n# another version\n")
    assert len({one, other, load(f"black-box:{file}#logits,size=8,classes=2").digest}) == 3
    assert one == again


@pytest.mark.parametrize(
    ("spec", "error", "match"),
    [
        ("{}#labels,size=8", SpecError, "classes="),
        ("{}#labels,size=8,classes=1", ModelError, "label"),
        ("{}#logits,size=8,classes=3", ModelError, "2 logits"),
        ("{}#wrong,size=8,classes=3", ModelError, "labels N"),
        ("{}#broken,size=8,classes=3", ModelError, "out of order"),
        ("{}#nothing,size=8,classes=3", ModelError, "no function 'nothing'"),
        ("{},size=8", SpecError, "FILE.py#FUNCTION"),
    ],
)
def test_bad_answers_are_refused_with_a_reason(file, spec, error, match):
    with pytest.raises(error, match=match):
        load("black-box:" + spec.format(file))


def test_a_function_can_be_wrapped():
    def half(pictures):
        return (pictures[:, 0, 0, 0] > 0.5).astype(np.int64)

    network = bp.wrap(half, size=4, classes=2, spec="half")
    assert network.digest != bp.wrap(lambda pictures: 1 - half(pictures), size=4, classes=2, spec="other").digest
    assert TorchVictim(network.module).decide(torch.ones(1, 3, 4, 4)).item() == 1
    with pytest.raises(SpecError, match="code="):
        bp.wrap(eval("lambda pictures: pictures[:, 0, 0, 0] > 0"), size=4, classes=2)


def test_a_grid_asks_of_it_only_what_it_can_answer(file, tmp_path):
    from PIL import Image

    for label in range(4):
        folder = tmp_path / "data" / str(label)
        folder.mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.full((8, 8, 3), 60 * label + 20 + i, np.uint8)).save(folder / f"{i}.png")
    head = f'tasks: ["imagefolder:{tmp_path / "data"}"]\nmodels: ["black-box:{file}#labels,size=8,classes=4"]\n'
    attacks = "hopskipjump-linf:queries=150", "noise-linf:eps=0.1"
    assert bp.run(head + f"noises: [clean, {', '.join(map(repr, attacks))}]\n", tmp_path / "run").failed == 0
    rows = bp.results.load(tmp_path / "run")
    assert rows.filter(name="hopskipjump-linf")["success"].all()
    assert rows["loss"].is_nan().all() and rows["confidence"].is_nan().all()
    for refused, match in (("square-linf:eps=0.1", "labels alone"), ("pgd-linf:eps=0.1", "labels alone")):
        [grid] = parse_grids(head + f"noises: ['{refused}']\n")
        with pytest.raises(SpecError, match=match):
            Plan(grid)
