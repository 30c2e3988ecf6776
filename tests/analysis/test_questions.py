"""The figures of what chat models answered, against counts by hand."""

import dataclasses

import polars as pl
import pytest

from bitproof.analysis import questions, wilson
from bitproof.core import ReplyRow

BASE = ReplyRow(
    cell="c", task="t", model="m", recipe="fp32", noise="clean", defense="none", seed=0, sample="a", trial=0, scenario="presence",
    group="a", phrasing=0, repeat=0, negative=False, answer_type="yes-no", question="?", answer="yes", options="", status="right",
    value="yes", score=1.0, position=None, reply="Yes", tokens_in=10, tokens_out=1, latency_ms=5.0, cost=0.5, server="",
)  # fmt: skip


def row(**changes):
    sample = changes.get("sample", BASE.sample)
    return dataclasses.asdict(dataclasses.replace(BASE, **({"group": sample} | changes)))


def said(sample, truth, value, **changes):
    status = {"": "unparsable", "refuses": "refusal"}.get(value, "right" if value == truth else "wrong")
    score = float(status == "right")
    read = value if status in ("right", "wrong") else ""
    return row(sample=sample, answer=truth, value=read, status=status, score=score, negative=truth == "no") | changes


def frame(rows):
    return pl.DataFrame(rows, schema_overrides={"position": pl.Int64})


def line(rows, **which):
    found = questions(frame(rows)).filter(**which).to_dicts()
    assert len(found) == 1
    return found[0]


#: Truth and answer: 6 yes (4 said, 1 no, 1 refused), 4 no (2 said, 1 yes, 1 unreadable).
TOLD = [("yes", "yes")] * 4 + [("yes", "no"), ("yes", "refuses"), ("no", "no"), ("no", "no"), ("no", "yes"), ("no", "")]


def test_decisions_by_hand():
    found = line([said(f"s{i}", truth, value) for i, (truth, value) in enumerate(TOLD)])
    assert (found["n"], found["askings"], found["few"], found["value"]) == (10, 10, True, 60)
    low, high = wilson(6, 10)
    assert (found["low"], found["high"]) == (pytest.approx(low.item()), pytest.approx(high.item()))
    assert found["balanced"] == pytest.approx(50 * (4 / 6 + 2 / 4))
    assert found["f1"] == pytest.approx(100 * 2 * 4 / (5 + 6))
    assert found["yes_rate"] == pytest.approx(100 * 5 / 8)
    assert (found["refusal"], found["unparsable"]) == (10, 10)
    assert found["hallucination"] == 25
    assert found["balanced_low"] < found["balanced"] < found["balanced_high"]
    assert (found["tokens"], found["cost"], found["latency_ms"]) == (110, 5.0, 5.0)


def test_always_yes_is_told_by_its_figures():
    found = line([said(f"s{i}", "yes" if i % 2 else "no", "yes") for i in range(60)])
    assert (found["value"], found["balanced"], found["yes_rate"], found["hallucination"]) == (50, 50, 100, 100)
    assert not found["few"]


def test_against_the_control():
    control = [said(f"s{i}", "yes", "yes") for i in range(8)]
    other = [said(f"s{i}", "yes", "yes" if i < 5 else "no", recipe="served:q4") for i in range(8)]
    found = line([*control, *other], recipe="served:q4")
    assert (found["control"], found["pairs"], found["delta"], found["churn"]) == ("fp32", 8, -37.5, 37.5)
    assert found["delta_low"] < -37.5 < found["delta_high"] <= 0
    assert line([*control, *other], recipe="fp32")["delta"] is None


def test_phrasings_and_repeats():
    def asked(sample, answers, repeats=2):
        for i, value in enumerate(answers):
            yield said(sample, "yes", value, trial=i, phrasing=i // repeats, repeat=i % repeats)

    rows = [
        *asked("same", ["yes"] * 4),
        *asked("phrasing", ["yes", "yes", "no", "no"]),
        *asked("repeat", ["yes", "no", "yes", "no"]),
        *asked("both", ["no", "yes", "yes", "no"]),
    ]
    found = line(rows)
    assert (found["n"], found["askings"], found["value"]) == (4, 16, pytest.approx(100 * 10 / 16))
    assert (found["phrasings"], found["repeats"]) == (50, 50)


def test_position_bias_by_hand():
    choice = {"answer_type": "choice", "options": "a|b", "value": "a", "position": 0}
    rows = [row(sample=f"s{i}", answer="ab"[i % 2], status=["right", "wrong"][i % 2], **choice) for i in range(10)]
    assert line(rows)["position_bias"] == 50


def test_items_of_one_picture_are_drawn_together():
    """Ten pictures with five equal answers each tell as much as ten answers: the interval is wider than that of fifty."""
    rows = [said(f"p{p}q{q}", "yes", "yes" if p < 5 else "no", group=f"p{p}") for p in range(10) for q in range(5)]
    found, (low, high) = line(rows), wilson(25, 50)
    assert found["high"] - found["low"] > 1.5 * (high - low).item()


def test_scenarios_have_a_line_over_all_and_no_rows_no_lines():
    rows = [said("a", "yes", "yes"), said("b", "yes", "no", scenario="rain")]
    assert questions(frame(rows))["scenario"].to_list() == [
        "all",
        "presence",
        "rain",
    ]
    assert questions(frame(rows).clear()).is_empty()
