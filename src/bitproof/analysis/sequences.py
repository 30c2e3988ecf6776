"""Perturbation sequences: how often the prediction flips from frame to frame, right or wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

from bitproof.analysis.blocks import Block, Cells
from bitproof.analysis.estimates import Reduction, Tally
from bitproof.analysis.intervals import Array
from bitproof.analysis.measures import Figure, Measure, refused
from bitproof.core import Spec

#: The ten sequences of ImageNet-P → their number of frames, at difficulty step 1.
#: Source: hendrycks/robustness@8190fe3, ImageNet-P/create_p/make_imagenet_p.py.
SEQUENCES = {
    "gaussian_noise_p": 31,
    "shot_noise_p": 31,
    "motion_blur_p": 31,
    "zoom_blur_p": 31,
    "snow_p": 31,
    "brightness_p": 31,
    "translate_p": 41,
    "rotate_p": 31,
    "tilt_p": 31,
    "scale_p": 31,
}

#: Sequences of independent draws: each frame is compared with the first, elsewhere with the one before it.
NOISE = ("gaussian_noise_p", "shot_noise_p")

_SOURCE = "Hendrycks & Dietterich, arXiv 1903.12261, §4.2"
_FLIP = "100·mean over samples and pairs of frames of [f(x_j) ≠ f(x_i)]; i = j − 1, in noise sequences i = 1"

FIGURES = {
    "mfp": Figure("Mean flip probability", "%", "lower", f"mean over sequences of {_FLIP}; not divided by AlexNet's", _SOURCE),
    "mfr_float": Figure(
        "Flip rate relative to the control",
        "%",
        "lower",
        "100·mean over sequences of FP / FP^control, FP the flip probability; 100 = as unsteady as the control",
        "mFR (arXiv 1903.12261, §4.2) with the float control in AlexNet's place, whose rates are not published as text",
    ),
    "flip": Figure("Flip probability", "%", "lower", _FLIP, _SOURCE),
}

Pair = tuple[int, int]


def measures(block: Block, cells: Cells) -> Iterator[Measure]:
    """Yield ``mfp``, ``mfr_float`` and ``flip:SEQUENCE`` where the block has frames of perturbation sequences."""
    frames = frames_of(block)
    if not frames:
        return
    pairs = {label: pairs_of(label, _seen(found, cells)) for label, found in frames.items()}
    yield _mean(block, cells, {label: found for label, found in pairs.items() if found})
    yield _relative(block, cells, {label: _common(found, block) for label, found in pairs.items() if _common(found, block)})
    for label, found in pairs.items():
        if found:
            note = f"{len(_seen(frames[label], cells))} frames{_missing(label, _seen(frames[label], cells))}"
            yield Measure(f"flip:{label}", partial(flips, pairs=found), note)
        else:
            yield refused(f"flip:{label}", f"no two frames to compare were finished: {_rule(label)}")


def flips(cells: Cells, pairs: list[Pair]) -> Tally:
    """Predictions that differ between the two cells of a pair."""
    one, other = (cells.at([pair[side] for pair in pairs]) for side in (0, 1))
    return Tally(one.prediction != other.prediction, one.seen & other.seen)


def frames_of(block: Block) -> dict[str, dict[int, int]]:
    """Sequence (with its settings) → frame → column."""
    found: dict[str, dict[int, int]] = {}
    for column in block.columns(lambda noise: noise.family == "perturbation"):
        spec = Spec.parse(block.noises[column].noise)
        label = str(Spec(spec.name, spec.items[1:]))
        found.setdefault(label, {})[int(spec.values[0])] = column
    return {label: found[label] for label in sorted(found, key=_order)}


def _order(label: str) -> tuple[int, str]:
    """ImageNet-P's sequences in its order, others behind them."""
    known = [*SEQUENCES, _name(label)]
    return known.index(_name(label)), label


def _name(label: str) -> str:
    return label.partition(":")[0]


def _seen(frames: Mapping[int, int], cells: Cells) -> dict[int, int]:
    return {frame: frames[frame] for frame in sorted(frames) if cells.seen[:, frames[frame]].any()}


def pairs_of(label: str, frames: Mapping[int, int]) -> list[Pair]:
    """The columns that are compared."""
    if _name(label) in NOISE:
        return [(frames[0], column) for frame, column in frames.items() if frame and 0 in frames]
    return [(frames[frame - 1], column) for frame, column in frames.items() if frame - 1 in frames]


def _rule(label: str) -> str:
    return "each is compared with frame 0" if _name(label) in NOISE else "each is compared with the one before it"


def _missing(label: str, frames: Mapping[int, int]) -> str:
    """What is said of a sequence of ImageNet-P that is not whole."""
    whole = SEQUENCES.get(label, 0)
    return f" of {whole}" if len(frames) < whole else ""


def _common(pairs: list[Pair], block: Block) -> list[Pair]:
    """The pairs that the control has too."""
    control = block.recipes[block.control] if block.control else None
    return [pair for pair in pairs if control is not None and all(control.seen[:, column].any() for column in pair)]


def _mean(block: Block, cells: Cells, pairs: Mapping[str, list[Pair]]) -> Measure:
    names = [_name(label) for label in pairs]
    if not pairs or len(set(names)) < len(names):
        return refused("mfp", "one sequence at several settings" if pairs else "no two frames to compare were finished")
    whole = all(not _missing(label, _seen(frames, cells)) for label, frames in frames_of(block).items() if label in pairs)
    absent = [name for name in SEQUENCES if name not in names]
    note = "complete: 10 sequences" if whole and not absent else f"incomplete: {len(pairs)} of 10 sequences"
    note += "" if whole else ", not all frames"
    note += f"; missing: {', '.join(absent)}" if absent else ""
    lengths = [len(found) for found in pairs.values()]
    joined = [pair for found in pairs.values() for pair in found]
    return Measure("mfp", partial(flips, pairs=joined), note, Reduction(mean_of_means(lengths), whole=True))


def _relative(block: Block, cells: Cells, pairs: Mapping[str, list[Pair]]) -> Measure:
    if block.control is None:
        return refused("mfr_float", "no float control")
    control = block.recipes[block.control]
    if cells is control:
        return refused("mfr_float", "this is the control, 100 by definition")
    if not pairs:
        return refused("mfr_float", "no two frames in common with the control")
    joined = [pair for found in pairs.values() for pair in found]

    def both(cells: Cells) -> Tally:
        ours, theirs = flips(cells, joined), flips(control, joined)
        common = ours.seen & theirs.seen
        return Tally(np.concatenate([ours.hit, theirs.hit], axis=1), np.concatenate([common, common], axis=1))

    note = f"100 = the control {block.control}; over {len(pairs)} sequences; undefined where the control never flips in one"
    ratio = Reduction(mean_ratio([len(found) for found in pairs.values()]), bounds=(0, np.inf), whole=True)
    return Measure("mfr_float", both, note, ratio, paired=False)


def mean_ratio(lengths: list[int]) -> Callable[[Array], Array]:
    """Return the reduction of …×2Σlengths ratios, ours then the control's, to the mean over sequences of ours / theirs."""
    starts = np.cumsum([0, *lengths[:-1]])

    def reduce(ratios: Array) -> Array:
        ours, theirs = (np.add.reduceat(half, starts, axis=-1) for half in np.split(ratios, 2, axis=-1))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(theirs > 0, ours / theirs, np.nan).mean(axis=-1))

    return reduce


def mean_of_means(lengths: list[int]) -> Callable[[Array], Array]:
    """Return the reduction of …×Σlengths ratios, sequence after sequence, to the mean over sequences of their means."""
    starts = np.cumsum([0, *lengths[:-1]])

    def reduce(ratios: Array) -> Array:
        return np.asarray((np.add.reduceat(ratios, starts, axis=-1) / lengths).mean(axis=-1))

    return reduce
