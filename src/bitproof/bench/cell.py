"""One cell: the pictures of a task under a noise, the answers of a variant, one row a sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from bitproof.bench.ahead import Job
from bitproof.bench.cache import SampleCache
from bitproof.bench.ids import Cell
from bitproof.bench.inputs import pipeline_of
from bitproof.bench.pictures import Worn, draw, finite, wearing
from bitproof.bench.plan import Plan
from bitproof.bench.specs import parts, standing
from bitproof.core import Attacked, Comparing, SampleRow, Strike
from bitproof.models import TorchVictim
from bitproof.noises import noise
from bitproof.tasks import Sample, Scored


def pictures_job(
    cell: Cell, plan: Plan, cache: SampleCache, first: int = 0, last: int | None = None, worn: Worn | None = None
) -> Job:
    """Return the pictures that ``cell`` shows to its network, from ``first`` to before ``last``, which are whole batches.

    ``worn``: the cell's defense where it stands before the corruption.
    """
    samples, pipeline = plan.samples(cell)[first:last], wearing(pipeline_of(cell, plan, cache), worn)
    if len(samples) * pipeline.size_bytes > cache.limit_bytes:
        none = SampleCache(limit_bytes=0)  # the first would be forgotten before the last is made, and none ever found
        pipeline = wearing(pipeline_of(cell, plan, none), worn)
    return Job(f"{cell.id} {worn.key if worn else ''}", pipeline, samples, cell.batch_size)


def run_cell(
    cell: Cell,
    task: Scored,
    victim: TorchVictim,
    attack: Strike | None,
    batches: Iterable[tuple[list[Sample], torch.Tensor]],
    advance: Callable[[int], None] = lambda n: None,
    keep: Callable[[Sequence[SampleRow]], None] = lambda rows: None,
    shown: Callable[[Sample], int | None] = lambda sample: None,
) -> list[SampleRow]:
    """Return the rows of ``cell``; ``victim`` is its network, with what stands at the site ``model`` done to it.

    ``attack`` stands at the site ``tensor``, with all that it needs; ``batches`` are the samples and pictures of the cell's
    ``pictures_job``; ``advance`` is told how many samples are done, ``keep`` of the rows so far before a further batch is begun;
    ``shown`` says which class a defense gives away of a sample.
    """
    rows: list[SampleRow] = []
    for chunk, pictures in batches:
        keep(rows)
        x, y = pictures.to(victim.device), torch.tensor([sample.truth for sample in chunk], device=victim.device)
        attacked = attack(victim, victim.start(x), y, _seeds(cell, chunk)) if attack else None
        seen = x if attacked is None else attacked.x
        rows += (
            replace(row, shown=shown(s)) for row, s in zip(_rows(cell, task, victim, chunk, seen, attacked), chunk, strict=True)
        )
        advance(len(chunk))
    return rows


def _seeds(cell: Cell, chunk: Sequence[Sample]) -> list[int]:
    return [draw(standing(cell.noise)["tensor"], cell.variant.seed, sample) for sample in chunk]


def _rows(
    cell: Cell, task: Scored, victim: TorchVictim, chunk: Sequence[Sample], x: torch.Tensor, attacked: Attacked | None
) -> Iterator[SampleRow]:
    with torch.inference_mode():
        logits = finite(victim.logits(x).float().cpu(), chunk)
    severities = [noise(spec).severity for spec in parts(cell.noise) if hasattr(noise(spec), "severity")]
    gradients = [noise(spec).grad for spec in parts(cell.noise) if _takes_gradients(noise(spec))]
    scores = task.score_batch(logits.numpy(), [sample.truth for sample in chunk])
    unknown: dict[str, Any] = dict.fromkeys(("margin", "loss", "confidence"), math.nan) if victim.labels_only else {}
    model, recipe = cell.variant.names
    for i, (sample, score) in enumerate(zip(chunk, scores, strict=True)):
        yield SampleRow(
            cell=cell.id,
            variant=cell.variant.id,
            task=cell.variant.task,
            model=model,
            recipe=recipe,
            noise=cell.noise,
            name=cell.name,
            family=cell.family,
            severity=severities[0] if severities else None,
            gradient=gradients[0] if gradients else None,
            defense=cell.defense,
            seed=cell.variant.seed,
            sample=sample.id,
            label=sample.label,
            **{**score, **unknown},
            success=None if attacked is None else bool(attacked.success[i]),
            queries=None if attacked is None else int(attacked.queries[i]),
            gradients=None if attacked is None else int(attacked.gradients[i]),
            **({} if attacked is None else {name: _stored(column[i]) for name, column in attacked.columns.items()}),
        )


def _takes_gradients(built: Any) -> bool:
    """Whether a gradient mode belongs to the record: of the victim, or of the networks that an attack comes from."""
    return getattr(built, "needs_gradient", False) or isinstance(built, Comparing)


def _stored(value: torch.Tensor) -> Any:
    """A number of a row; NaN is null."""
    plain = value.item()
    return None if isinstance(plain, float) and math.isnan(plain) else plain
