"""Rows of networks whose accuracy under every noise is planted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from bitproof.core import Spec
from bitproof.results.schema import SAMPLES, completed

FAMILY = {"pil": "system", "cv": "system", "decode": "system", "pgd": "adversarial"}


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


def _part(recipe: str, noise: str, correct: np.ndarray, prediction: np.ndarray, label: np.ndarray, model: str) -> pl.DataFrame:
    spec, n = Spec.parse(noise), len(label)
    kind = family(noise)
    columns = {
        "cell": f"{model} {recipe} {noise}", "variant": f"{model} {recipe}", "task": "parquet:x", "model": model, "recipe": recipe,
        "noise": noise, "name": spec.name, "family": kind, "severity": int(spec.values[0]) if kind == "natural" else None,
        "gradient": "ste" if kind == "adversarial" else None, "defense": "none", "seed": 0,
        "sample": [f"s{i:04}" for i in range(n)],
        "label": label, "prediction": prediction, "correct": correct, "margin": np.where(correct, 1.0, -1.0), "loss": 1.0,
        "confidence": 0.7, "success": None, "queries": None, "gradients": None,
    }  # fmt: skip
    return completed(pl.DataFrame(columns, schema_overrides=dict(SAMPLES)))
