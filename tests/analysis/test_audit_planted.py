"""The audit on networks whose gradients were made to lie, and on honest ones."""

import polars as pl
import pytest
from audit_nets import HardSign, Smooth, Templates, rows, suite

from bitproof.analysis import audit, summary

EPS = 0.1


def verdicts(frame):
    return {line["recipe"]: line for line in audit(frame).iter_rows(named=True)}


def both(low_bit, control, specs=None):
    specs = suite(EPS) if specs is None else specs
    return pl.concat([rows("float", control, control, specs), rows("bnn:w1a1", low_bit, control, specs)])


def test_a_robust_network_and_a_float_one_are_not_flagged():
    told = verdicts(both(Templates(), Smooth()))
    assert told["bnn:w1a1"]["verdict"] == "holds", told["bnn:w1a1"]["why"]
    assert told["float"]["verdict"] == "holds", told["float"]["why"]
    assert told["bnn:w1a1"]["worst"] > 40 and told["bnn:w1a1"]["excess_low"] <= 0 <= told["bnn:w1a1"]["excess_high"]
    assert told["bnn:w1a1"]["next"] == ""


def test_a_hard_sign_is_flagged():
    told = verdicts(both(HardSign(), Smooth()))["bnn:w1a1"]
    assert told["verdict"] == "masked"
    assert {"check_gap", "check_zero", "check_black_box", "check_transfer"} <= {k for k, v in told.items() if v == "failed"}
    assert told["zero_ste"] == 100 and told["cosine"] is None
    assert told["gap"] > 20 and told["excess_low"] > 2


def test_a_hard_sign_is_flagged_without_a_control_and_by_a_lone_pgd():
    specs = suite(EPS)
    assert verdicts(rows("bnn:w1a1", HardSign(), HardSign(), specs))["bnn:w1a1"]["verdict"] == "masked"
    lone = verdicts(rows("bnn:w1a1", HardSign(), Smooth(), specs[:1]))["bnn:w1a1"]
    assert lone["verdict"] == "masked" and "the gradient is zero for 100.0 %" in lone["why"]


def test_large_logits_are_flagged():
    told = verdicts(both(Smooth(scale=1e6), Smooth()))["bnn:w1a1"]
    assert told["verdict"] == "masked"
    assert told["check_zero"] == "failed" and told["saturated"] > 90 and told["logit_norm"] > 1e3
    assert told["check_gap"] == "failed"


def test_a_masked_control_is_not_taken_off():
    told = verdicts(both(HardSign(), HardSign()))
    assert {line["verdict"] for line in told.values()} == {"masked"}
    assert told["bnn:w1a1"]["control"] is None and told["bnn:w1a1"]["excess"] is None


def test_a_lone_pgd_is_undecided_and_says_what_to_run():
    told = verdicts(both(Templates(), Smooth(), suite(EPS)[:1]))["bnn:w1a1"]
    assert told["verdict"] == "undecided"
    for spec in ("square-linf:eps=0.1", "transfer-linf:eps=0.1", "pgd-linf:eps=0.1,steps=100", "pgd-linf:eps=1", "loss=margin"):
        assert spec in told["next"], spec
    frame = both(Templates(), Smooth(), [*suite(EPS)[:1], *suite(EPS)[4:]])
    assert "steps" in verdicts(frame)["bnn:w1a1"]["next"] and "square" not in verdicts(frame)["bnn:w1a1"]["next"]


def test_where_nothing_stands_nothing_can_be_hidden():
    specs = ["pgd-linf:eps=0.45,steps=40"]
    told = verdicts(both(Templates(), Smooth(), specs))
    assert {(line["verdict"], line["worst"], line["next"]) for line in told.values()} == {("holds", 0.0, "")}
    assert "nothing stands" in told["float"]["why"]


def test_every_adversarial_figure_carries_the_verdict():
    figures = summary(both(HardSign(), Smooth()))
    attacked = figures.filter(pl.col("figure").str.contains("^(ar|robust)"))
    assert set(attacked.filter(recipe="bnn:w1a1")["verdict"]) == {"masked"}
    assert set(attacked.filter(recipe="float")["verdict"]) == {"holds"}
    assert figures.filter(figure="clean")["verdict"].null_count() == 2
    worst = dict(attacked.filter(figure="robust_worst").select("recipe", "value").iter_rows())
    ball = dict(attacked.filter(figure="robust_worst:linf,eps=0.1").select("recipe", "value").iter_rows())
    assert worst == ball  # an attack that may change everything is no budget


def test_few_pictures_decide_nothing():
    frame = both(Templates(), Smooth()).filter(pl.col("sample").str.slice(1).cast(int) < 12)
    told = verdicts(frame)["bnn:w1a1"]
    assert told["verdict"] == "undecided" and "raise limit.adversarial" in told["why"]


def test_the_worst_case_is_counted_sample_by_sample():
    frame = both(Smooth(), Smooth())
    told = verdicts(frame)["bnn:w1a1"]
    attacked = frame.filter(pl.col("recipe") == "bnn:w1a1", pl.col("family") == "adversarial", pl.col("noise") != "pgd-linf:eps=1")
    assert told["worst"] == pytest.approx(100 * attacked.group_by("sample").agg(pl.col("correct").all())["correct"].mean())
    reference = attacked.filter(noise=f"pgd-linf:eps={EPS},steps=100")["correct"].mean()
    assert told["gap"] == pytest.approx(100 * reference - told["worst"])
