"""Rows of made-up networks, and figures computed the slow way from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from bitproof.results.schema import SAMPLES

#: spec → (name, family, severity, difficulty)
Noises = dict[str, tuple[str, str, int | None, float]]

CLEAN: Noises = {"clean": ("clean", "clean", None, 0.0)}
SYSTEM: Noises = {name: (name, "system", None, 0.2) for name in ("pil-nearest", "cv-area", "decode-ffmpeg")}
ATTACKS: Noises = {
    f"{name}:eps={eps}": (name, "adversarial", None, hard)
    for name, eps, hard in [
        ("pgd-linf", "2/255", 1.0),
        ("mim-linf", "2/255", 1.1),
        ("pgd-linf", "8/255", 2.0),
        ("pgd-l2", "0.5", 1.0),
    ]
}
FRAMES: Noises = {f"tilt_p:{i}": ("tilt_p", "perturbation", None, 0.4) for i in range(3)}
JOINED: Noises = {"decode-ffmpeg+fog:3": ("decode-ffmpeg", "mixed", 3, 0.9)}


def corruptions(names: Sequence[str] = ("fog", "frost"), severities: Sequence[int] = (1, 2, 3, 4, 5)) -> Noises:
    return {f"{name}:{s}": (name, "natural", s, 0.3 * s) for name in names for s in severities}


def make(
    noises: Noises,
    recipes: Sequence[str] = ("fp32", "lsq:w4a4"),
    n: int = 40,
    seeds: Sequence[int] = (0,),
    classes: int = 10,
    missing: float = 0.0,
    generator: int = 0,
    task: str = "parquet:x",
) -> pl.DataFrame:
    """Rows of networks that find samples and noises harder the lower their bits; a share of rows is ``missing``."""
    rng = np.random.default_rng(generator)
    skill, label = rng.normal(1, 1, n), rng.integers(0, classes, n)
    parts = []
    for r, recipe in enumerate(recipes):
        for seed in seeds:
            for noise, (name, family, severity, hard) in noises.items():
                margin = skill - 0.2 * r - hard + rng.normal(0, 0.5, n)
                correct = margin > 0
                confidence = 1 / (1 + np.exp(-2 * np.abs(margin)))
                columns = {
                    "cell": f"{recipe} {seed} {noise}", "variant": f"{recipe} {seed}", "task": task, "model": "m", "recipe": recipe,
                    "noise": noise, "name": name, "family": family, "severity": severity,
                    "gradient": "ste" if family == "adversarial" else None, "defense": "none", "seed": seed,
                    "sample": [f"s{i}" for i in range(n)], "label": label,
                    "prediction": np.where(correct, label, (label + rng.integers(1, classes, n)) % classes), "correct": correct,
                    "margin": margin, "loss": -np.log(np.where(correct, confidence, 1 - confidence)), "confidence": confidence,
                    "success": None, "queries": None, "gradients": None, "distance": None,
                }  # fmt: skip
                part = pl.DataFrame(columns, schema_overrides=dict(SAMPLES))
                parts.append(part.filter(pl.Series(rng.random(n) >= missing)))
    return pl.concat(parts)


Table = dict[tuple[str, str, int], dict[str, object]]


def table(rows: pl.DataFrame, recipe: str) -> Table:
    """(noise, sample, seed) → row, for one recipe."""
    part = rows.filter(pl.col("recipe") == recipe)
    return {(row["noise"], row["sample"], row["seed"]): row for row in part.iter_rows(named=True)}


def percent(values: list[float]) -> float | None:
    return 100 * sum(values) / len(values) if values else None
