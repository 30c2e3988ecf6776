"""Thumbnails for the report: what each noise makes of one picture of each task."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from bitproof.bench.cache import SampleCache
from bitproof.bench.ids import Cell
from bitproof.bench.inputs import batch, inputs_of, pipeline_of
from bitproof.bench.pictures import Picture, draw
from bitproof.bench.plan import Plan
from bitproof.bench.specs import standing
from bitproof.bench.victims import Victims
from bitproof.core import StoreError
from bitproof.results import Store

#: The longer side of a thumbnail, px.
SIDE = 160


def write_gallery(plan: Plan, store: Store, victims: Victims, cache: SampleCache) -> None:
    """Store one thumbnail a task and noise, of a sequence that of its last frame.

    Noises whose cells failed, and those that change no picture, have none.
    """
    have = {(entry["task"], entry["noise"]) for entry in store.gallery()}
    for cell in _shown(plan.cells):
        key = (cell.variant.task, cell.noise)
        if key in have or set(standing(cell.noise)) == {"model"} or cell.family == "evidence":
            continue
        have.add(key)
        sample = plan.samples(cell)[0]
        try:
            picture = _picture(cell, plan, victims, cache)
        except StoreError:
            raise
        except Exception:  # the cell's own failure tells why; a thumbnail never ends a run
            continue
        if picture is not None:
            store.write_picture(cell.variant.task, cell.noise, sample.id, _png(picture))


def _shown(cells: Sequence[Cell]) -> list[Cell]:
    """All cells but the frames of a sequence before its last one."""
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
