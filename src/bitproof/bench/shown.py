"""The pictures that the page of answers shows: some items of each scenario, clean and under every noise."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator

from PIL import Image

from bitproof.bench.cache import SampleCache
from bitproof.bench.ids import Cell
from bitproof.bench.pictures import Picture, Pipeline
from bitproof.bench.plan import Plan
from bitproof.bench.specs import on_samples
from bitproof.core import BitproofError, StoreError
from bitproof.results import Store
from bitproof.tasks import Sample

#: Items of a scenario that are shown clean, and pictures in all that are shown under noises.
CLEAN, NOISY = 4, 240

#: The longer side of a picture, px, and its number of colours: a page holds hundreds.
SIDE, COLORS = 224, 96


def write_shown(plan: Plan, store: Store, cache: SampleCache) -> None:
    """Store the pictures that are not there yet; those of cells that failed are left out."""
    have = {(entry["task"], entry["noise"], entry["sample"]) for entry in store.gallery()}
    done = store.done()
    for cell in {(cell.variant.task, cell.noise): cell for cell in plan.cells if cell.id in done}.values():
        task, endpoint = plan.tasks[cell.variant.task], plan.endpoints[cell.variant.model]
        pipeline = Pipeline(task, endpoint.geometry, on_samples(cell.noise), cell.variant.seed, cache)
        for sample in _chosen(plan, cell):
            if (cell.variant.task, cell.noise, sample.id) not in have:
                _write(cell, store, pipeline, sample)


def _write(cell: Cell, store: Store, pipeline: Pipeline, sample: Sample) -> None:
    try:
        store.write_picture(cell.variant.task, cell.noise, sample.id, _small(pipeline.made(sample)))
    except StoreError:
        raise
    except BitproofError:  # the cell's own failure tells why
        return


def _chosen(plan: Plan, cell: Cell) -> Iterator[Sample]:
    """The first samples of each scenario: several clean, of each noise as many in all as fit."""
    noises = {other.noise for other in plan.cells} - {"clean"}
    each, most = (CLEAN, len(plan.samples(cell))) if cell.noise == "clean" else (1, max(1, NOISY // max(1, len(noises))))
    taken: Counter[int] = Counter()
    for sample in plan.samples(cell):
        if taken[sample.label] < each and taken.total() < most:
            taken[sample.label] += 1
            yield sample


def _small(picture: Picture) -> bytes:
    image = Image.fromarray(picture)
    image.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    image.quantize(COLORS).save(file, "PNG", optimize=True)
    return file.getvalue()
