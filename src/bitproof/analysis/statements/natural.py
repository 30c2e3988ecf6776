"""F3, F4, F5 and F13: natural corruptions."""

from __future__ import annotations

from collections.abc import Iterator

from bitproof.analysis import tallies
from bitproof.analysis.blocks import Block, Noise
from bitproof.analysis.corruption import ALEXNET
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
    of_cells,
)
from bitproof.analysis.statements.published import combined
from bitproof.analysis.statements.statement import CLEAN, CONTROL, FP32, LADDER, LOW_BIT, Statement, is_recipe, noises, recipe

_SOURCE = "RobustMQ, arXiv 2308.02350, abstract"
_QUOTED = "ResNet18, as a public note quotes arXiv 2304.03968"
HARMFUL, MILD = ("impulse_noise", "glass_blur"), "brightness"


def _test_corruption(noise: Noise) -> bool:
    return noise.family == "natural" and noise.name in ALEXNET


_ROBUSTNESS = accuracy(_test_corruption)
_CLEAN = accuracy(lambda noise: noise.family == "clean")


def _by_corruption(block: Block, recipes: tuple[str, ...]) -> dict[str, list[Outcome]]:
    """Corruption → accuracy of each recipe, a mean over the severities that every corruption here has."""
    columns = common(block, recipes, _test_corruption)
    found: dict[str, dict[str, int]] = {}
    for i in columns:
        found.setdefault(block.noises[i].name, {})[block.noises[i].noise.partition(":")[2]] = i
    settings = set.intersection(*map(set, found.values())) if found else set()
    return {
        name: [Outcome.of(tallies.hits(cells, [places[each] for each in sorted(settings)])) for cells in of_cells(block, recipes)]
        for name, places in found.items()
        if settings
    }


def _ranked(block: Block, name: str, harm: Harm, recipes: tuple[str, ...]) -> Iterator[Comparison]:
    """Compare the most harmful corruptions with every other one, and every other one with the mildest."""
    for worst in (each for each in HARMFUL if each in harm):
        for other in (each for each in harm if each not in HARMFUL):
            yield Comparison(block, f"{name}: {worst} against {other}", harm[worst] - harm[other], recipes=recipes)
    for other in (each for each in harm if each != MILD and MILD in harm):
        yield Comparison(block, f"{name}: {other} against {MILD}", harm[other] - harm[MILD], recipes=recipes)


def _harm(block: Block) -> Iterator[Comparison]:
    for name, harm, recipes in harms(block, _by_corruption):
        yield from _ranked(block, name, harm, recipes)


def _excess(block: Block) -> Iterator[Comparison]:
    for name, harm, recipes in excesses(block, _by_corruption):
        yield from _ranked(block, name, harm, recipes)


def _better_and_weaker(block: Block) -> Iterator[Comparison]:
    for name in (each for each in low_bit(block) if is_recipe(each, "", 8) and "fp32" in block.recipes):
        for what, score, sign, figure in (("clean", _CLEAN, 1, "clean"), ("corruptions", _ROBUSTNESS, -1, "nr")):
            if found := score(block, (name, "fp32")):
                told = combined({(figure, name): sign, (figure, "fp32"): -sign})
                yield Comparison(block, f"{name} against fp32, {what}", sign * (found[0] - found[1]), published=told)


_CORRUPTION = noises('some of the 15 test corruptions ("corruptions:3")', _test_corruption)
_RANKED = noises(
    "impulse_noise or glass_blur or brightness, and other corruptions at the same severities",
    lambda noise: _test_corruption(noise) and noise.name in (*HARMFUL, MILD),
    lambda noise: _test_corruption(noise) and noise.name not in (*HARMFUL, MILD),
)

STATEMENTS = (
    Statement(
        "F3",
        "Quantized networks are weaker than full precision under natural corruptions",
        "every low-bit recipe below the control, mean accuracy over the test corruptions",
        _SOURCE,
        lambda block: against_control(block, _ROBUSTNESS, -1, "nr"),
        (CONTROL, LOW_BIT, _CORRUPTION),
        f"31.7 at 8 bits, 30.4 to 31.0 at 4, 23.3 to 26.4 at 2 against 32.8 ({_QUOTED})",
    ),
    Statement(
        "F4",
        "More bits, more robustness to natural corruptions",
        "for every method the slope along the bits is positive, and no step is negative",
        _SOURCE,
        lambda block: along_bits(block, _ROBUSTNESS, +1, "nr"),
        (LADDER, _CORRUPTION),
        f"23.3 to 26.4 at 2 bits, 30.4 to 31.0 at 4, 31.7 at 8 ({_QUOTED})",
    ),
    Statement(
        "F5",
        "Impulse noise and glass blur do the most harm, brightness the least",
        "for every low-bit recipe, accuracy under impulse noise and glass blur below that under every other corruption, under "
        "brightness above; the same holds for many float networks, see F5x",
        "RobustMQ, Visual Intelligence 1:30 (2023), abstract",
        _harm,
        (LOW_BIT, _RANKED),
        f"impulse noise about 50 % lower, brightness about 10 % ({_QUOTED}; points or relative is not said)",
    ),
    Statement(
        "F5x",
        "Impulse noise and glass blur do the most harm to low bits beyond what they do to float, brightness the least",
        "as F5, for the drop beyond the control's own",
        "bitproof, after RobustMQ's F5",
        _excess,
        (CONTROL, LOW_BIT, _RANKED),
    ),
    Statement(
        "F13",
        "8 bits beat the checkpoint on clean pictures, yet are weaker under corruptions",
        "for every recipe at w8a8, above fp32 when clean and below it under the test corruptions; fp32 is the checkpoint, "
        "without the training of the low-bit recipes: compare with float to tell the bits from the training",
        "derived from quoted numbers of arXiv 2304.03968",
        _better_and_weaker,
        (FP32, recipe("", 8), CLEAN, _CORRUPTION),
        f"clean 71.3 to 71.5 against 71.06, corruptions 31.7 against 32.8 ({_QUOTED})",
    ),
)
