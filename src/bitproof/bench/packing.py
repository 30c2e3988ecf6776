"""A binarized network as ``packed.safetensors``, and how its packed kernels compare with the simulation on samples."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from bitproof.bench.exporting import Comparison, compared, inputs_under, noises_on_samples, plain, plain_form
from bitproof.bench.inputs import probe_of
from bitproof.bench.subjects import Subject
from bitproof.convert import at_depth
from bitproof.core import Form, ModelError, StoreError, Words
from bitproof.export import (
    DeployReport,
    PackedDepths,
    PackedTexts,
    Program,
    deploy,
    deploy_depths,
    gap_between,
    load_packed,
    save_packed,
)
from bitproof.kernels import status
from bitproof.noises import tokenizer_json


@dataclass(frozen=True)
class Packed:
    """What was written, its bytes on disk and those of the float network's tensors, the gaps, the clean one first, its depths."""

    path: Path
    subject: Subject
    report: DeployReport
    size_bytes: int
    float_bytes: int
    kernels: str
    comparisons: tuple[Comparison, ...]
    depths: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        depths = {"depths": list(self.depths)} if self.depths else {}
        return depths | {
            "model": self.subject.network.spec,
            "recipe": self.subject.recipe,
            "size_bytes": self.size_bytes,
            "float_bytes": self.float_bytes,
            "kernels": self.kernels,
            "geometry": plain_form(self.subject.network.form),
            "layers": [dataclasses.asdict(layer) for layer in self.report.layers],
            "fused": dict(self.report.fused),
            "attentions": {"packed": self.report.attentions, "simulated": dict(self.report.simulated)},
            "left_float": dict(self.subject.left_float),
            "comparisons": [plain(comparison) for comparison in self.comparisons],
        }


def export_packed(
    subject: Subject, out: Path, noises: Sequence[str] = (), limit: int = 64, depths: tuple[int, ...] | None = None
) -> Packed:
    """Write ``subject`` to ``out/packed.safetensors`` and what is known of it to ``out/export.json``.

    The file is read again, and that is what is compared with the simulation: on ``limit`` clean samples and on the same ones
    under each of ``noises``; without data, on two samples of no meaning. ``depths``: of a thinnable network, all in one
    file; the first one runs and is compared. Raises SpecError for a noise that is not one on samples, ModelError where
    no layer can be packed or the network cannot be written, StoreError where ``out`` cannot.
    """
    specs = ["clean", *noises_on_samples(noises, subject)]
    form, path = subject.network.form, out / "packed.safetensors"
    probe = probe_of(subject.network)
    model, report = deploy(subject.module, probe) if depths is None else deploy_depths(subject.module, probe, depths)
    if not isinstance(model, (Program, PackedDepths, PackedTexts)):
        raise ModelError(f"{type(model).__name__} is no list of steps.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{str(out)!r} cannot be written: {error}.") from None
    size = save_packed(model, path, _about(form))
    again = load_packed(path)
    simulated = subject.module if depths is None else at_depth(subject.module, depths[0])
    comparisons = tuple(
        compared(spec, gap_between(simulated, again, inputs_under(subject, spec, limit))) for spec in dict.fromkeys(specs)
    )
    found = Packed(path, subject, report, size, _bytes(subject.network.module), status(), comparisons, depths or ())
    (out / "export.json").write_text(json.dumps(found.to_dict(), indent=2, ensure_ascii=False), encoding="utf-8")
    return found


def _about(form: Form) -> dict[str, Any]:
    """What the packed file says of its input; of texts it holds the tokenizer itself."""
    tokenizer = {"tokenizer": tokenizer_json(form)} if isinstance(form, Words) else {}
    return {"kind": form.kind, **plain_form(form), **tokenizer}


def _bytes(module: nn.Module) -> int:
    return sum(value.numel() * value.element_size() for value in module.state_dict().values())
