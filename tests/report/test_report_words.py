"""Writing numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.report import words


@pytest.mark.parametrize(
    ("value", "text"),
    [(12.345, "12.3"), (-0.4, "−0.4"), (-0.04, "0.0"), (0.0, "0.0"), (None, "–"), (math.nan, "–"), (math.inf, "–")],
)
def test_number(value: float | None, text: str) -> None:
    assert words.number(value) == text


def test_a_signed_number_carries_its_sign_but_zero_has_none() -> None:
    assert [words.number(value, signed=True) for value in (1.0, -1.0, 0.01)] == ["+1.0", "−1.0", "0.0"]


def test_an_interval_without_bounds_is_nothing() -> None:
    assert words.interval(None, 1.0) == ""
    assert words.interval(-1.0, 2.25) == "[−1.0, 2.2]"


@given(st.floats(-100, 100), st.floats(0, 50))
def test_a_change_is_proven_only_where_the_interval_excludes_zero(low: float, width: float) -> None:
    high = low + width
    said = words.change(low, high)
    assert (said == words.UNDECIDED) == (low <= 0 <= high)
    mirror = {words.LOST: words.GAINED, words.GAINED: words.LOST}
    assert words.change(low, high, better="lower") == mirror.get(said, said)
    assert words.change(low, high, better="neither") in (words.UNDECIDED, words.MOVED)


def test_no_interval_says_nothing() -> None:
    assert words.change(None, 1.0) == ""


@pytest.mark.parametrize(
    ("recipe", "bits", "label"),
    [
        ("mse:w8a8", (8, 8), "w8a8"),
        ("lsq:w4a8,first=8,per=tensor", (4, 8), "w4a8"),
        ("mse:w2a2 [1a2b3c]", (2, 2), "w2a2"),
        ("fp32", (32, 32), "32"),
        ("float", (32, 32), "32"),
        ("packed", None, "packed"),
        ("<not a spec>", None, "<not a spec>"),
    ],
)
def test_bits_of_a_recipe(recipe: str, bits: tuple[int, int] | None, label: str) -> None:
    assert words.recipe_bits(recipe) == bits
    assert words.bits_label(recipe) == label


def test_recipes_go_from_many_bits_to_few_and_the_unknown_last() -> None:
    recipes = ["mse:w4a4", "unknown", "mse:w4a8", "fp32", "mse:w8a4", "mse:w8a8"]
    assert sorted(recipes, key=words.bits_order) == ["fp32", "mse:w8a8", "mse:w8a4", "mse:w4a8", "mse:w4a4", "unknown"]


@pytest.mark.parametrize(("seconds", "text"), [(None, "–"), (0.44, "0.4 s"), (75, "1 min 15 s"), (7500, "2 h 5 min")])
def test_duration(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(("parts", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")])
def test_joined(parts: list[str], text: str) -> None:
    assert words.joined(parts) == text


@pytest.mark.parametrize(("value", "text"), [(True, "yes"), (None, "–"), ([], "none"), (["a", 1], "a, 1"), (0.5, "0.5")])
def test_plain(value: object, text: str) -> None:
    assert words.plain(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.0, "<0.0001"), (0.03125, "0.0312"), (1.0, "1.0000")])
def test_p_value(value: float | None, text: str) -> None:
    assert words.p_value(value) == text
