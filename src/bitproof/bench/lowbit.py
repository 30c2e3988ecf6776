"""One low-bit variant, made from specs and written to a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from torch import Tensor

from bitproof.bench.pictures import PictureCache, Pipeline, to_tensor
from bitproof.bench.weights import write_weights
from bitproof.convert import Converted, Recipe, Report
from bitproof.convert import quantize as convert
from bitproof.core import StoreError
from bitproof.models import Network
from bitproof.models import load as load_model
from bitproof.tasks import ImageTask
from bitproof.tasks import load as load_task


def quantize(model: str, recipe: str, calibration: str, n: int, out: Path | None = None, batch_size: int = 32) -> Report:
    """Make the variant ``recipe`` of ``model``, its ranges set on ``n`` pictures of ``calibration``; return the report.

    With ``out``, the state dict (``model.safetensors``) and the report (``report.json``) are written there.
    """
    converted = low_bit(model, Recipe.parse(recipe), calibration, n, batch_size)[2]
    if out is not None:
        write_weights(out / "model.safetensors", converted.model.state_dict())
        _write_report(out / "report.json", converted.report)
    return converted.report


def low_bit(model: str, recipe: Recipe, calibration: str, n: int, batch_size: int = 32) -> tuple[Network, ImageTask, Converted]:
    """Return the float network, the data that it was calibrated on, and the low-bit network."""
    network, task = load_model(model), load_task(calibration)
    return network, task, convert(network.module, recipe, calibration_batches(network, task, n, batch_size))


def calibration_batches(network: Network, task: ImageTask, n: int, batch_size: int = 32) -> list[Tensor]:
    """Return ``n`` clean pictures of ``task`` in batches N×3×S×S, in [0, 1]."""
    pipeline = Pipeline(task, network.geometry, (), 0, PictureCache(0))
    samples = task.data.calibration(n, seed=0)
    chunks = (samples[i : i + batch_size] for i in range(0, n, batch_size))
    return [to_tensor(np.stack([pipeline.picture(sample) for sample in chunk])) for chunk in chunks]


def _write_report(path: Path, report: Report) -> None:
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps(report.to_dict(), indent=2), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{str(path)!r} cannot be written: {error}.") from None
