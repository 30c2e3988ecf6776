"""A network as ``model.onnx``, and how its integers compare with the simulation on samples, clean and noisy."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bitproof.analysis import wilson
from bitproof.bench.ahead import batches
from bitproof.bench.cache import SampleCache
from bitproof.bench.inputs import inputs_of, probe_of
from bitproof.bench.specs import on_samples, standing
from bitproof.bench.subjects import Subject
from bitproof.bench.weighing import latencies
from bitproof.core import Form, SpecError, StoreError
from bitproof.export import Exported, Gap, engine, gap, settled, to_onnx
from bitproof.models import OnnxSession
from bitproof.noises import expand

#: Pictures at once: codes of all layers are kept of each.
_BATCH = 8


@dataclass(frozen=True)
class Comparison:
    """The gap under one noise; the share of flipped predictions lies in [``low``, ``high``] %, 95 %."""

    noise: str
    gap: Gap
    low: float
    high: float


@dataclass(frozen=True)
class Speed:
    """Median milliseconds of one sample in onnxruntime, as the float network and as exported, by turns."""

    float_ms: float
    low_bit_ms: float
    threads: int

    @property
    def ratio(self) -> float:
        """How many times as fast as float the exported network is."""
        return self.float_ms / self.low_bit_ms


def speed(subject: Subject, exported: Exported) -> Speed:
    """Time ``exported`` beside the float network that it was made from. Raises SpecError where it is that."""
    if not exported.layers:
        raise SpecError(f"The recipe {subject.recipe!r} leaves every layer float, so there is nothing to compare speeds with.")
    pair = probe_of(subject.network)
    sessions = [OnnxSession(to_onnx(subject.network.module, pair).graph), OnnxSession(exported.graph)]
    float_ms, low_bit_ms = latencies(sessions, pair[:1])
    return Speed(float_ms, low_bit_ms, torch.get_num_threads())


@dataclass(frozen=True)
class Export:
    """What was written, by which engine it was compared, and the gaps, the clean one first."""

    path: Path
    subject: Subject
    exported: Exported
    engine: str
    comparisons: tuple[Comparison, ...]
    speed: Speed | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; SQNR is None where nothing differs."""
        return {
            "model": self.subject.network.spec,
            "recipe": self.subject.recipe,
            "size_bytes": self.exported.size_bytes,
            "engine": self.engine,
            "geometry": plain_form(self.subject.network.form),
            "layers": [dataclasses.asdict(layer) for layer in self.exported.layers],
            "left_float": dict(self.subject.left_float),
            "comparisons": [plain(comparison) for comparison in self.comparisons],
            "speed": dataclasses.asdict(self.speed) if self.speed else None,
        }


def export(
    subject: Subject,
    out: Path,
    noises: Sequence[str] = (),
    limit: int = 64,
    bias: str = "int32",
    fast: bool = False,
    measure: bool = False,
) -> Export:
    """Write ``subject`` to ``out/model.onnx`` and what is known of it to ``out/export.json``.

    It is compared with the simulation on ``limit`` clean samples and on the same ones under each of ``noises``; without
    data, on two of random values. ``bias``, ``fast``: see ``to_onnx``. ``measure``: the file is timed beside that of the
    float network. Raises SpecError for a noise that is not one on samples, ModelError where the network cannot be written,
    StoreError where ``out`` cannot, MissingExtra without onnx or onnxruntime.
    """
    specs = ["clean", *noises_on_samples(noises, subject)]
    described = str(engine())
    exported = settled(to_onnx(subject.module, probe_of(subject.network), bias, fast))
    timed = speed(subject, exported) if measure else None
    comparisons = tuple(
        compared(spec, gap(subject.module, exported, inputs_under(subject, spec, limit))) for spec in dict.fromkeys(specs)
    )
    found = Export(out / "model.onnx", subject, exported, described, comparisons, timed)
    try:
        out.mkdir(parents=True, exist_ok=True)
        found.path.write_bytes(exported.graph)
        (out / "export.json").write_text(json.dumps(found.to_dict(), indent=2, ensure_ascii=False), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{str(out)!r} cannot be written: {error}.") from None
    return found


def noises_on_samples(noises: Sequence[str], subject: Subject) -> list[str]:
    """Return the specs that ``noises`` stand for. Raises SpecError for one that is not on samples, and where there are none."""
    specs = [spec for text in noises for spec in expand(text, kind=subject.network.form.kind)]
    for spec in specs:
        if {"tensor", "model"} & set(standing(spec)):
            raise SpecError(f"{spec!r} is no noise on samples; an export is compared under those alone, such as fog:3.")
    if specs and subject.task is None:
        raise SpecError(f"Noises need samples, and none are known. Type for example --data photos for {specs[0]!r}.")
    return specs


def compared(spec: str, found: Gap) -> Comparison:
    """Return what was found under the noise ``spec`` with the interval of its flips."""
    low, high = wilson(found.flipped, found.n)
    return Comparison(spec, found, float(low), float(high))


def inputs_under(subject: Subject, spec: str, limit: int) -> Iterator[torch.Tensor]:
    """Yield the subject's samples under the noise ``spec``, as its network takes them; two of noise where no data are known."""
    if subject.task is None:
        yield probe_of(subject.network)
        return
    form = subject.network.form
    pipeline = inputs_of(form).pipeline(subject.task, form, on_samples(spec), subject.seed, SampleCache(0))
    for _, x in batches(pipeline, subject.samples(limit), _BATCH, torch.get_num_threads()):
        yield x


def plain_form(form: Form) -> dict[str, Any]:
    """How a sample becomes an input, without what is a file of this machine."""
    return {key: value for key, value in vars(form).items() if key != "tokenizer"}


def plain(comparison: Comparison) -> dict[str, Any]:
    """Return plain values, for JSON."""
    found = comparison.gap
    flips = {"n": found.n, "flipped": found.flipped, "flipped_low_percent": comparison.low, "flipped_high_percent": comparison.high}
    layers = {name: _numbers(difference) for name, difference in found.layers.items()}
    return {"noise": comparison.noise, **flips, "logits": _numbers(found.logits), "layers": layers}


def _numbers(difference: Any) -> dict[str, float | None]:
    sqnr = difference.sqnr_db if difference.noise else None
    return {"mean": difference.mean, "largest": difference.largest, "share": difference.share, "sqnr_db": sqnr}
