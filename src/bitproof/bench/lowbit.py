"""One low-bit variant, made from specs and written to a folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from bitproof.bench.cache import SampleCache
from bitproof.bench.inputs import clean_batch
from bitproof.bench.memory import peak_bytes
from bitproof.bench.weights import write_weights
from bitproof.convert import Converted, Recipe, Report
from bitproof.convert import quantize as convert
from bitproof.core import SpecError, StoreError
from bitproof.models import Network
from bitproof.models import load as load_model
from bitproof.tasks import Task
from bitproof.tasks import load_kind as load_task


def quantize(model: str, recipe: str, calibration: str, n: int, out: Path | None = None, batch_size: int = 32) -> Report:
    """Make the variant ``recipe`` of ``model``, its ranges set on ``n`` pictures of ``calibration``; return the report.

    With ``out``, the state dict (``model.safetensors``) and the report (``report.json``) are written there.
    """
    converted = low_bit(model, Recipe.parse(recipe), calibration, n, batch_size)[2]
    if out is not None:
        write_variant(out, converted)
    return converted.report


def low_bit(model: str, recipe: Recipe, calibration: str, n: int, batch_size: int = 32) -> tuple[Network, Task, Converted]:
    """Return the float network, the data that it was calibrated on, and the low-bit network."""
    network = load_model(model)
    if network.finished:
        raise SpecError(f"{model!r} is finished already: no recipe applies. Give the float network that it was made from.")
    task = load_task(calibration, network.form.kind)
    batches = calibration_batches(network, task, n, batch_size)
    return network, task, timed(network.module, recipe, batches)


def timed(module: nn.Module, recipe: Recipe, batches: Iterable[Any], sample: Any = None) -> Converted:
    """Return the low-bit ``module``; its report says how long it took and what memory."""
    start = time.perf_counter()
    made = convert(module, recipe, batches, sample)
    report = replace(made.report, time_s=time.perf_counter() - start, peak_bytes=peak_bytes())
    return Converted(made.model, report)


def calibration_batches(network: Network, task: Task, n: int, batch_size: int = 32) -> list[Tensor]:
    """Return ``n`` clean samples of ``task`` in batches, as the network takes them."""
    samples = task.data.calibration(n, seed=0)
    chunks = (samples[i : i + batch_size] for i in range(0, n, batch_size))
    return [clean_batch(task, network, chunk, SampleCache(0)) for chunk in chunks]


def write_variant(out: Path, converted: Converted) -> None:
    """Write the state dict and the report of a low-bit network into ``out``. Raises StoreError."""
    write_weights(out / "model.safetensors", converted.model.state_dict())
    write_json(out / "report.json", converted.report.to_dict())


def write_json(path: Path, values: Any) -> None:
    """Write plain values, whole or not at all. Raises StoreError."""
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps(values, indent=2), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{str(path)!r} cannot be written: {error}.") from None
