"""Things put on the input, or done to the network, so that it sees better: patches, purification, batch norms re-estimated."""

from __future__ import annotations

import dataclasses
from typing import Any

from bitproof.core import Registry, Spec, SpecError, bind
from bitproof.defenses.controls import CONTROLS, controlled
from bitproof.defenses.paper import Sheet, sheet
from bitproof.defenses.patch import Patches
from bitproof.defenses.picture import read_picture, write_picture

DEFENSES = Registry(
    "defense",
    {
        "defensive-patch": "bitproof.defenses.defensive_patch:DefensivePatch",
        "unadversarial": "bitproof.defenses.unadversarial:Unadversarial",
        "jpeg": "bitproof.defenses.purify:Jpeg",
        "bit-depth": "bitproof.defenses.purify:BitDepth",
        "total-variation": "bitproof.defenses.purify:TotalVariation",
        "random-resize": "bitproof.defenses.purify:RandomResize",
        "bn-reestimate": "bitproof.defenses.statistics:BnReestimate",
    },
)

__all__ = [
    "CONTROLS",
    "DEFENSES",
    "Patches",
    "Sheet",
    "canonical",
    "controlled",
    "defense",
    "read_picture",
    "sheet",
    "write_picture",
]


def defense(spec: Spec | str) -> Any:
    """Build the defense that ``spec`` names. Raises UnknownName or SpecError."""
    spec = Spec.parse(spec) if isinstance(spec, str) else spec
    return bind(spec, DEFENSES.load(spec.name))


def canonical(text: str) -> str:
    """Return the one form in which a defense is printed: its settings in order, without those at their default.

    ``none`` stays. Raises UnknownName or SpecError.
    """
    spec = Spec.parse(text)
    if spec.name == "none":
        if spec.items:
            raise SpecError(f"{text!r}: 'none' takes no settings. Type 'none'.")
        return "none"
    built = defense(spec)
    fields = [field for field in dataclasses.fields(built) if field.init]
    items = [(field.name, getattr(built, field.name)) for field in fields if getattr(built, field.name) != field.default]
    return str(Spec(spec.name, tuple((name, _word(value)) for name, value in items)))


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)
