"""Plots: plotly's own validator accepts them, and they show what the frames say."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go
import pytest
from report_runs import EVIL

from bitproof.report.heatmaps import decoder_maps, heatmaps
from bitproof.report.plots import Plot, attack_plots, bits_plots, confidence_plot, dodge, dot_plot
from bitproof.report.source import Section, read


@pytest.fixture(scope="module")
def section(results: Path) -> Section:
    return next(section for section in read(results).sections if section.model == "net")


def all_plots(section: Section) -> list[Plot]:
    confidence = confidence_plot(section)
    assert confidence is not None
    bits = bits_plots(section, [("clean", "Clean"), ("nr", "Natural")])
    return [*bits, *heatmaps(section), dot_plot(section, "system", "mixed"), *attack_plots(section), confidence]


def test_plotly_accepts_every_plot(results: Path) -> None:
    for section in read(results).sections:
        for plot in all_plots(section):
            go.Figure(plot.figure)


def test_the_validator_would_notice() -> None:
    with pytest.raises(ValueError, match="Invalid"):
        go.Figure({"data": [{"type": "scatter", "marker": {"symbol": "no such symbol"}}], "layout": {}})


def test_error_bars_end_where_the_intervals_do(section: Section) -> None:
    (plot,) = bits_plots(section, [("nr", "Natural")])
    ends = {}
    for trace in plot.figure["data"]:
        bars = trace["error_y"]
        for value, up, down in zip(trace["y"], bars["array"], bars["arrayminus"], strict=True):
            ends[round(value - down, 6), round(value + up, 6)] = value
    rows = [section.figures[recipe, "nr"] for recipe in section.recipes]
    assert ends == {(round(row["low"], 6), round(row["high"], 6)): row["value"] for row in rows}


def test_recipes_that_share_bits_stand_side_by_side(section: Section) -> None:
    (plot,) = bits_plots(section, [("clean", "Clean")])
    places = [place for trace in plot.figure["data"] for place in trace["x"]]
    assert len(set(places)) == len(section.recipes)
    assert plot.figure["layout"]["xaxis"]["ticktext"] == ["32", "w8a8", "w4a8", "w4a4"]


def test_dodged_places_are_centred() -> None:
    assert dodge(0, 1, 0.4) == 0
    assert [round(dodge(i, 3, 0.4), 9) for i in range(3)] == [-0.2, 0.0, 0.2]


def test_the_excess_map_is_bold_where_the_interval_excludes_zero(section: Section) -> None:
    drop, excess = heatmaps(section)
    cells = [cell for cell in section.of("natural") if cell["excess"] is not None]
    proven = sum(not cell["excess_low"] <= 0 <= cell["excess_high"] for cell in cells)
    texts = [text for line in excess.figure["data"][0]["text"] for text in line]
    assert len(texts) == len(cells)
    assert 0 < sum(text.startswith("<b>") for text in texts) == proven < len(cells)
    assert not any("<b>" in text for line in drop.figure["data"][0]["text"] for text in line)


def test_a_map_has_a_column_for_each_recipe_and_severity(section: Section) -> None:
    drop, excess = heatmaps(section)
    assert len(drop.figure["data"][0]["x"]) == len(section.recipes) * 2
    assert len(excess.figure["data"][0]["x"]) == (len(section.recipes) - 1) * 2


def test_budgets_are_in_order_on_the_attack_plot(section: Section) -> None:
    curve, plot = attack_plots(section)
    assert (curve.title, plot.title) == ("linf, worst attack a sample", "pgd-linf")
    assert curve.figure["layout"]["xaxis"]["ticktext"] == ["0", "1/255", "2/255"]
    assert plot.figure["layout"]["xaxis"]["ticktext"] == ["1/255", "2/255"]


def test_names_are_escaped_for_plotly(results: Path) -> None:
    evil = next(section for section in read(results).sections if section.model == EVIL)
    cells = tuple(
        {**cell, "recipe": f"mse:w8a8 {EVIL}", "noise": f"fog:{EVIL}"} for cell in evil.cells if cell["family"] == "natural"
    )
    renamed = Section("s", "t", "m", "none", cells, {}, (), ())
    for plot in (dot_plot(renamed, "natural"), *heatmaps(renamed)):
        assert "<img" not in str(plot.figure)
        assert "&lt;img" in str(plot.figure)


def grid_cells(section: Section) -> tuple[dict, ...]:
    """Every decoder with every resize, and other system noises among them."""
    noises = ["clean", "decode-cv", "decode-ffmpeg", "cv-area", "decode-cv+cv-area", "decode-ffmpeg+cv-area", "fp16"]
    noises += ["decode-cv+yuv-444", "pil-cubic:mode=square"]
    like = section.of("system")[0]
    return tuple(
        {**like, "noise": noise, "recipe": recipe, "family": "clean" if noise == "clean" else "system", "drop": float(place)}
        for recipe in ("fp32", "mse:w8a8")
        for place, noise in enumerate(noises)
    )


def test_decoders_and_resizes_make_a_matrix(section: Section) -> None:
    drop, *_ = decoder_maps(Section("s", "t", "m", "none", grid_cells(section), {}, (), ()))
    trace, layout = drop.figure["data"][0], drop.figure["layout"]
    assert layout["xaxis"]["ticktext"] == ["clean", "cv", "ffmpeg"] * 2
    assert layout["yaxis"]["ticktext"] == ["cv-area", "clean"]
    assert trace["z"] == [[3.0, 4.0, 5.0] * 2, [0.0, 1.0, 2.0] * 2]
    go.Figure(drop.figure)


def test_without_pairs_there_is_no_matrix(section: Section) -> None:
    assert decoder_maps(section) == []
