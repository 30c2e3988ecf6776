"""Rows of networks whose right predictions are planted, and what their variants cost."""

from collections.abc import Sequence

import polars as pl

from bitproof.results.schema import SAMPLES, VARIANTS


def cell(
    recipe: str,
    right: int,
    n: int = 10,
    noise: str = "clean",
    model: str = "resnet20",
    task: str = "parquet:a",
    seed: int = 0,
    variant: str = "",
    defense: str = "none",
) -> pl.DataFrame:
    """The samples s0, s1, …, of which the first ``right`` are right."""
    name, _, severity = noise.partition(":")
    variant = variant or f"{task} {model} {recipe} {seed}".replace(" ", "_").replace(":", "_").replace("/", "_")
    columns = {
        "cell": f"{variant}_{noise}_{defense}".replace(":", "_"), "variant": variant, "task": task, "model": model,
        "recipe": recipe,
        "noise": noise, "name": name, "family": "natural" if severity else "clean", "severity": int(severity) if severity else None,
        "gradient": None, "defense": defense, "seed": seed, "sample": [f"s{i}" for i in range(n)], "label": 0,
        "prediction": [int(i >= right) for i in range(n)], "correct": [i < right for i in range(n)],
        "margin": 1.0, "loss": 0.5, "confidence": 0.6, "success": None, "queries": None, "gradients": None,
        "zero_exact": None, "zero_ste": None, "logit_norm": None, "cosine": None, "distance": None, "trial": None,
    }  # fmt: skip
    return pl.DataFrame({name: columns.get(name) for name in SAMPLES}, schema=SAMPLES)


def costs(rows: pl.DataFrame, time_s: dict[str, float], size_bytes: dict[str, int], **measured: object) -> pl.DataFrame:
    """Variant rows of all networks in ``rows``; 3200 bytes as float; ``measured`` are further columns, equal for all."""
    found = rows.select("variant", "task", "model", "recipe", "seed").unique(maintain_order=True)
    lines = [
        {
            **row, "settings": "", "size_bytes": size_bytes.get(row["recipe"], 3200), "float_bytes": 3200, "latency_ms": 1.0,
            "threads": 1, "time_s": time_s.get(row["recipe"], 0.0), "layers_low_bit": 1, "layers_float": 1, "differentiable": True,
            **measured,
        }
        for row in found.iter_rows(named=True)
    ]  # fmt: skip
    return pl.DataFrame(lines, schema=VARIANTS)


def both(fp: Sequence[int], bi: Sequence[int], noises: Sequence[str], **where: str) -> list[pl.DataFrame]:
    """Cells of ``float`` and ``bireal:w1a1``, by how many of 10 samples are right under each noise."""
    pairs = zip(noises, fp, bi, strict=True)
    return [
        part
        for noise, a, b in pairs
        for part in (cell("float", a, noise=noise, **where), cell("bireal:w1a1", b, noise=noise, **where))
    ]
