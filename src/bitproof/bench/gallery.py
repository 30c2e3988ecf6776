"""Thumbnails for the report: what each noise makes of one picture of each task."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from PIL import Image

from bitproof.analysis import parted
from bitproof.bench.cache import SampleCache
from bitproof.bench.fits import Fit, tried
from bitproof.bench.ids import Cell
from bitproof.bench.inputs import batch, inputs_of, pipeline_of
from bitproof.bench.pictures import Picture, draw
from bitproof.bench.plan import Plan
from bitproof.bench.shields import Shields
from bitproof.bench.specs import standing
from bitproof.bench.victims import Victims
from bitproof.core import StoreError
from bitproof.results import Store
from bitproof.tasks import Sample

#: The longer side of a thumbnail, px.
SIDE = 160

#: How many pictures of a defense are kept.
COMPOSITES = 10


def write_gallery(plan: Plan, store: Store, victims: Victims, shields: Shields, cache: SampleCache) -> None:
    """Store one thumbnail a task and noise, of a sequence that of its last frame; of each patch one a class on clean pictures.

    Noises whose cells failed, and those that change no picture, have none.
    """
    have = {(entry["task"], entry["noise"]) for entry in store.gallery()}
    for cell in _shown(plan.cells):
        key = (cell.variant.task, cell.noise)
        if key in have or set(standing(cell.noise)) == {"model"} or cell.family == "evidence":
            continue
        have.add(key)
        sample = plan.samples(cell)[0]
        with _unless_it_fails():
            picture = _picture(cell, plan, victims, cache)
            if picture is not None:
                store.write_picture(cell.variant.task, cell.noise, sample.id, _png(picture))
    _write_defended(plan, store, shields, cache)


@contextmanager
def _unless_it_fails() -> Iterator[None]:
    """Let a thumbnail be missing: the cell's own failure tells why, and a thumbnail never ends a run."""
    try:
        yield
    except StoreError:
        raise
    except Exception:
        return


def _write_defended(plan: Plan, store: Store, shields: Shields, cache: SampleCache) -> None:
    """What a defense makes of the first pictures of each class; each fit of it, where it is fitted."""
    have = {(entry["task"], entry["noise"]) for entry in store.gallery()}
    clean = [cell for cell in plan.cells if cell.noise == "clean" and not tried(cell.defense)]
    clean = [cell for cell in clean if cell.defense != "none" and parted(cell.defense)[1] is None]
    for (task, title), cell in {(cell.variant.task, composite(cell, plan.fit(cell))): cell for cell in reversed(clean)}.items():
        if (task, title) in have or not shields.made(cell):
            continue
        with _unless_it_fails():
            if (worn := shields.worn(cell)) is None:
                continue
            pipeline = pipeline_of(cell, plan, cache)
            for sample in by_label(plan.samples(cell), COMPOSITES):
                store.write_picture(task, title, sample.id, _png(worn.on_picture(pipeline.made(sample), sample)))


def composite(cell: Cell, fit: Fit | None) -> str:
    """What a picture behind the defense of ``cell`` is called: of a patch, with the networks that it was fitted on and its id."""
    if fit is None or not fit.labels:
        return cell.what
    networks = " + ".join(f"{each.names[0].partition(':')[0]} {each.names[1]}" for each in fit.variants)
    return f"{cell.noise} behind {fit.spec}, fitted on {networks} ({fit.id})"


def by_label(samples: Sequence[Sample], most: int) -> list[Sample]:
    """The first sample of each class, at most so many."""
    found: dict[int, Sample] = {}
    for sample in samples:
        found.setdefault(sample.label, sample)
    return list(found.values())[:most]


def _shown(cells: Sequence[Cell]) -> list[Cell]:
    """All cells without a defense but the frames of a sequence before its last one."""
    cells = [cell for cell in cells if cell.defense == "none"]
    last = {(cell.variant.task, cell.name): cell for cell in cells if cell.family == "perturbation"}
    return [cell for cell in cells if cell.family != "perturbation" or last[cell.variant.task, cell.name].noise == cell.noise]


def _picture(cell: Cell, plan: Plan, victims: Victims, cache: SampleCache) -> Picture | None:
    form, sample = plan.networks[cell.variant.model].form, plan.samples(cell)[0]
    x, attack = batch(pipeline_of(cell, plan, cache), [sample]), victims.attack(cell)
    if attack is not None:
        seeds = [draw(standing(cell.noise)["tensor"], cell.variant.seed, sample)]
        x = attack(victims.of(cell), x, torch.tensor([sample.label]), seeds).x
    return inputs_of(form).thumbnail(x[0], form, attacked=attack is not None)


def _png(picture: Picture) -> bytes:
    image = Image.fromarray(np.asarray(picture))
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
