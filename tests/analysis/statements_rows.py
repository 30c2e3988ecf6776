"""Rows of networks whose accuracy under every noise is planted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from bitproof.core import Spec
from bitproof.results.schema import SAMPLES, completed

FAMILY = {"pil": "system", "cv": "system", "decode": "system"} | dict.fromkeys(("pgd", "square", "transfer"), "adversarial")

#: What a masking audit asks for in one ball, and room for everything.
AT = "linf:eps=2/255"
SUITE = (
    *(f"pgd-{AT}{more}" for more in ("", ",loss=margin", ",grad=ste-full", ",steps=40", ",steps=100")),
    f"square-{AT},queries=1000",
    f"transfer-{AT}",
)
FREE = "pgd-linf:eps=1"


def family(noise: str) -> str:
    name = Spec.parse(noise).name
    return "clean" if noise == "clean" else "perturbation" if name.endswith("_p") else FAMILY.get(name.partition("-")[0], "natural")


def planted(
    shares: Mapping[str, Mapping[str, float]], n: int = 300, draw: int = 0, model: str = "m", share: float = 0.5
) -> pl.DataFrame:
    """Rows of recipe → noise → share of right answers; the outcomes of a sample are correlated, as those of real pictures are."""
    rng = np.random.default_rng(draw)
    ease, label, parts = rng.random(n), np.arange(n) % 10, []
    for recipe, noises in shares.items():
        for noise, level in noises.items():
            luck = np.where(rng.random(n) < share, ease, rng.random(n))
            correct = luck < level
            parts.append(_part(recipe, noise, correct, np.where(correct, label, (label + 1) % 10), label, model))
    return pl.concat(parts)


def flipping(flips: Mapping[str, Mapping[str, float]], n: int = 300, frames: int = 4, draw: int = 0) -> pl.DataFrame:
    """Rows of recipe → sequence → share of predictions that flip from a frame to the one that it is compared with."""
    rng = np.random.default_rng(draw)
    label, parts = np.zeros(n, int), []
    for recipe, sequences in flips.items():
        for name, level in sequences.items():
            first = name in ("gaussian_noise_p", "shot_noise_p")
            now = np.zeros(n, int)
            for frame in range(frames):
                turned = rng.random(n) < (level if frame else 0)
                now = np.where(turned, 1, 0) if first else (now + turned) % 2
                parts.append(_part(recipe, f"{name}:{frame}", now == 0, now, label, "m"))
    return pl.concat(parts)


def attacked(standing: Mapping[str, float], n: int = 500, beaten: Mapping[str, float] | None = None) -> pl.DataFrame:
    """Rows of recipe → share that stands under every attack of the suite, the same pictures under each, with evidence cells.

    ``beaten``: recipe → share that stands under the black box, where that finds more than the gradients did.
    """
    shares = {recipe: {"clean": 0.95, **dict.fromkeys(SUITE, level), FREE: 0.0} for recipe, level in standing.items()}
    for recipe, level in (beaten or {}).items():
        shares[recipe][SUITE[5]] = level
    rows = planted(shares, n, share=1.0)
    low_bit = pl.col("recipe") != "fp32"
    told = rows.filter(family="clean").with_columns(
        *(pl.lit("evidence").alias(name) for name in ("noise", "name", "family")),
        pl.concat_str("recipe", pl.lit(" evidence")).alias("cell"),
        low_bit.alias("zero_exact"),
        pl.lit(False).alias("zero_ste"),
        pl.lit(1.0).alias("logit_norm"),
        pl.lit(0.5).alias("cosine"),
    )
    return pl.concat([rows, told.cast(rows.schema)])


def _part(recipe: str, noise: str, correct: np.ndarray, prediction: np.ndarray, label: np.ndarray, model: str) -> pl.DataFrame:
    spec, n = Spec.parse(noise), len(label)
    kind = family(noise)
    gradient = spec.options.get("grad", "ste") if spec.name.startswith("pgd") else None
    columns = {
        "cell": f"{model} {recipe} {noise}", "variant": f"{model} {recipe}", "task": "parquet:x", "model": model, "recipe": recipe,
        "noise": noise, "name": spec.name, "family": kind, "severity": int(spec.values[0]) if kind == "natural" else None,
        "gradient": gradient, "defense": "none", "seed": 0,
        "sample": [f"s{i:04}" for i in range(n)],
        "label": label, "prediction": prediction, "correct": correct, "margin": np.where(correct, 1.0, -1.0), "loss": 1.0,
        "confidence": 0.7, "success": None, "queries": None, "gradients": None,
    }  # fmt: skip
    return completed(pl.DataFrame(columns, schema_overrides=dict(SAMPLES)))
