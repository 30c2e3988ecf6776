import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.analysis.intervals import RESAMPLES, Bootstrap, Z, band, mcnemar, wilson


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [  # Newcombe, Stat. Med. 17 (1998) 857, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_values(hits, n, low, high):
    found = [float(x) for x in wilson(hits, n)]
    assert found == pytest.approx([100 * low, 100 * high], abs=0.006)


def test_wilson_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    for hits, n in [(0, 1), (3, 7), (500, 500), (12345, 50000)]:
        expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
        assert [float(x) for x in wilson(hits, n)] == pytest.approx([100 * expected.low, 100 * expected.high], abs=1e-9)


def test_wilson_of_nothing_is_unknown():
    assert all(np.isnan(wilson(np.array([0]), np.array([0]))))


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_its_share_and_stays_in_range(case):
    hits, n = case
    low, high = wilson(hits, n)
    assert 0 <= low <= 100 * hits / n <= high <= 100 and low < high


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_agrees_with_the_binomial_sum(gained, lost):
    n = gained + lost
    expected = min(1.0, 2 * sum(math.comb(n, i) for i in range(min(gained, lost) + 1)) / 2**n)
    assert mcnemar(np.array(gained), np.array(lost)) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_many_pairs_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    gained, lost = np.array([[1200, 5000], [0, 3]]), np.array([[1300, 5600], [0, 40]])
    expected = [
        [stats.binomtest(int(a), int(a + b)).pvalue if a + b else 1.0 for a, b in zip(*pair, strict=True)]
        for pair in zip(gained, lost, strict=True)
    ]
    assert mcnemar(gained, lost) == pytest.approx(np.array(expected), rel=1e-6)


def test_a_bootstrap_is_named_and_draws_n_of_n():
    a, b, c = Bootstrap(30, "x"), Bootstrap(30, "x"), Bootstrap(30, "y")
    assert np.array_equal(a.counts, b.counts) and not np.array_equal(a.counts, c.counts)
    assert a.counts.shape == (RESAMPLES, 30) and (a.counts.sum(axis=1) == 30).all()
    values = np.arange(60).reshape(30, 2)
    assert np.array_equal(a.sums(values), a.counts.astype(int) @ values)


def test_resampled_means_spread_as_theory_says():
    x = np.random.default_rng(0).random(400)
    draws = Bootstrap(400, "x").sums(x) / 400
    assert draws.std() == pytest.approx(x.std() / 20, rel=0.05) and draws.mean() == pytest.approx(x.mean(), abs=0.003)


@given(st.floats(0, 100), st.integers(1, 1000), st.booleans())
def test_a_band_without_spread_is_as_wide_as_n_allows(value, n, biased):
    low, high = band(np.array(value), np.full(50, value), np.array(n), (0, 100), biased=biased)
    unseen = 100 * Z**2 / (n + Z**2)
    assert low == pytest.approx(max(0, value - unseen)) and high == pytest.approx(min(100, value + unseen))


def test_a_band_holds_its_value_ignores_empty_resamples_and_mirrors_a_bias():
    draws = np.array([np.nan, *np.linspace(10, 20, 101)])
    assert band(np.array(30.0), draws, np.array(9), (0, 100)) == (pytest.approx(10.25), 30)
    assert band(np.array(12.0), draws, np.array(9), (0, 100), biased=True) == (pytest.approx(4.25), pytest.approx(13.75))
    assert np.isnan(band(np.array(30.0), np.full(5, np.nan), np.array(0), (0, 100))).all()
