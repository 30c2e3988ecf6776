import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bitproof.analysis.permutation import FLIPS, holm, sign_flip


@pytest.mark.parametrize("shift", [0.0, 0.15, 0.35])
def test_sign_flip_agrees_with_scipy(shift):
    differences = np.random.default_rng(1).normal(shift, 1, (60, 1))
    expected = stats.permutation_test(
        (differences[:, 0],), np.mean, permutation_type="samples", n_resamples=FLIPS, rng=np.random.default_rng(0)
    ).pvalue
    assert sign_flip(differences, "test") == pytest.approx(expected, abs=0.02)


def test_sign_flip_is_uniform_where_nothing_differs():
    rng = np.random.default_rng(2)
    p = [sign_flip(rng.standard_t(4, (40, 5)), i) for i in range(60)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_many_features_cost_nothing_and_one_that_differs_is_found():
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(80, 14))
    assert sign_flip(noise, 0) > 0.05
    noise[:, 9] += 0.7
    assert sign_flip(noise, 0) == 1 / (FLIPS + 1)


def test_features_that_never_differ_are_left_out():
    assert sign_flip(np.zeros((20, 3))) == 1
    assert sign_flip(np.ones((1, 3))) == 1
    rng = np.random.default_rng(4)
    one = rng.normal(0.5, 1, (50, 1)).astype(float)
    assert sign_flip(one, 0) == sign_flip(np.hstack([np.zeros((50, 2)), one]), 0)


def test_equal_shifts_in_all_pairs_are_no_division_by_zero():
    assert sign_flip(np.ones((30, 2)), 0) == 1 / (FLIPS + 1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_its_steps_reject(p):
    """Holm's own words: go up the ordered p-values, reject while p(i) ≤ level/(m − i)."""
    adjusted = holm(np.array(p))
    for level in (0.01, 0.05, 0.3):
        left = len(p)
        rejected = set()
        for i in np.argsort(p, kind="stable"):
            if p[i] * left > level:
                break
            rejected.add(int(i))
            left -= 1
        assert rejected == set(np.flatnonzero(adjusted <= level).tolist())
