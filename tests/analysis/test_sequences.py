"""Flip probabilities against the loop over a film that they are defined by."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from analysis_rows import CLEAN, make, table

from bitproof.analysis import summary
from bitproof.analysis.sequences import NOISE, SEQUENCES, mean_of_means, mean_ratio
from bitproof.noises import expand


def films(names=("gaussian_noise_p", "translate_p"), frames=5, first=0):
    return {f"{name}:{i}": (name, "perturbation", None, 0.5 + 0.02 * i) for name in names for i in range(first, frames)}


def flip(rows, recipe, name, frames, samples):
    """Mean over samples of the mean over a film's comparisons, %."""
    lines = table(rows, recipe)
    each = []
    for sample in samples:
        film = [lines[f"{name}:{i}", sample, 0]["prediction"] for i in range(frames)]
        pairs = [(film[0], later) for later in film[1:]] if name in NOISE else list(pairwise(film))
        each.append(np.mean([before != after for before, after in pairs]))
    return 100 * float(np.mean(each))


def figure(frame, name, recipe="lsq:w4a4"):
    return frame.filter(figure=name, recipe=recipe).row(0, named=True)


def test_a_flip_probability_is_the_mean_over_the_films():
    rows = make(CLEAN | films(), n=40)
    samples, frame = [f"s{i}" for i in range(40)], summary(rows)
    values = {}
    for recipe in ("fp32", "lsq:w4a4"):
        for name in ("gaussian_noise_p", "translate_p"):
            line = figure(frame, f"flip:{name}", recipe)
            values[recipe, name] = flip(rows, recipe, name, 5, samples)
            assert line["value"] == pytest.approx(values[recipe, name]) and line["n"] == 40
            assert line["low"] <= line["value"] <= line["high"] and line["note"] == f"5 frames of {SEQUENCES[name]}"
        mean = (values[recipe, "gaussian_noise_p"] + values[recipe, "translate_p"]) / 2
        assert figure(frame, "mfp", recipe)["value"] == pytest.approx(mean)
        assert figure(frame, "mfp", recipe)["note"].startswith(
            "incomplete: 2 of 10 sequences, not all frames; missing: shot_noise_p"
        )
    line = figure(frame, "flip:translate_p")
    assert line["delta"] == pytest.approx(values["lsq:w4a4", "translate_p"] - values["fp32", "translate_p"])
    assert line["delta_low"] <= line["delta"] <= line["delta_high"] and line["pairs"] == 40 and line["control"] == "fp32"
    assert figure(frame, "flip:translate_p", "fp32")["delta"] is None


def test_sequences_weigh_the_same_whatever_their_length():
    assert mean_of_means([3, 1])(np.array([[0.0, 0.3, 0.6, 1.0]])) == pytest.approx([0.65])
    noises = films(("translate_p",), 9) | films(("tilt_p",), 3)
    frame = summary(make(CLEAN | noises, n=30))
    parts = [figure(frame, f"flip:{name}")["value"] for name in ("translate_p", "tilt_p")]
    assert figure(frame, "mfp")["value"] == pytest.approx(np.mean(parts))


def test_the_rate_relative_to_the_control_is_the_mean_of_ratios():
    assert mean_ratio([2, 1])(np.array([0.2, 0.4, 0.9, 0.1, 0.2, 0.3])) == pytest.approx((2 + 3) / 2)
    rows = make(CLEAN | films(), n=40)
    samples, frame = [f"s{i}" for i in range(40)], summary(rows)
    ratios = [
        flip(rows, "lsq:w4a4", name, 5, samples) / flip(rows, "fp32", name, 5, samples)
        for name in ("gaussian_noise_p", "translate_p")
    ]
    line = figure(frame, "mfr_float")
    assert line["value"] == pytest.approx(100 * np.mean(ratios)) and line["low"] < line["value"] < line["high"]
    assert figure(frame, "mfr_float", "fp32")["note"] == "this is the control, 100 by definition"
    rows = rows.filter(~((pl.col("recipe") == "fp32") & pl.col("noise").str.starts_with("translate_p")))
    assert figure(summary(rows), "mfr_float")["value"] == pytest.approx(100 * ratios[0]), "what the control lacks is left out"
    assert figure(summary(rows.filter(recipe="lsq:w4a4")), "mfr_float")["note"] == "no float control"


def test_all_of_imagenet_p_is_complete():
    specs = expand("perturbations")
    noises = {spec: (spec.partition(":")[0], "perturbation", None, 0.5) for spec in specs}
    frame = summary(make(CLEAN | noises, n=4, recipes=("fp32",)))
    assert figure(frame, "mfp", "fp32")["note"] == "complete: 10 sequences"
    assert [f for f in frame["figure"] if f.startswith("flip")] == [f"flip:{name}" for name in SEQUENCES]
    assert {name: sum(spec.startswith(name) for spec in specs) for name in SEQUENCES} == SEQUENCES


def test_frames_that_are_missing_are_not_bridged():
    rows = make(CLEAN | films(("translate_p", "shot_noise_p"), 5), n=20)
    frame = summary(rows.filter(~pl.col("noise").is_in(["translate_p:2", "shot_noise_p:0"])))
    lines = table(rows, "lsq:w4a4")
    pairs = [(0, 1), (3, 4)]
    flips = [lines[f"translate_p:{a}", f"s{i}", 0]["prediction"] != lines[f"translate_p:{b}", f"s{i}", 0]["prediction"]
             for i in range(20) for a, b in pairs]  # fmt: skip
    assert figure(frame, "flip:translate_p")["value"] == pytest.approx(100 * np.mean(flips))
    line = figure(frame, "flip:shot_noise_p")
    assert line["value"] is None and line["note"] == "no two frames to compare were finished: each is compared with frame 0"
    assert figure(frame, "mfp")["value"] == pytest.approx(100 * np.mean(flips)), "the sequence without a figure is left out"


def test_a_sample_without_a_frame_drops_out_of_its_comparisons_alone():
    rows = make(CLEAN | films(("tilt_p",), 3), n=12)
    frame = summary(rows.filter(~((pl.col("noise") == "tilt_p:2") & (pl.col("sample") == "s3"))))
    lines = table(rows, "fp32")
    flips = np.array([[lines[f"tilt_p:{i}", f"s{s}", 0]["prediction"] != lines[f"tilt_p:{i + 1}", f"s{s}", 0]["prediction"]
                       for s in range(12)] for i in range(2)])  # fmt: skip
    expected = 100 * np.mean([flips[0].mean(), np.delete(flips[1], 3).mean()])
    assert figure(frame, "flip:tilt_p", "fp32")["value"] == pytest.approx(expected)


def test_one_sequence_at_two_settings_has_two_figures_and_no_mean():
    tiny = {f"tilt_p:{i},constants=tiny": ("tilt_p", "perturbation", None, 0.5) for i in range(3)}
    frame = summary(make(CLEAN | films(("tilt_p",), 3) | tiny, n=10))
    assert {"flip:tilt_p", "flip:tilt_p:constants=tiny"} <= set(frame["figure"])
    line = figure(frame, "mfp")
    assert line["value"] is None and line["note"] == "one sequence at several settings"


def test_frames_are_in_no_other_familys_figures():
    with_frames, without = (summary(make(CLEAN | part, n=10)) for part in (films(), {}))
    others = [f for f in with_frames["figure"].unique() if not f.startswith(("flip:", "mfp", "mfr"))]
    assert set(others) == set(without["figure"])
