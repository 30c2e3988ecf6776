"""What every data source, and the task that its data belongs to, promise. A check takes a function that loads the task anew."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from contract_entries import pickled

from bitproof.core import SITES, DataError, Geometry, ModelError
from bitproof.noises import NOISES, noise
from bitproof.tasks import SOURCES, TASKS, ImageTask, Sample

Load = Callable[[], ImageTask]

GEOMETRY = Geometry(16, 16, interpolation="pil-cubic")


def few(samples: Sequence[Sample]) -> Sequence[Sample]:
    return [samples[0], samples[len(samples) // 2], samples[-1]]


def facts(task: ImageTask) -> list[tuple[str, int]]:
    return [(sample.id, sample.label) for sample in task.data.samples]


def check_belongs_to_a_task(load: Load) -> None:
    task = load()
    assert TASKS.load(task.kind) is type(task)
    assert task.sites == SITES[task.kind]
    assert {SOURCES.load(name).task for name in SOURCES._own} <= set(TASKS)


def check_loads_the_same_again(load: Load) -> None:
    one, other = load(), load()
    assert one.data.digest == other.data.digest and facts(one) == facts(other)
    assert all(a.read() == b.read() for a, b in zip(few(one.data.samples), few(other.data.samples), strict=True))


def check_samples_have_names_and_classes(load: Load) -> None:
    data = load().data
    ids, labels = zip(*facts(load()), strict=True)
    assert len(set(ids)) == len(ids) and all(isinstance(name, str) and name for name in ids)
    assert all(type(label) is int for label in labels)
    assert not any(name.startswith(("/", "~")) for name in ids), "an id must be the same on another machine"
    if data.labelled and data.classes is not None:
        assert 0 <= min(labels) and max(labels) < data.classes
        assert len(data.names) in (0, data.classes)


def check_every_sample_can_be_decoded(load: Load) -> None:
    for sample in few(load().data.samples):
        assert isinstance(sample.read(), bytes)
        image = noise("decode-pil")(sample.read())
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3


def check_smaller_subsets_are_parts_of_larger_ones(load: Load) -> None:
    data = load().data
    order = data.order(3)
    assert sorted(order) == list(range(len(data))) and order == load().data.order(3)
    held = len(data) // 3
    ids = [sample.id for sample in data.evaluation(None, seed=3, exclude=held)]
    calibrated = {sample.id for sample in data.calibration(held, seed=3)}
    assert not calibrated & set(ids) and len(calibrated) + len(ids) == len(data)
    assert [sample.id for sample in data.evaluation(2, seed=3, exclude=held)] == ids[:2]


def check_pickled_it_is_the_same(load: Load) -> None:
    task = load()
    again = pickled(task)
    assert again.data.digest == task.data.digest and facts(again) == facts(task)
    assert all(a.read() == b.read() for a, b in zip(few(again.data.samples), few(task.data.samples), strict=True))


def check_clean_occupants_stand_at_their_sites(load: Load) -> None:
    task = load()
    for site, name in task.clean(GEOMETRY).items():
        assert site in task.sites and NOISES.load(name).site == site
    assert task.clean(GEOMETRY)["resize"] == "pil-cubic"


def check_scores_one_row(load: Load) -> None:
    task, logits = load(), np.array([0.5, 2.0, -1.0])
    right, wrong = task.score(logits, 1), task.score(logits, 0)
    assert (right["prediction"], right["correct"], wrong["correct"]) == (1, True, False)
    assert right["margin"] == pytest.approx(1.5) and wrong["margin"] == pytest.approx(-1.5)
    assert right["loss"] == pytest.approx(-np.log(right["confidence"]))
    assert task.score_batch(np.stack([logits, logits]), [1, 0]) == [right, wrong]
    with pytest.raises(ModelError):
        task.score(np.array([0.5, np.nan]), 1)


def check_asking_for_too_much_is_refused(load: Load) -> None:
    data = load().data
    for ask in (lambda: data.evaluation(len(data) + 1, seed=0), lambda: data.calibration(len(data) + 1, seed=0)):
        with pytest.raises(DataError, match=str(len(data))):
            ask()


CHECKS: list[Callable[[Load], None]] = [
    check_belongs_to_a_task,
    check_loads_the_same_again,
    check_samples_have_names_and_classes,
    check_every_sample_can_be_decoded,
    check_smaller_subsets_are_parts_of_larger_ones,
    check_pickled_it_is_the_same,
    check_clean_occupants_stand_at_their_sites,
    check_scores_one_row,
    check_asking_for_too_much_is_refused,
]
