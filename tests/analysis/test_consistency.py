"""What two computations of one cell may differ in, and what they may not."""

import polars as pl
import pytest
from statements_rows import planted

from bitproof.analysis import agreement, contradictions

CLEAN = planted({"fp32": {"clean": 0.8}}, n=200)
ATTACK = planted({"fp32": {"pgd-linf:eps=2/255": 0.5}}, n=200).with_columns(success=~pl.col("correct"))


def turned(rows, count, margin):
    """The first ``count`` predictions turned over, at a margin of so many nats."""
    first = pl.int_range(pl.len()) < count
    return rows.with_columns(
        prediction=pl.when(first).then(pl.col("prediction") + 1).otherwise("prediction"),
        margin=pl.when(first).then(margin).otherwise("margin"),
        correct=~first & pl.col("correct"),
    )


def test_equal_rows_agree_to_the_last_bit():
    assert agreement(CLEAN, CLEAN.reverse()) == ([], "200 of 200 rows equal to the last bit, margins within 0")


@pytest.mark.parametrize(("margin", "count"), [(-0.0005, 0), (-0.5, 3)])
def test_a_clean_prediction_may_move_where_the_margin_is_nearly_zero(margin, count):
    faults, _ = agreement(CLEAN, turned(CLEAN, 3, margin))
    assert (faults == []) == (count == 0)
    assert not faults or faults[0].startswith("3 of 200 predictions differ beyond rounding")


def test_under_attack_the_accuracy_must_lie_in_its_interval():
    assert agreement(ATTACK, turned(ATTACK, 6, -2.0))[0] == []
    (fault,) = agreement(ATTACK, turned(ATTACK, 120, -2.0))[0]
    assert fault.startswith("accuracy under attack was")


def test_other_samples_disagree():
    assert agreement(CLEAN, CLEAN.head(150))[0] == ["200 rows were submitted, 150 computed, 150 samples are in both"]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"correct": ~pl.col("correct")}, "prediction and label differ"),
        ({"loss": pl.lit(-1.0)}, "loss below 0"),
        ({"name": pl.lit("fog")}, "named otherwise"),
        ({"sample": pl.lit("s1")}, "repeat a sample"),
        (
            {"label": pl.int_range(pl.len()), "prediction": pl.int_range(pl.len()), "correct": True, "sample": pl.lit("s1")},
            "several labels",
        ),
        ({"noise": pl.when(pl.col("label") > 3).then(pl.lit("fog:3")).otherwise(pl.lit("clean"))}, "mix rows"),
    ],
)
def test_contradictions_are_named(change, part):
    assert contradictions(CLEAN) == []
    assert any(part in said for said in contradictions(CLEAN.with_columns(**change)))


def numbers(values, targets):
    """Rows of a task whose answer is a number."""
    off = (pl.Series(values) - pl.Series(targets)).abs()
    rows = planted({"fp32": {"clean": 0.8}}, n=len(values))
    return rows.with_columns(
        value=pl.Series(values), target=pl.Series(targets), prediction=pl.Series(values).round().cast(pl.Int64),
        label=pl.Series(targets).round().cast(pl.Int64), correct=off <= 0.5, margin=0.5 - off,
    )  # fmt: skip


def test_a_number_is_right_within_half_a_unit_wherever_it_is_rounded_to():
    rows = numbers([2.6, 2.4, 3.6], [2.4, 3.4, 3.4])
    assert contradictions(rows) == []
    (fault,) = contradictions(rows.with_columns(value=pl.col("value") + 0.01))
    assert fault.startswith("3 rows have a margin that is not")
    assert agreement(numbers([2.4999999], [2.7]), numbers([2.5000001], [2.7]))[0] == []
    assert agreement(numbers([2.0], [2.4]), numbers([1.8], [2.4]))[0] != []
