import numpy as np
import polars as pl
import pytest

from bitproof.analysis import apart, features, fidelity_lines
from bitproof.analysis.fidelity import BANDS, FEATURES


def picture(seed=0, side=64):
    return np.random.default_rng(seed).integers(60, 190, (side, side, 3), dtype=np.uint8)


def test_apart_is_the_mean_and_the_largest_distance():
    ours, theirs = np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 3), np.uint8)
    ours[0, 0, 0], theirs[1, 1, 2] = 255, 3
    assert apart(ours, theirs) == (258 / 12, 255)


def test_white_noise_has_its_variance_in_every_band():
    x = np.full((256, 256, 3), 120, np.uint8)
    y = (x + np.random.default_rng(0).normal(0, 20, x.shape)).round().astype(np.uint8)
    found = dict(zip(FEATURES, features(x, y), strict=True))
    assert found["mean_r"] == pytest.approx(0, abs=0.3)
    assert found["std_g"] == pytest.approx(20, abs=0.2)
    expected = 10 * np.log10(20**2 / 3)  # the mean of three channels
    assert [found[f"band_{i}_db"] for i in range(1, BANDS + 1)] == pytest.approx([expected] * BANDS, abs=0.35)


def test_a_wave_is_in_the_band_of_its_frequency():
    side, x = 64, np.full((64, 64, 3), 120, np.uint8)
    for cycles, band in ((2, 1), (10, 3), (30, 8)):
        wave = 40 * np.sin(2 * np.pi * cycles * np.arange(side) / side)
        y = (x + wave[None, :, None]).round().astype(np.uint8)
        assert int(np.argmax(features(x, y)[6:])) == band - 1


def rows(noise, random, ours, theirs, *, delta=0.0, changes=None):
    n = len(ours)
    changes = changes if changes is not None else [(None, None)] * n
    return [
        {
            **{"noise": noise, "name": noise.partition(":")[0], "severity": 1, "reference": "peer 1", "random": random},
            **{"sample": str(i), "delta_mean": delta, "delta_max": 1, "ours": changes[i][0], "theirs": changes[i][1]},
            **{"ours_correct": ours[i], "theirs_correct": theirs[i]},
        }
        for i in range(n)
    ]


def drawn(seed, shift=0.0, n=60):
    rng = np.random.default_rng(seed)
    return [tuple(rng.normal(s, 1, len(FEATURES)).tolist() for s in (shift, 0)) for _ in range(n)]


def test_lines_judge_each_kind_by_its_own_rule():
    right = [True] * 60
    wrong = [False] * 15 + [True] * 45
    table = pl.DataFrame(
        [
            *rows("near:1", False, right, wrong, delta=0.5),
            *rows("far:1", False, right, right, delta=0.6),
            *rows("same:1", True, right, right, changes=drawn(0)),
            *rows("worse:1", True, wrong, right, changes=drawn(1)),
            *rows("shifted:1", True, wrong, wrong[::-1], changes=drawn(2, 1.0)),
        ],
        infer_schema_length=None,
    )
    lines = {row["noise"]: row for row in fidelity_lines(table).to_dicts()}
    assert {name: row["verdict"] for name, row in lines.items()} == {
        "near:1": "pass",
        "far:1": "fail",
        "same:1": "pass",
        "worse:1": "fail",
        "shifted:1": "pass",
    }
    assert lines["worse:1"]["difference"] == pytest.approx(-25)
    assert lines["worse:1"]["accuracy_ours"] == pytest.approx(75)
    assert lines["same:1"]["low"] < 0 < lines["same:1"]["high"], "no difference seen is no proof of none"
    assert lines["shifted:1"]["p_holm"] < 0.01 < lines["same:1"]["p_holm"]
    assert lines["near:1"]["p"] is None
    assert lines["shifted:1"]["spectrum_db"] == pytest.approx(1, abs=0.3)


def test_without_a_network_chance_is_not_judged():
    table = pl.DataFrame(
        [*rows("a:1", True, [None] * 20, [None] * 20, changes=drawn(0, n=20)), *rows("b:1", False, [None] * 20, [None] * 20)],
        schema_overrides={"ours_correct": pl.Boolean, "theirs_correct": pl.Boolean},
        infer_schema_length=None,
    )
    lines = fidelity_lines(table)
    assert lines["verdict"].to_list() == [None, "pass"]
    assert lines["difference"].to_list() == [None, None]
