"""How far a picture has to be moved: the curve of what stands at each distance, and where it crosses one half."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np

from bitproof.analysis import tallies
from bitproof.analysis.audit import Ball, Finding, verdict_on, worst_of
from bitproof.analysis.blocks import Block, Cells
from bitproof.analysis.budgets import budget, free
from bitproof.analysis.estimates import Reduction, Tally
from bitproof.analysis.intervals import Array
from bitproof.analysis.measures import Figure, Measure, refused
from bitproof.analysis.roles import MINIMAL, role

#: Points of a curve of distances: its median is read off between two of them.
POINTS = 400

#: 1/255: a curve has two points where all pictures are wrong as they are.
TINY = 1e-6

FIGURES = {
    "distance": Figure(
        "Median smallest distance",
        "1/255",
        "higher",
        "the median of the smallest distances that minimum-norm attacks found; where none was run, 255·ε at which half of the "
        "pictures have fallen to one attack or another, linear between the budgets that were run",
        "Carlini et al., arXiv 1902.06705, §5; Brendel et al., arXiv 1712.04248",
    ),
}


def measures(block: Block, cells: Cells, told: Mapping[Ball, Finding]) -> Iterator[Measure]:
    """Yield ``distance:NORM`` for each norm of a minimum-norm attack, and for those that were attacked at two radii or more."""
    searched = _minimal(block, cells)
    for norm, columns in searched.items():
        yield _found(block, cells, norm, columns, told)
    for norm, ladder in _ladders(block, cells).items():
        if len(ladder) > 1 and block.clean is not None and norm not in searched:
            yield _distance(block, cells, norm, ladder, told)


def _minimal(block: Block, cells: Cells) -> dict[str, list[int]]:
    """Norm → columns of minimum-norm attacks that kept their distances."""
    found: dict[str, list[int]] = defaultdict(list)
    for column in block.columns(lambda noise: noise.family == "adversarial" and noise.noise.startswith(MINIMAL)):
        if np.isfinite(cells.distance[:, column]).any():
            found[block.noises[column].name.rpartition("-")[2]].append(column)
    return dict(sorted(found.items()))


def _found(block: Block, cells: Cells, norm: str, columns: list[int], told: Mapping[Ball, Finding]) -> Measure:
    """The median of the distances that were found, the smallest of a sample where several attacks looked."""
    known = [255 * _nearest(each, columns) for each in block.recipes.values()]
    finite = np.concatenate([values[np.isfinite(values)] for values in known])
    radii = np.unique(np.concatenate([[0.0, TINY], np.quantile(finite, np.linspace(0, 1, POINTS))]))
    if (farther(cells, columns, radii).ratio()[-1:] >= 0.5).any():
        return refused(
            f"distance:{norm}", "nothing was found that fools half of the pictures: give the attack more steps or queries"
        )
    verdict = worst_of(finding.verdict for (of, _), finding in told.items() if of == norm)
    note = f"the smallest changes that {' and '.join(block.noises[i].noise for i in columns)} found; audit: {verdict}"
    half = Reduction(lambda ratios: crossing(ratios, radii) / 100, (0.0, float(radii[-1])), whole=True)
    return Measure(f"distance:{norm}", lambda each: farther(each, columns, radii), note, half, verdict=verdict)


def _nearest(cells: Cells, columns: list[int]) -> Array:
    """The smallest distance that any of ``columns`` found, sample×1×seed; infinite where none did."""
    distance = cells.distance[:, columns]
    return np.asarray(np.where(np.isnan(distance), np.inf, distance).min(axis=1, keepdims=True))


def farther(cells: Cells, columns: list[int], radii: Array) -> Tally:
    """What needs a larger change than each of ``radii`` (1/255), of the samples that met all of ``columns``: sample×radii×seed."""
    seen = cells.seen[:, columns].all(axis=1, keepdims=True)
    return Tally(255 * _nearest(cells, columns) > radii[None, :, None], np.repeat(seen, len(radii), axis=1))


def _ladders(block: Block, cells: Cells) -> dict[str, dict[Fraction, list[int]]]:
    """Norm → radius → columns of attacks, in the order of radii."""
    found: dict[str, dict[Fraction, list[int]]] = defaultdict(lambda: defaultdict(list))
    for column in block.columns(lambda noise: noise.family == "adversarial"):
        ball = budget(block.noises[column].noise)
        searched = role(block.noises[column].noise) != "noise" and cells.seen[:, column].any()
        if ball is not None and searched and not free(ball):
            found[ball.norm][ball.eps].append(column)
    return {norm: dict(sorted(ladder.items())) for norm, ladder in sorted(found.items())}


def _distance(block: Block, cells: Cells, norm: str, ladder: dict[Fraction, list[int]], told: Mapping[Ball, Finding]) -> Measure:
    clean, rungs = int(block.clean or 0), list(ladder.values())
    radii = 255 * np.array([0.0, *map(float, ladder)])
    if (curve(cells, clean, rungs).ratio()[-1:] >= 0.5).any():
        reason = f"half of the pictures stand at the largest budget, ε = {radii[-1]:g}/255: attack at larger ones"
        return refused(f"distance:{norm}", reason)
    verdict = verdict_on(told, [block.noises[i].noise for columns in rungs for i in columns])
    note = f"over {len(rungs)} budgets up to ε = {radii[-1]:g}/255; audit: {verdict}"
    half = Reduction(lambda ratios: crossing(ratios, radii) / 100, (0.0, float(radii[-1])), whole=True)
    return Measure(f"distance:{norm}", lambda each: curve(each, clean, rungs), note, half, verdict=verdict)


def curve(cells: Cells, clean: int, rungs: Sequence[Sequence[int]]) -> Tally:
    """What stands when clean, and under all attacks up to each rung, of the samples that met all: sample×(1 + rungs)×seed."""
    base = tallies.hits(cells, [clean])
    hits, seen = [base.hit], base.seen
    for columns in rungs:
        rung = tallies.union(tallies.hits(cells, columns))
        hits.append(hits[-1] & rung.hit)
        seen = seen & rung.seen
    return Tally(np.concatenate(hits, axis=1), np.repeat(seen, len(hits), axis=1))


def crossing(ratios: Array, radii: Array) -> Array:
    """The radius at which falling ``ratios`` …×radii cross one half: linear in between, the last one where they never do."""
    below = ratios < 0.5
    k = np.maximum(below.argmax(axis=-1), 1)
    before, after = (np.take_along_axis(ratios, i[..., None], axis=-1)[..., 0] for i in (k - 1, k))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip((before - 0.5) / (before - after), 0, 1)
    between = radii[k - 1] + np.nan_to_num(share) * (radii[k] - radii[k - 1])
    return np.asarray(np.where(below[..., 0], 0.0, np.where(below.any(axis=-1), between, radii[-1])))
