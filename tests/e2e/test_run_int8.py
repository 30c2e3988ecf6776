"""A run whose network is met on integers: alone, after a corruption, under an attack, and beside a float control."""

import polars as pl
import pytest

import bitproof as bp
from bitproof.core import SpecError

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def text_of(grid, noises, recipes='[fp32, "minmax:w8a8"]'):
    text = grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', recipes)
    return text[: text.index("noises:")] + f"noises: {noises}\nlimit: 8\nbatch_size: 8\nthreads: 1\n"


def test_integers_meet_the_same_pictures(grid, tmp_path):
    noises = '[clean, "pixelate:2", int8-ort, "int8-ort:bias=float", "pixelate:2+int8-ort", "noise-linf:eps=8/255+int8-ort"]'
    assert bp.run(text_of(grid, noises), tmp_path / "run").failed == 0
    rows = bp.results.load(tmp_path / "run").sort("sample")
    low_bit, control = (rows.filter(recipe=recipe) for recipe in ("minmax:w8a8", "fp32"))
    assert not control["noise"].str.contains("int8-ort").any() and {"clean", "pixelate:2"} <= set(control["noise"])
    for before in ("clean", "pixelate:2"):
        one, other = (low_bit.filter(noise=noise) for noise in (before, "int8-ort" if before == "clean" else f"{before}+int8-ort"))
        assert one["sample"].to_list() == other["sample"].to_list()
        assert (one["margin"] - other["margin"]).abs().max() < 0.1
    assert dict(low_bit.select("noise", "family").unique().iter_rows())["int8-ort"] == "system"
    assert low_bit.filter(pl.col("noise").str.contains("noise-linf"))["queries"].min() > 0
    assert "onnxruntime" in bp.results.Store.open(tmp_path / "run").environment()["integers"]


def test_a_gradient_is_refused_where_there_is_none(grid, tmp_path):
    with pytest.raises(SpecError, match="needs a gradient and a session of integers has none"):
        bp.run(text_of(grid, '["pgd-linf:eps=8/255,steps=3+int8-ort"]'), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_float_recipes_alone_are_refused(grid, tmp_path):
    with pytest.raises(SpecError, match=r"'int8-ort' runs integers and fits low-bit recipes only, found fp32"):
        bp.run(text_of(grid, "[int8-ort]", "[fp32]"), tmp_path / "run")
