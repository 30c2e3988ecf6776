"""Natural corruptions: the mean over cells, and errors relative to AlexNet or to the float control."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from bitproof.analysis import tallies
from bitproof.analysis.blocks import Block, Cells, Noise
from bitproof.analysis.estimates import Reduction, Tally
from bitproof.analysis.intervals import Array
from bitproof.analysis.measures import Figure, Measure, refused
from bitproof.core import Spec

#: AlexNet's top-1 error on the 15 test corruptions of ImageNet-C, the mean over severities 1–5 on all 50,000 pictures.
#: Source: alibaba/easyrobust, easyrobust/benchmarks/ood/imagenet_c.py.
ALEXNET = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg_compression": 0.606500,
}

#: AlexNet's clean top-1 error: 1 − 0.56522. Source: torchvision, AlexNet_Weights.IMAGENET1K_V1.
ALEXNET_CLEAN = 0.43478

#: The 75 cells of a complete benchmark, in the order of ``ALEXNET``.
GRID = [(name, severity) for name in ALEXNET for severity in range(1, 6)]

#: The corruptions of other kinds of input: where a block holds those of one kind and no others, ``nr`` goes over them.
KINDS = {
    "texts": frozenset({"typos", "casing", "punctuation", "whitespace", "lookalikes", "ocr", "asr", "word_dropout"}),
    "sound": frozenset(
        {"white_noise", "pink_noise", "babble", "reverberation", "clipping", "gain", "time_shift", "speed", "dropouts"}
    ),
    "points": frozenset(
        f"point_{name}"
        for name in ("jitter", "impulse", "outliers", "dropout", "cutout", "occlusion", "rotation", "scale", "shear")
    ),
}

#: What needs a user's own file: no mean counts it, so that those of different users compare.
OWN = frozenset({"synonyms", "background"})

_CONSTANTS = (
    "constants not named in a cell's spec follow the picture's size, and are ImageNet-C's from 145 to 261 px; "
    "ImageNet-C's pictures were stored as JPEG, as cells with stored=true are"
)

FIGURES = {
    "nr": Figure(
        "Natural robustness",
        "%",
        "higher",
        "mean accuracy over corruption × severity, 15 × 5 cells when complete, of texts 8 × 5, of sound and of points 9 × 5; "
        f"{_CONSTANTS}",
        "RobustMQ, arXiv 2308.02350",
    ),
    "mce": Figure(
        "Mean corruption error",
        "%",
        "lower",
        f"100·mean_c(Σ_s E_{{s,c}} / Σ_s E^AlexNet_{{s,c}}); {_CONSTANTS}",
        "Hendrycks & Dietterich, arXiv 1903.12261, §4.1",
    ),
    "relative_mce": Figure(
        "Relative mCE",
        "%",
        "lower",
        f"100·mean_c(Σ_s (E_{{s,c}} − E_clean) / Σ_s (E^AlexNet_{{s,c}} − E^AlexNet_clean)); {_CONSTANTS}",
        "Hendrycks & Dietterich, arXiv 1903.12261, §4.1",
    ),
    "ce_float": Figure(
        "Corruption error relative to the control",
        "%",
        "lower",
        "100·mean_c(Σ_s E_{s,c} / Σ_s E^control_{s,c}); 100 = as many errors as the control",
        "mCE (arXiv 1903.12261) with the float control in AlexNet's place",
    ),
}


def measures(block: Block, cells: Cells, imagenet: bool) -> Iterator[Measure]:
    """Yield ``nr``, ``mce``, ``relative_mce`` and ``ce_float`` where the block has natural noises."""
    natural = block.columns(lambda noise: noise.family == "natural")
    if not natural:
        return
    common = [i for i in natural if block.noises[i].name not in OWN]
    own = sorted({block.noises[i].name for i in natural} & OWN)
    if not common:
        yield refused("nr", f"{', '.join(own)} alone, which no mean counts")
        return
    if kind_of(block.noises[i] for i in common):
        left_out = f"; left out: {', '.join(own)}" if own else ""
        yield from _of_kind(block, cells, [i for i in common if cells.seen[:, i].any()], left_out)
        return
    columns = [i for i in natural if block.noises[i].name in ALEXNET and cells.seen[:, i].any()]
    others = sorted({block.noises[i].name for i in natural} - ALEXNET.keys())
    yield _robustness(block, columns, f"; left out: {', '.join(others)}" if others else "")
    yield from _corruption_errors(block, cells, columns, imagenet)
    yield _relative_to_control(block, cells, columns)


def kind_of(noises: Iterable[Noise]) -> str | None:
    """Return the key of ``KINDS`` that all noises are of, or None."""
    names = {noise.name for noise in noises}
    return next((kind for kind, known in KINDS.items() if names <= known), None)


def _of_kind(block: Block, cells: Cells, columns: list[int], left_out: str) -> Iterator[Measure]:
    """Yield ``nr`` and ``ce_float`` over the corruptions of texts, of sound or of points; AlexNet took pictures alone."""
    note = coverage([block.noises[i] for i in columns]) + left_out
    yield Measure("nr", lambda each: tallies.hits(each, columns), note) if columns else refused("nr", "no such cell was finished")
    yield _relative_to_control(block, cells, columns)


def _robustness(block: Block, columns: list[int], others: str) -> Measure:
    if not columns:
        return refused("nr", f"none of the 15 test corruptions{others}")
    return Measure("nr", lambda cells: tallies.hits(cells, columns), coverage([block.noises[i] for i in columns]) + others)


def coverage(noises: Sequence[Noise]) -> str:
    """Say over which of the 75 cells, or those of another kind, a mean goes, and which of them have settings of their own."""
    cells = {(noise.name, noise.severity) for noise in noises}
    if kind := kind_of(noises):
        return f"{len(cells)} of {5 * len(KINDS[kind])} cells of {kind}: {', '.join(sorted({name for name, _ in cells}))}"
    own = ", ".join(foreign(noises))
    return _extent(cells) + (f"; with settings of their own: {own}" if own else "")


def foreign(noises: Sequence[Noise]) -> list[str]:
    """The cells whose spec sets something else than ImageNet-C's constants and storage, such as another set of constants."""
    own = {("constants", "imagenet"), ("stored", "true")}
    return [noise.noise for noise in noises if Spec.parse(noise.noise).options.items() - own]


def _extent(cells: set[tuple[str, int | None]]) -> str:
    if cells == set(GRID):
        return "complete: 15 corruptions × 5 severities"
    severities = {name: " ".join(str(s) for n, s in GRID if n == name and (n, s) in cells) for name in ALEXNET}
    found = ", ".join(f"{name} at {text}" for name, text in severities.items() if text)
    return f"incomplete, {len(cells)} of 75 cells: {found}"


def _corruption_errors(block: Block, cells: Cells, columns: list[int], imagenet: bool) -> Iterator[Measure]:
    noises = [block.noises[i] for i in columns]
    place = {(noise.name, noise.severity): i for noise, i in zip(noises, columns, strict=True)}
    if reason := _unfit(noises, imagenet):
        yield from (refused(name, reason) for name in ("mce", "relative_mce"))
        return
    grid, clean = [place[cell] for cell in GRID], block.clean
    yield Measure("mce", lambda each: tallies.hits(each, grid), reduction=MCE)
    if clean is None or not cells.seen[:, clean].any():
        yield refused("relative_mce", "no clean cell")
    else:
        yield Measure("relative_mce", lambda each: tallies.hits(each, [clean, *grid]), reduction=RELATIVE_MCE)


def _unfit(noises: Sequence[Noise], imagenet: bool) -> str:
    if not imagenet:
        return "AlexNet's errors are known for 1000-class ImageNet alone; see ce_float"
    if own := foreign(noises):
        return f"AlexNet's errors are known for ImageNet-C's constants alone, and {', '.join(own)} has settings of its own"
    if len(noises) != len(GRID) or {(noise.name, noise.severity) for noise in noises} != set(GRID):
        return f"needs each of 15 corruptions at severities 1 to 5 once, found {len(noises)} cells"
    return ""


def mce(accuracies: Array) -> Array:
    """Accuracies of the 75 cells of ``GRID``, …×75 → mean corruption error."""
    errors = (1 - accuracies).reshape(*accuracies.shape[:-1], len(ALEXNET), 5).sum(axis=-1)
    return np.asarray((errors / (5 * np.array(list(ALEXNET.values())))).mean(axis=-1))


def relative_mce(accuracies: Array) -> Array:
    """Accuracies of the clean cell and the 75 of ``GRID``, …×76 → relative mean corruption error."""
    drops = (accuracies[..., :1] - accuracies[..., 1:]).reshape(*accuracies.shape[:-1], len(ALEXNET), 5).sum(axis=-1)
    return np.asarray((drops / (5 * (np.array(list(ALEXNET.values())) - ALEXNET_CLEAN))).mean(axis=-1))


MCE = Reduction(mce, bounds=(0.0, np.inf), whole=True)
RELATIVE_MCE = Reduction(relative_mce, bounds=(-np.inf, np.inf), whole=True)


def _relative_to_control(block: Block, cells: Cells, columns: list[int]) -> Measure:
    if block.control is None:
        return refused("ce_float", "no float control")
    control = block.recipes[block.control]
    if cells is control:
        return refused("ce_float", "this is the control, 100 by definition")
    columns = [i for i in columns if control.seen[:, i].any()]
    if not columns:
        return refused("ce_float", "no corruption cell in common with the control")

    def both(cells: Cells) -> Tally:
        ours, theirs = tallies.hits(cells, columns), tallies.hits(control, columns)
        common = ours.seen & theirs.seen
        return Tally(np.concatenate([ours.hit, theirs.hit], axis=1), np.concatenate([common, common], axis=1))

    note = f"100 = the control {block.control}; {coverage([block.noises[i] for i in columns])}"
    reduction = Reduction(error_ratio([block.noises[i].name for i in columns]), bounds=(0, np.inf), whole=True)
    return Measure("ce_float", both, note, reduction, paired=False)


def error_ratio(names: Sequence[str]) -> Callable[[Array], Array]:
    """Return the reduction of …×2K accuracies, ours then the control's on cells of corruptions ``names`` (sorted), to one ratio."""
    starts = [i for i, name in enumerate(names) if i == 0 or names[i - 1] != name]

    def reduce(accuracies: Array) -> Array:
        ours, theirs = (np.add.reduceat(1 - half, starts, axis=-1) for half in np.split(accuracies, 2, axis=-1))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(theirs > 0, ours / theirs, np.nan).mean(axis=-1))

    return reduce
