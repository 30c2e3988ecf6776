"""How near two implementations of the same corruptions are: what is measured of a picture, and the line that it becomes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from bitproof.analysis.estimates import EACH, EACH_SIGNED, Tally, difference, level
from bitproof.analysis.intervals import Array, Bootstrap
from bitproof.analysis.permutation import holm, sign_flip

#: Radial bands of the spectrum, equally wide from 0 to half a cycle a pixel; what lies beyond (the corners) is in the last.
BANDS = 8

#: What is told of one picture's change, y − x: mean and standard deviation of each channel, and its power in each band, dB.
FEATURES = (
    *(f"{moment}_{channel}" for moment in ("mean", "std") for channel in "rgb"),
    *(f"band_{band}_db" for band in range(1, BANDS + 1)),
)
_BANDS = slice(6, None)

#: The largest mean |Δ| of 255 at which a corruption without chance counts as the reference's.
LIMIT = 0.5

#: Power of rounding to bytes; added before the logarithm, since no picture is known better.
_FLOOR = 1 / 12

Image = npt.NDArray[np.uint8]


def apart(ours: Image, theirs: Image) -> tuple[float, int]:
    """Return mean and largest |ours − theirs| of 255."""
    distance = np.abs(ours.astype(np.int16) - theirs)
    return float(distance.mean()), int(distance.max())


def features(clean: Image, changed: Image) -> list[float]:
    """Return ``FEATURES`` of y − x. uint8 H×W×3 twice → 14 numbers: grey levels, grey levels, dB.

    A band's power is the mean of |DFT|²/(H·W) of the channels' mean less its own mean: noise of variance v has power v everywhere.
    """
    change = changed.astype(np.float32) - clean
    grey = change.mean(axis=2)
    power = np.abs(np.fft.rfft2(grey - grey.mean())) ** 2 / grey.size
    bands = _bands(*grey.shape)
    filled = np.maximum(np.bincount(bands, minlength=BANDS), 1)
    mean_power = np.bincount(bands, power.ravel(), minlength=BANDS) / filled
    return [
        *map(float, change.mean(axis=(0, 1))),
        *map(float, change.std(axis=(0, 1))),
        *map(float, 10 * np.log10(mean_power + _FLOOR)),
    ]


@lru_cache(maxsize=4)
def _bands(height: int, width: int) -> npt.NDArray[np.intp]:
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    return np.asarray(np.minimum((radius * 2 * BANDS).astype(np.intp), BANDS - 1)).ravel()


def lines(pictures: pl.DataFrame) -> pl.DataFrame:
    """Return one line a corruption, severity and reference.

    ``pictures``: a row a picture with noise, name, severity, reference, random, sample, delta_mean, delta_max, ours and theirs
    (``FEATURES`` or null), ours_correct and theirs_correct (or null, without a network).

    ``delta_mean``, ``delta_max``: |ours − theirs| of 255 over all pictures.
    ``mean_*``, ``std_*``: of the change in each channel, grey levels, ours and theirs, averaged over the pictures.
    ``spectrum_db``: mean over the bands of |ours − theirs|, each averaged over the pictures.
    ``p``: of ``sign_flip`` over all ``FEATURES``, pictures being the pairs; ``p_holm``: after Holm, over the random lines.
    ``accuracy_ours``, ``accuracy_theirs``: %; ``difference`` ours − theirs, points, with its paired 95 % interval.
    ``verdict``: without chance, pass where delta_mean ≤ 0.5; with chance, pass where the interval holds 0; null without a network.
    """
    groups = pictures.partition_by(["noise", "reference"], maintain_order=True)
    table = pl.DataFrame([_line(group) for group in groups], infer_schema_length=None)
    tested = table["p"].is_not_null()
    adjusted = np.full(len(table), np.nan)
    adjusted[tested.to_numpy()] = holm(table["p"].drop_nulls().to_numpy())
    table = table.with_columns(pl.Series("p_holm", adjusted).fill_nan(None)).with_columns(verdict=_verdict())
    return table.select(*(name for name in table.columns if name not in ("p_holm", "verdict")), "p_holm", "verdict")


def _line(group: pl.DataFrame) -> dict[str, object]:
    first = group.row(0, named=True)
    return {
        **{key: first[key] for key in ("noise", "name", "severity", "reference", "random")},
        "n": len(group),
        "delta_mean": group["delta_mean"].mean(),
        "delta_max": group["delta_max"].max(),
        **_distribution(group),
        **_accuracy(group),
    }


def _distribution(group: pl.DataFrame) -> dict[str, float | None]:
    names = [f"{name}_{side}" for name in FEATURES[:6] for side in ("ours", "theirs")]
    if group["ours"].null_count():
        return {name: None for name in (*names, "spectrum_db", "p")}
    ours, theirs = (np.array(group[side].to_list(), float) for side in ("ours", "theirs"))
    a, b = ours.mean(axis=0), theirs.mean(axis=0)
    moments = [float(side[i]) for i in range(6) for side in (a, b)]
    p = sign_flip(ours - theirs, "fidelity", len(group))
    return {**dict(zip(names, moments, strict=True)), "spectrum_db": float(np.abs(a - b)[_BANDS].mean()), "p": p}


def _accuracy(group: pl.DataFrame) -> dict[str, float | None]:
    names = ("accuracy_ours", "accuracy_theirs", "difference", "low", "high")
    if group["ours_correct"].null_count():
        return dict.fromkeys(names)
    ours, theirs = (_tally(group[f"{side}_correct"].to_numpy()) for side in ("ours", "theirs"))
    bootstrap = Bootstrap(len(group), "fidelity", len(group))
    between = difference(ours, theirs, EACH_SIGNED, bootstrap)
    values = (level(ours, EACH, bootstrap).value, level(theirs, EACH, bootstrap).value, between.value, between.low, between.high)
    return {name: float(value[0]) for name, value in zip(names, values, strict=True)}


def _tally(correct: Array) -> Tally:
    hit = correct.astype(bool)[:, None, None]
    return Tally(hit, np.ones_like(hit))


def _verdict() -> pl.Expr:
    holds_zero = (pl.col("low") <= 0) & (pl.col("high") >= 0)
    near = pl.when("random").then(holds_zero).otherwise(pl.col("delta_mean") <= LIMIT)
    return pl.when(near.is_null()).then(None).when(near).then(pl.lit("pass")).otherwise(pl.lit("fail"))
