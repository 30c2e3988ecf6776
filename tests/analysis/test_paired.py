import numpy as np
import pytest

from bitproof.analysis import accuracies, drops, wilson


def test_a_drop_is_paired_by_sample():
    random = np.random.default_rng(0)
    control = random.random((400, 1)) < 0.7
    same, lost = control.copy(), control & (np.arange(400)[:, None] % 10 != 0)
    found = drops(np.hstack([same, lost]), np.hstack([control, control]))
    points = 100 * (control.mean() - lost.mean())
    assert found.value == pytest.approx([0, points]) and found.n.tolist() == [400, 400]
    assert found.low[0] < 0 < found.high[0] < 1  # no sample differs: what 400 samples leave unseen
    paired_half = 1.96 * 100 * np.std(control.astype(int) - lost, ddof=1) / 20
    assert found.high[1] - found.low[1] == pytest.approx(2 * paired_half, rel=0.15)
    assert found.low[1] > 0


def test_a_gain_is_negative():
    better, worse = np.ones((50, 1), bool), np.zeros((50, 1), bool)
    assert drops(better, worse).value.tolist() == [-100]


def test_accuracies_have_wilsons_interval():
    correct = np.arange(40)[:, None] < [10, 30]
    found = accuracies(correct)
    low, high = wilson(np.array([10, 30]), 40)
    assert found.value.tolist() == [25, 75] and np.allclose(found.low, low) and np.allclose(found.high, high)
