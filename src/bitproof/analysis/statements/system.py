"""F6, F7 and F8: system noise."""

from __future__ import annotations

from collections.abc import Iterator

from bitproof.analysis import tallies
from bitproof.analysis.blocks import Block, Noise
from bitproof.analysis.naming import RESIZES
from bitproof.analysis.statements.outcomes import (
    Comparison,
    Harm,
    Outcome,
    accuracy,
    against_control,
    along_bits,
    common,
    excesses,
    harms,
    low_bit,
    mean,
    of_cells,
)
from bitproof.analysis.statements.statement import CONTROL, LADDER, LOW_BIT, Statement, noises

_SOURCE = "RobustMQ, arXiv 2308.02350, abstract"
GENTLE = ("bilinear", "cubic", "area")
_SYSNOISE = "a float ResNet50: 76.6 with pil-bilinear, 72.2 with pil-nearest, 72.1 with cv-nearest (arXiv 2307.00280, table 7)"


def _resize(noise: Noise) -> bool:
    return noise.family == "system" and noise.noise.startswith(RESIZES) and not {":", "+"} & set(noise.noise)


def _nearest(noise: Noise) -> bool:
    return _resize(noise) and noise.noise.endswith("-nearest")


_SETTINGS = accuracy(lambda noise: noise.family == "system", with_clean=True)


def _lower_and_rising(block: Block) -> Iterator[Comparison]:
    yield from against_control(block, _SETTINGS, -1)
    yield from along_bits(block, _SETTINGS, +1)


def _by_resize(block: Block, recipes: tuple[str, ...]) -> dict[str, list[Outcome]]:
    columns = common(block, recipes, _resize)
    return {block.noises[i].noise: [Outcome.of(tallies.hits(cells, [i])) for cells in of_cells(block, recipes)] for i in columns}


def _nearest_worst(block: Block, name: str, harm: Harm, recipes: tuple[str, ...]) -> Iterator[Comparison]:
    nearest = [resize for resize in harm if resize.endswith("-nearest")]
    for other in (resize for resize in harm if resize not in nearest and nearest):
        outcome = mean([harm[resize] for resize in nearest]) - harm[other]
        yield Comparison(block, f"{name}: {' and '.join(nearest)} against {other}", outcome, recipes=recipes)


def _harm(block: Block) -> Iterator[Comparison]:
    for name, harm, recipes in harms(block, _by_resize):
        yield from _nearest_worst(block, name, harm, recipes)


def _excess(block: Block) -> Iterator[Comparison]:
    for name, harm, recipes in excesses(block, _by_resize):
        yield from _nearest_worst(block, name, harm, recipes)


def _gentle(block: Block) -> Iterator[Comparison]:
    for name in low_bit(block):
        found = {resize: outcome for resize, (outcome,) in _by_resize(block, (name,)).items()}
        for gentle in (resize for resize in found if resize.partition("-")[2] in GENTLE):
            for other in (resize for resize in found if resize.partition("-")[2] not in GENTLE):
                if gentle.partition("-")[0] == other.partition("-")[0]:
                    yield Comparison(block, f"{name}: {gentle} against {other}", found[gentle] - found[other])


_RESIZES = noises("pil-nearest or cv-nearest, and other resizes", _nearest, lambda noise: _resize(noise) and not _nearest(noise))

STATEMENTS = (
    Statement(
        "F6",
        "Robustness to system noise is below full precision, and rises with the bits",
        "every low-bit recipe below the control, and for every method a positive slope along the bits and no negative step; mean "
        "accuracy over the clean pipeline and all system noises",
        _SOURCE,
        _lower_and_rising,
        (CONTROL, LOW_BIT, LADDER, noises("system noise (system)", lambda noise: noise.family == "system")),
    ),
    Statement(
        "F7",
        "Nearest is the worst resize",
        "for every low-bit recipe, accuracy with nearest (the mean of pil-nearest and cv-nearest where both are here) below that "
        "with every other resize; the same holds for float networks, see F7x; the clean resize is left out",
        "RobustMQ, arXiv 2304.03968 and 2308.02350, abstracts",
        _harm,
        (LOW_BIT, _RESIZES),
        _SYSNOISE,
    ),
    Statement(
        "F7x",
        "Nearest is the worst resize for low bits beyond what it costs float",
        "as F7, for the drop beyond the control's own",
        "bitproof, after RobustMQ's F7",
        _excess,
        (CONTROL, LOW_BIT, _RESIZES),
    ),
    Statement(
        "F8",
        "Bilinear, cubic and area are the three mildest resizes",
        "for every low-bit recipe, each of them above every other resize of the same library; the clean resize is left out",
        "RobustMQ, Visual Intelligence 1:30 (2023), abstract",
        _gentle,
        (
            LOW_BIT,
            noises(
                "resizes of one library, bilinear, cubic or area and others",
                lambda noise: _resize(noise) and noise.noise.partition("-")[2] in GENTLE,
                lambda noise: _resize(noise) and noise.noise.partition("-")[2] not in GENTLE,
            ),
        ),
        _SYSNOISE,
    ),
)
