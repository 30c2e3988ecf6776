"""The words must follow from the intervals."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bitproof.report.source import Section
from bitproof.report.verdict import verdict


def figure(delta: float | None, low: float | None, high: float | None) -> dict[str, Any]:
    return {
        "value": 70.0,
        "low": 60.0,
        "high": 80.0,
        "n": 900,
        "control": "fp32",
        "delta": delta,
        "delta_low": low,
        "delta_high": high,
    }


def cell(recipe: str, noise: str, excess: tuple[float, float, float] | None, n: int = 900) -> dict[str, Any]:
    value, low, high = excess or (None, None, None)
    family = "clean" if noise == "clean" else "natural"
    head = {"recipe": recipe, "noise": noise, "name": noise, "family": family, "n": n, "control": "fp32"}
    return {**head, "excess": value, "excess_low": low, "excess_high": high}


def section(
    figures: dict[tuple[str, str], dict[str, Any]] | None = None, cells: tuple[dict[str, Any], ...] | None = None, **more: Any
) -> Section:
    figures = {("fp32", "clean"): figure(None, None, None), **(figures or {})}
    recipes = {recipe for recipe, _ in figures}
    cells = (*(cell(recipe, "clean", None) for recipe in recipes), cell("fp32", "fog:3", None)) if cells is None else cells
    return Section(key="s1", task="t", model="m", defense="none", cells=cells, figures=figures, variants=(), gallery=(), **more)


def test_a_loss_is_told_with_its_interval() -> None:
    said = verdict(section({("mse:w4a4", "clean"): figure(-3.2, -5.0, -1.4), ("mse:w4a4", "nr"): figure(-1.0, -2.0, 0.1)}))
    assert "a loss is shown for mse:w4a4 (on clean pictures)" in said.paragraph
    assert said.recipes == (("mse:w4a4", "loses 3.2 points [1.4, 5.0] on clean pictures; undecided on natural noise."),)


def test_a_gain_is_told_as_one() -> None:
    said = verdict(section({("mse:w4a4", "robust_worst"): figure(2.0, 0.5, 3.5)}))
    assert "Only gains are shown for mse:w4a4. The gain under attack of mse:w4a4 may be a hidden gradient" in said.paragraph
    assert said.recipes[0][1] == "gains 2.0 points [0.5, 3.5] on attacks (worst case)."


@pytest.mark.parametrize(
    ("word", "sentence"), [("masked", "is no robustness"), ("undecided", "may be a hidden"), ("holds", "holds under")]
)
def test_a_gain_under_attack_is_told_with_its_verdict(word: str, sentence: str) -> None:
    said = verdict(section({("mse:w4a4", "robust_worst"): figure(2.0, 0.5, 3.5) | {"verdict": word}}))
    assert f"The gain under attack of mse:w4a4 {sentence}" in said.paragraph
    assert said.recipes[0][1] == f"gains 2.0 points [0.5, 3.5] on attacks (worst case, {word})."


@pytest.mark.parametrize("bounds", [(-5.0, 0.0), (0.0, 5.0), (-1.0, 1.0)])
def test_an_interval_that_reaches_zero_is_undecided(bounds: tuple[float, float]) -> None:
    said = verdict(section({("mse:w8a8", "clean"): figure(sum(bounds) / 2, *bounds)}))
    assert "Undecided for mse:w8a8" in said.paragraph
    assert "loss is shown" not in said.paragraph
    assert said.recipes[0][1] == "undecided on clean pictures."


def test_the_largest_proven_excess_is_named_not_the_largest() -> None:
    cells = (
        cell("mse:w8a8", "fog:3", (9.0, -1.0, 19.0)),
        cell("mse:w8a8", "snow:3", (4.0, 1.0, 7.0)),
        cell("mse:w8a8", "frost:3", (2.0, 1.0, 3.0)),
    )
    said = verdict(section({("mse:w8a8", "clean"): figure(0.0, -1.0, 1.0)}, cells))
    assert "snow:3 under mse:w8a8: it costs 4.0 points [1.0, 7.0] more than it costs fp32 (n = 900)" in said.paragraph
    assert "largest of 3 cells" in said.paragraph


def test_no_proven_excess_is_said() -> None:
    said = verdict(section({("mse:w8a8", "clean"): figure(0.0, -1.0, 1.0)}, (cell("mse:w8a8", "fog:3", (9.0, -1.0, 19.0)),)))
    assert "No noise hurts a recipe provably more than it hurts fp32" in said.paragraph


def test_few_pictures_are_warned_about_and_many_are_not() -> None:
    few = verdict(section(cells=(cell("fp32", "clean", None, n=20), cell("fp32", "fog:3", None, n=600))))
    assert few.warnings == (
        "Few pictures: 20 for clean. The intervals are wide, and small losses cannot be seen: "
        "undecided does not mean that nothing was lost.",
    )
    assert verdict(section()).warnings == ()


def test_recordings_are_called_recordings() -> None:
    said = verdict(dataclasses.replace(section(cells=(cell("fp32", "clean", None, n=20),)), things="recordings"))
    assert [line.partition(":")[0] for line in said.warnings] == ["Few recordings", "Only clean recordings were run"]
    lost = verdict(dataclasses.replace(section({("mse:w4a4", "clean"): figure(-3.2, -5.0, -1.4)}), things="recordings"))
    assert lost.recipes[0][1] == "loses 3.2 points [1.4, 5.0] on clean recordings."


def test_clean_rows_alone_are_warned_about() -> None:
    said = verdict(section(cells=(cell("fp32", "clean", None),)))
    assert said.warnings == ("Only clean pictures were run: this says nothing about any noise. Add noises to the grid.",)
    assert "Only the control fp32 was run" in said.paragraph


def test_without_control_nothing_is_claimed() -> None:
    alone = {**cell("mse:w8a8", "clean", None), "control": None}
    bare = dataclasses.replace(
        section(cells=(alone,)), figures={("mse:w8a8", "clean"): {**figure(None, None, None), "control": None}}
    )
    assert "no control" in verdict(bare).paragraph
    assert verdict(bare).recipes == ()


def test_without_cells_nothing_is_said() -> None:
    assert "No cell has finished" in verdict(section(cells=())).paragraph


def test_of_many_budgets_the_largest_proven_loss_is_told() -> None:
    budgets = {"linf,eps=1/255": figure(-4.0, -6.0, -2.0), "linf,eps=2/255": figure(-9.0, -12.0, -6.0)}
    attacks = {("mse:w4a4", f"robust_worst:{name}"): row for name, row in budgets.items()}
    said = verdict(section({**attacks, ("mse:w4a4", "robust_worst"): figure(0.0, -0.5, 0.5)}))
    assert said.recipes[0][1] == "loses 9.0 points [6.0, 12.0] on attacks (linf, ε\u00a0=\u00a02/255)."
