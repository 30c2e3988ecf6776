"""BiBench's three tracks of accuracy: learning task, neural architecture, corruption robustness."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bitproof.analysis.bibench.families import FAMILIES, family
from bitproof.analysis.bibench.glue import data_set
from bitproof.analysis.bibench.places import CORRUPTIONS, PICTURES, Gaps, Place
from bitproof.analysis.bibench.track import Outcome, quadratic_mean, sampled, sentence
from bitproof.analysis.intervals import Array

#: The data sets of BiBench's learning tasks.
DATA_SETS = 9

_UNSAMPLED = "no interval: average precision is no mean over pictures; detectors are calibrated, where BiBench trains them"


def task(found: Sequence[Place]) -> Outcome:
    """Formula: √((1/N) Σ_sets E²(A_bi/A_fp)), E over the models of a data set and, of GLUE, over its tasks.

    A: accuracy, of GLUE its own measures, of detection the average precision of boxes. That is no mean over samples: with it there
    is no interval, and the track is a part.
    """
    found, silent = _comparable(found)
    if not found:
        return Outcome(lacks=silent)
    means = _means([(data_set(place.task), place.accuracy) for place in found])
    few = len(means) < DATA_SETS
    lacks = (
        f"{len(means)} of BiBench's {DATA_SETS} data sets; name more under tasks of the grid, or more directories" if few else ""
    )
    controls = " or ".join(sorted({place.control for place in found}))
    measures = ", ".join(sorted({place.measure for place in found}))
    tasks = len({place.task for place in found})
    whole = all(place.sampled for place in found)
    lacks = sentence(lacks, silent, "" if whole else _UNSAMPLED)
    outcome = _sampled(means, found, f"{measures}, tasks: {tasks}, against {controls}", lacks)
    return outcome if whole else replace(outcome, low=None, high=None)


def architecture(found: Sequence[Place], said: Mapping[str, str]) -> Outcome:
    """Formula: √((1/F) Σ_families E²(A_bi/A_fp)) over the F ≤ 3 families that are there."""
    found, silent = _comparable(found)
    placed = [(family(place.model, said), place) for place in found]
    unknown = sorted({place.model for kind, place in placed if kind is None})
    ask = f"no family known of {', '.join(unknown)}: --family MODEL={'|'.join(FAMILIES)}" if unknown else ""
    known = [(kind, place) for kind, place in placed if kind]
    if not known:
        return Outcome(lacks=sentence(ask, silent))
    means = _means([(kind, place.accuracy) for kind, place in known])
    absent = [kind for kind in FAMILIES if kind not in means]
    lacks = f"no {', no '.join(absent)}: add models of that kind" if absent else ""
    parts = f"{len(means)} of {len(FAMILIES)} families, models: {len({place.model for _, place in known})}"
    return _sampled(means, [place for _, place in known], parts, sentence(lacks, ask, silent))


def robustness(found: Sequence[Place]) -> Outcome:
    """Formula: √((1/C) Σ_c E²(G_fp/G_bi)), G the gap to clean accuracy, mean over severities; a network at chance has no gap.

    Differs from the paper: gaps are on the samples that met both; one below half a sample counts as half a sample. BiBench takes
    corruptions of pictures alone: those of other kinds of input enter where there are none of pictures, as a part.
    """
    gaps = _of_pictures([place.gaps for place in found if place.gaps.ratios])
    means = _means([(name, ratio) for each in gaps for name, ratio in each.ratios.items()])
    if not means:
        return Outcome(lacks="no corruption that both networks met; add 'corruptions' to noises of the grid")
    lacks = _lacking(gaps, len(means))
    small = sorted({name for each in gaps for name in each.small})
    note = f"; gaps below half a sample, counted as half: {', '.join(small)}" if small else ""
    parts = f"{len(means)} corruptions, {sum(each.cells for each in gaps)} cells, networks: {len(gaps)}{note}"
    return sampled(quadratic_mean(np.stack(list(means.values()))), min(each.n for each in gaps), parts, lacks)


def _of_pictures(gaps: list[Gaps]) -> list[Gaps]:
    return [each for each in gaps if each.kind == PICTURES] or gaps


def _lacking(gaps: list[Gaps], corruptions: int) -> str:
    """What the corruptions are not, of BiBench's: of pictures, and all of them at all severities."""
    kinds = sorted({each.kind for each in gaps})
    names = sum(len(CORRUPTIONS[kind]) for kind in kinds)
    few = any(each.cells < 5 * len(CORRUPTIONS[each.kind]) for each in gaps)
    return sentence(
        f"{corruptions} of {names} corruptions, or not all at severities 1 to 5; add 'corruptions' to noises of the grid"
        if few
        else "",
        ""
        if kinds == [PICTURES]
        else f"corruptions of {' and '.join(kinds)}, and BiBench's are of pictures; add a task of pictures",
    )


def _comparable(found: Sequence[Place]) -> tuple[list[Place], str]:
    """The places whose control scores more than nothing, and a word on the others."""
    silent = sorted({f"{place.task} ({place.model})" for place in found if not np.isfinite(place.accuracy[0])})
    told = f"left out, as the control scores nothing there (look at its training): {', '.join(silent)}" if silent else ""
    return [place for place in found if np.isfinite(place.accuracy[0])], told


def _means(pairs: Sequence[tuple[str, Array]]) -> dict[str, Array]:
    """E: the mean of what has one name."""
    groups: dict[str, list[Array]] = defaultdict(list)
    for name, values in pairs:
        groups[name].append(values)
    return {name: np.asarray(np.mean(values, axis=0)) for name, values in sorted(groups.items())}


def _sampled(means: dict[str, Array], found: Sequence[Place], parts: str, lacks: str) -> Outcome:
    each = ", ".join(f"{name} {values[0]:.3f}" for name, values in means.items())
    return sampled(quadratic_mean(np.stack(list(means.values()))), min(place.n for place in found), f"{parts}: {each}", lacks)
