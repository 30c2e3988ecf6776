"""One cell: the pictures of a task under a noise, the answers of a variant, one row a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from bitproof.bench.pictures import PictureCache, Pipeline, batches, draw, finite
from bitproof.bench.plan import Cell, Plan, on_pictures, parts, standing
from bitproof.core import Attacked, SampleRow, Victim
from bitproof.noises import noise
from bitproof.tasks import ImageTask, Sample


def run_cell(
    cell: Cell, plan: Plan, victim: Victim, cache: PictureCache, advance: Callable[[int], None] = lambda n: None
) -> list[SampleRow]:
    """Return the rows of ``cell``; ``victim`` is its network, with what stands at the site ``model`` done to it.

    ``advance`` is told how many samples are done.
    """
    task = plan.tasks[cell.variant.task]
    attack = standing(cell.noise).get("tensor")
    geometry = plan.networks[cell.variant.model].geometry
    pipeline = Pipeline(task, geometry, on_pictures(cell.noise), cell.variant.seed, cache)
    samples = plan.samples(cell)
    rows: list[SampleRow] = []
    for chunk, x in batches(pipeline, samples, cell.batch_size, cell.threads):
        y = torch.tensor([sample.label for sample in chunk])
        attacked = _attack(attack, victim, x, y, chunk, cell.variant.seed) if attack else None
        rows += _rows(cell, task, victim, chunk, x if attacked is None else attacked.x, attacked)
        advance(len(chunk))
    return rows


def _attack(spec: str, victim: Victim, x: torch.Tensor, y: torch.Tensor, chunk: Sequence[Sample], run_seed: int) -> Attacked:
    attacked: Attacked = noise(spec)(victim, x, y, [draw(spec, run_seed, sample) for sample in chunk])
    return attacked


def _rows(
    cell: Cell, task: ImageTask, victim: Victim, chunk: Sequence[Sample], x: torch.Tensor, attacked: Attacked | None
) -> Iterator[SampleRow]:
    with torch.inference_mode():
        logits = finite(victim.logits(x).float(), chunk)
    severities = [noise(spec).severity for spec in parts(cell.noise) if hasattr(noise(spec), "severity")]
    gradients = [noise(spec).grad for spec in parts(cell.noise) if getattr(noise(spec), "needs_gradient", False)]
    scores = task.score_batch(logits.numpy(), [sample.label for sample in chunk])
    for i, (sample, score) in enumerate(zip(chunk, scores, strict=True)):
        yield SampleRow(
            cell=cell.id,
            variant=cell.variant.id,
            task=cell.variant.task,
            model=cell.variant.model,
            recipe=str(cell.variant.recipe),
            noise=cell.noise,
            name=cell.noise.partition("+")[0].partition(":")[0],
            family=cell.family,
            severity=severities[0] if severities else None,
            gradient=gradients[0] if gradients else None,
            defense=cell.defense,
            seed=cell.variant.seed,
            sample=sample.id,
            label=sample.label,
            **score,
            success=None if attacked is None else bool(attacked.success[i]),
            queries=None if attacked is None else int(attacked.queries[i]),
            gradients=None if attacked is None else int(attacked.gradients[i]),
        )
