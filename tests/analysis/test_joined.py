"""A joined noise is compared with what it joined, and with clean where it stands alone."""

import polars as pl
import pytest
from analysis_rows import CLEAN, make, percent, table

from bitproof.analysis import summary

NOISES = {
    **CLEAN,
    "fog:3": ("fog", "natural", 3, 0.5),
    "int8-ort": ("int8-ort", "system", None, 0.1),
    "fog:3+int8-ort": ("fog", "mixed", 3, 0.6),
    "frost:3+int8-ort": ("frost", "mixed", 3, 0.6),
    "bf16": ("bf16", "system", None, 0.1),
}


def flips(frame, recipe):
    part = frame.filter(pl.col("figure").str.starts_with("flips:") & (pl.col("recipe") == recipe))
    return {row["figure"].removeprefix("flips:"): row for row in part.iter_rows(named=True)}


def test_a_resize_on_another_decoder_is_one_setting_and_no_flip():
    noises = {**NOISES} | {
        name: (name, "system", None, 0.1) for name in ("decode-fast", "cv-area", "decode-fast+cv-area", "torch-cubic")
    }
    assert set(flips(summary(make(noises, n=40)), "lsq:w4a4")) == {"int8-ort", "fog:3+int8-ort"}
    noises["decode-fast+bf16"] = ("decode-fast", "system", None, 0.1)
    assert set(flips(summary(make(noises, n=40)), "lsq:w4a4")) == {"int8-ort", "fog:3+int8-ort", "bf16", "decode-fast+bf16"}


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_flips_are_counted_against_what_was_joined(missing):
    rows = make(NOISES, missing=missing, seeds=(0, 1), n=60)
    found = flips(summary(rows), "lsq:w4a4")
    assert set(found) == {"int8-ort", "fog:3+int8-ort"}
    cells = table(rows, "lsq:w4a4")
    for noise, base in {"int8-ort": "clean", "fog:3+int8-ort": "fog:3"}.items():
        pairs = [(cells[noise, s, k], cells[base, s, k]) for (n, s, k) in cells if n == noise and (base, s, k) in cells]
        assert found[noise]["value"] == pytest.approx(percent([a["prediction"] != b["prediction"] for a, b in pairs]))
        assert found[noise]["low"] <= found[noise]["value"] <= found[noise]["high"]
        assert found[noise]["note"].startswith(f"against {base}") and found[noise]["delta"] is not None


def test_an_attack_that_comes_last_is_on_the_network_itself():
    pictures = {"fog:3+pgd-linf:eps=1/255": ("fog", "mixed", 3, 0.9), "pgd-linf:eps=1/255": ("pgd-linf", "adversarial", None, 0.5)}
    assert not [name for name in summary(make(NOISES | pictures, n=20))["figure"] if name.startswith("robust_joined")]


def test_an_attack_on_integers_is_compared_with_the_one_on_the_simulation():
    attack = "square-linf:eps=1/255"
    noises = {
        **NOISES,
        attack: ("square-linf", "adversarial", None, 0.5),
        f"{attack}+int8-ort": ("square-linf", "mixed", None, 1.5),
    }
    rows, name = make(noises, n=80), f"{attack}+int8-ort"
    frame = summary(rows).filter(recipe="lsq:w4a4")
    assert name not in flips(frame, "lsq:w4a4")
    own = table(rows, "lsq:w4a4")
    stands = {noise: [own[noise, f"s{i}", 0]["correct"] for i in range(80)] for noise in (attack, name)}
    [level] = frame.filter(figure=f"robust_joined:{name}").to_dicts()
    [change] = frame.filter(figure=f"robust_change:{name}").to_dicts()
    assert level["value"] == pytest.approx(percent(stands[name])) and level["verdict"] == "undecided"
    assert change["value"] == pytest.approx(percent(stands[attack]) - percent(stands[name])) and change["value"] > 0
    assert change["low"] <= change["value"] <= change["high"] and change["note"].startswith(f"against {attack}")


def test_a_control_without_the_cell_and_an_attack_are_left_out():
    rows = make({**NOISES, "fog:3+pgd-linf:eps=2/255": ("fog", "mixed", 3, 1.0)})
    rows = rows.with_columns(gradient=pl.when(pl.col("noise").str.contains("pgd")).then(pl.lit("ste")).otherwise("gradient"))
    rows = rows.filter(~((pl.col("recipe") == "fp32") & pl.col("noise").str.contains("int8-ort")))
    frame = summary(rows)
    assert flips(frame, "fp32") == {} and set(flips(frame, "lsq:w4a4")) == {"int8-ort", "fog:3+int8-ort"}
    assert flips(frame, "lsq:w4a4")["fog:3+int8-ort"]["delta"] is None
