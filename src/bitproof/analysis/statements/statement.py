"""A published statement as a hypothesis that rows can support or contradict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bitproof.analysis.blocks import Block, Noise
from bitproof.analysis.naming import ladders, parsed, recipe_bits
from bitproof.analysis.statements.outcomes import Comparison, low_bit


@dataclass(frozen=True)
class Need:
    """What a run must hold, in the words of a grid, and whether a block holds it."""

    text: str
    met: Callable[[Block], bool]


@dataclass(frozen=True)
class Statement:
    """``text`` as published, and the comparisons that ``compare`` makes of it; ``check`` says how they are read.

    ``published``: the published figure in words. ``attacked``: decided only where the masking audit holds.
    ``unit``: of the effect.
    """

    id: str
    text: str
    check: str
    source: str
    compare: Callable[[Block], Iterator[Comparison]]
    needs: tuple[Need, ...]
    published: str = ""
    attacked: bool = False
    unit: str = "points"


def noises(text: str, *wanted: Callable[[Noise], bool]) -> Need:
    """A need of cells: one at least for each of ``wanted``."""
    return Need(text, lambda block: all(block.columns(each) for each in wanted))


def recipe(method: str, bits: int) -> Need:
    """A need of one recipe."""
    name = f"{method or 'METHOD'}:w{bits}a{bits}"
    return Need(f"the recipe {name}", lambda block: any(is_recipe(each, method, bits) for each in block.recipes))


def is_recipe(name: str, method: str, bits: int) -> bool:
    """Whether ``name`` is a recipe of ``method`` (of any, where it is "") at ``bits`` for weights and activations."""
    return recipe_bits(name) == (bits, bits) and method in ("", parsed(name).name)


CONTROL = Need("the control: the recipe fp32 or float", lambda block: block.control is not None)
FP32 = Need("the recipe fp32", lambda block: "fp32" in block.recipes)
LOW_BIT = Need("a low-bit recipe", lambda block: bool(low_bit(block)))
LADDER = Need("a method at two bit-widths or more (lsq:w2a2, lsq:w4a4)", lambda block: bool(ladders(block.recipes)))
CLEAN = Need("clean", lambda block: block.clean is not None)
