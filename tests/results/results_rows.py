"""Rows to store, and running a script in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bitproof.core import SampleRow, VariantRow


def row(cell: str = "c1", sample: int = 0, **changes: object) -> SampleRow:
    values: dict[str, object] = {
        "cell": cell, "variant": "v1", "task": "imagenet:/data", "model": "m", "recipe": "fp32", "noise": "fog:3", "name": "fog",
        "family": "natural", "severity": 3, "gradient": None, "defense": "none", "seed": 0, "sample": f"s{sample}", "label": 1,
        "prediction": 1, "correct": True, "margin": 0.5, "loss": 0.1, "confidence": 0.9, "success": None, "queries": None,
        "gradients": None,
    }  # fmt: skip
    return SampleRow(**(values | changes))  # type: ignore[arg-type]


def rows(cell: str = "c1", count: int = 5, **changes: object) -> list[SampleRow]:
    return [row(cell, i, **changes) for i in range(count)]


def variant(name: str = "v1", **changes: object) -> VariantRow:
    values: dict[str, object] = {
        "variant": name, "task": "imagenet:/data", "model": "m", "recipe": "mse:w8a8", "seed": 0, "settings": "", "size_bytes": 10,
        "float_bytes": 40, "latency_ms": 1.5, "threads": 1, "time_s": 2.0, "layers_low_bit": 3, "layers_float": 1,
        "differentiable": True,
    }  # fmt: skip
    return VariantRow(**(values | changes))  # type: ignore[arg-type]


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start ``script`` in a new Python that can import this file."""
    head = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    command = [sys.executable, "-c", head + script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def files(path: Path) -> set[str]:
    return {str(item.relative_to(path)) for item in path.rglob("*") if item.is_file()}
