"""Scores against torch, and the task's words."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bitproof.core import SITES, Geometry, ModelError
from bitproof.tasks import TASKS, ImageData, ImageTask, Sample

TASK = ImageTask("test", ImageData("test", (Sample("a", 0, bytes),), "digest"))
logits_lists = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(2, 7)), elements=st.floats(-1000, 1000))


@given(logits_lists, st.data())
def test_scores_are_torchs_in_float64(z, draw):
    y = [draw.draw(st.integers(0, z.shape[1] - 1)) for _ in z]
    tensor, target = torch.from_numpy(z), torch.tensor(y)
    loss = torch.nn.functional.cross_entropy(tensor, target, reduction="none")
    confidence = tensor.softmax(dim=1).max(dim=1).values
    for i, score in enumerate(TASK.score_batch(z, y)):
        assert score["prediction"] == int(z[i].argmax())
        assert score["correct"] is (score["prediction"] == y[i])
        assert score["margin"] == z[i, y[i]] - np.delete(z[i], y[i]).max()
        assert score["loss"] == pytest.approx(float(loss[i]), abs=1e-9)
        assert score["confidence"] == pytest.approx(float(confidence[i]), rel=1e-9)
        assert TASK.score(z[i], y[i]) == score


def test_the_numbers_of_one_sample():
    score = TASK.score([np.log(1), np.log(2), np.log(5)], 1)
    assert score == {
        "prediction": 2,
        "correct": False,
        "margin": pytest.approx(-np.log(2.5)),
        "loss": pytest.approx(np.log(4)),
        "confidence": pytest.approx(0.625),
    }
    assert [type(value) for value in score.values()] == [int, bool, float, float, float]


def test_huge_logits_do_not_overflow():
    score = TASK.score(np.array([3e38, -3e38], np.float32), 1)
    assert np.isfinite(score["loss"])
    assert score["confidence"] == 1.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_are_refused(bad):
    with pytest.raises(ModelError, match=r"logit of class 2 is (nan|-?inf) in row 1 of the batch"):
        TASK.score_batch([[0, 1, 2], [0, 1, bad]], [0, 0])
    with pytest.raises(ModelError, match="not a finite number"):
        TASK.score([0, bad], 0)


@pytest.mark.parametrize(("logits", "labels"), [([[1]], [0]), ([1, 2], [0, 1]), ([[1, 2]], [0, 1]), ([[[1, 2]]], [0])])
def test_other_shapes_are_refused(logits, labels):
    with pytest.raises(ModelError, match="samples × at least 2 classes"):
        TASK.score_batch(logits, labels)


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_without_a_logit_is_refused(label):
    with pytest.raises(ModelError, match=rf"label {label} has no logit: the model has 2 classes, 0 to 1"):
        TASK.score([0.0, 1.0], label)


def test_the_clean_occupants_come_from_the_geometry():
    assert TASK.clean(Geometry(224, 256, interpolation="pil-cubic")) == {"decode": "decode-pil", "resize": "pil-cubic"}
    assert set(TASK.clean(Geometry(224, 256))) <= set(SITES["image"])
    assert (TASK.kind, TASK.sites) == ("image", SITES["image"])


def test_the_registry_describes_the_task():
    cards = {card.name: card for card in TASKS.cards()}
    assert cards["image"].version == 1
    assert all(card.summary and card.source for card in cards.values())
