"""A network as ``qonnx.onnx``, and how that, executed, compares with the simulation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitproof.bench.exporting import Comparison, compared, inputs_under, noises_on_samples, plain, plain_form
from bitproof.bench.inputs import probe_of
from bitproof.bench.subjects import Subject
from bitproof.core import StoreError
from bitproof.export import Qonnx, gap_between, to_qonnx, written_out
from bitproof.models import OnnxSession


@dataclass(frozen=True)
class ExportedQonnx:
    """What was written, and the gaps, the clean one first."""

    path: Path
    subject: Subject
    qonnx: Qonnx
    comparisons: tuple[Comparison, ...]


def export_qonnx(subject: Subject, out: Path, noises: Sequence[str] = (), limit: int = 64) -> ExportedQonnx:
    """Write ``subject`` to ``out/qonnx.onnx`` and what is known of it to ``out/export.json``.

    onnxruntime executes it, with QONNX' nodes written out, beside the simulation: on ``limit`` clean samples and on the same ones
    under each of ``noises``; without data, on two of random values. Raises SpecError for a noise that is not one on samples,
    ModelError where the network cannot be written, StoreError where ``out`` cannot, MissingExtra without onnx or onnxruntime.
    """
    specs = ["clean", *noises_on_samples(noises, subject)]
    written = to_qonnx(subject.module, probe_of(subject.network))
    session = OnnxSession(written_out(written.graph))
    comparisons = tuple(
        compared(spec, gap_between(subject.module, session, inputs_under(subject, spec, limit))) for spec in dict.fromkeys(specs)
    )
    found = ExportedQonnx(out / "qonnx.onnx", subject, written, comparisons)
    about: dict[str, Any] = {
        "model": subject.network.spec,
        "recipe": subject.recipe,
        "nodes": written.nodes,
        "left_float": dict(subject.left_float),
        "geometry": plain_form(subject.network.form),
        "comparisons": [plain(comparison) for comparison in comparisons],
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        found.path.write_bytes(written.graph)
        (out / "export.json").write_text(json.dumps(about, indent=2, ensure_ascii=False), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{str(out)!r} cannot be written: {error}.") from None
    return found
