"""What names say: a recipe's its method and its bits, a noise's that it is a resize."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from bitproof.core import Spec, SpecError

#: How the names of resizes start: the library whose arithmetic they are.
RESIZES = ("pil-", "cv-", "torch-")

_BITS = re.compile(r"w(\d+)a(\d+)\b")


def parsed(recipe: str) -> Spec:
    """The recipe as a spec; one that is no spec is its own name."""
    try:
        return Spec.parse(recipe)
    except SpecError:
        return Spec(recipe)


def recipe_bits(recipe: str) -> tuple[int, int] | None:
    """The bits of weights and activations that a recipe asks for, (32, 32) for a float one, None where it does not say."""
    spec = parsed(recipe)
    for value in spec.values:
        if found := _BITS.match(value):
            return int(found[1]), int(found[2])
    return (32, 32) if spec.name in ("fp32", "float") else None


def ladders(recipes: Iterable[str]) -> dict[str, list[tuple[int, str]]]:
    """Method with its settings → its recipes at two bit-widths or more, weights and activations alike, as (bits, recipe).

    Few bits first. One of several variants of a recipe, which has digits of its id behind its name, stands in none.
    """
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for recipe in recipes:
        spec, bits = parsed(recipe), recipe_bits(recipe)
        if bits and bits[0] == bits[1] < 32 and any(_BITS.fullmatch(value) for value in spec.values):
            rest = tuple(item for item in spec.items if not _BITS.fullmatch(item[1]))
            found[str(Spec(spec.name, rest))].append((bits[0], recipe))
    return {method: sorted(rungs) for method, rungs in sorted(found.items()) if len(rungs) > 1}
