"""Which layers must keep their bits: single layers of a network switched to fewer, and the best use of a size."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn

from bitproof.convert.layers import QuantLayer, replace_
from bitproof.convert.recipe import WHOLE, Recipe
from bitproof.convert.report import Report
from bitproof.core import SpecError
from bitproof.quantizers import QUANTIZERS

#: Bits of a layer that is kept.
KEPT = 8


@dataclass(frozen=True)
class Switch:
    """A layer that the recipe makes low-bit, with its bits there, and the bytes that this saves against ``KEPT`` bits."""

    name: str
    bits: tuple[int, int]
    saved_bytes: int


def kept_recipe(recipe: Recipe) -> Recipe:
    """Return ``recipe`` with ``KEPT`` bits for the layers that it names no bits of; float sides stay float.

    Raises SpecError for a recipe that changes no layer, that is trained or reconstructs, or that asks for no fewer bits.
    """
    if recipe.bits is None:
        raise SpecError(f"The recipe {str(recipe)!r} has no low-bit layer to measure. Type for example mse:w4a4.")
    if recipe.trains:
        raise SpecError(
            f"{recipe.method} is trained, and what one of its layers loses before training says nothing of after. "
            "Take a recipe that is only calibrated, for example mse:w4a4; the layers=… that it suggests "
            "is a setting of trained ones too."
        )
    if QUANTIZERS.load(recipe.method).reconstructs:
        raise SpecError(
            f"{recipe.method} rounds a layer by what the layers before it give, so layers cannot be switched one by one. "
            f"Take mse at the same bits; the layers=… that it suggests is a setting of {recipe.method} too."
        )
    if QUANTIZERS.load(recipe.method).scored_at == "block":
        raise SpecError(
            f"{recipe.method} chooses a layer's ranges together with the rest of its block, so no layer can be measured alone. "
            "Take a recipe that calibrates layers by themselves, for example mse:w4a4."
        )
    if recipe.product_bits is not None:
        raise SpecError(
            f"{str(recipe)!r} makes products of activations low-bit too, and those are not measured layer by layer. "
            "Type products=float, and give products= to what is suggested."
        )
    w_bits, a_bits = kept = _kept(recipe.bits)
    if kept == recipe.bits:
        raise SpecError(f"{str(recipe)!r} asks for no fewer than {KEPT} bits, which is what layers are kept at. Type mse:w4a4.")
    return replace(recipe, w_bits=w_bits, a_bits=a_bits)


def switches(low: Report, kept: Report) -> list[Switch]:
    """Return the layers that have other bits in ``low`` than in ``kept``, in order of registration."""
    return [
        Switch(a.name, (a.w_bits or WHOLE, a.a_bits or WHOLE), b.size_bytes - a.size_bytes)
        for a, b in zip(low.layers, kept.layers, strict=True)
        if a.changed and (a.w_bits, a.a_bits) != (b.w_bits, b.a_bits)
    ]


class Switched:
    """A network whose layers are kept or low-bit, one by one, without converting anew.

    ``kept`` and ``low`` are one network, quantized twice from the same batches. Calibration watches the float network's values,
    so a layer's ranges do not depend on the others' bits: the network with any choice of layers is what the recipe gives that
    names them. ``kept`` is changed and is ``model``.
    """

    def __init__(self, kept: nn.Module, low: nn.Module) -> None:
        self.model = kept
        self._kept, self._low = _layers(kept), _layers(low)
        self._now = dict(self._kept)

    def set_(self, low: Collection[str]) -> None:
        """Make exactly the layers of these names low-bit."""
        for name, now in self._now.items():
            wanted = (self._low if name in low else self._kept)[name]
            if wanted is not now:
                replace_(self.model, now, wanted)
                self._now[name] = wanted


def check_budget(least_bytes: int, budget_bytes: int) -> None:
    """Raise SpecError where even the smallest network, of ``least_bytes``, is too large."""
    if least_bytes > budget_bytes:
        raise SpecError(
            f"{budget_bytes / 1e6:g} MB are too few: with every layer low-bit the network has {least_bytes / 1e6:.6g} MB "
            "(10⁶ bytes). Give more, or take a recipe of fewer bits."
        )


def chosen(found: Sequence[Switch], gains: Mapping[str, float], room_bytes: int) -> list[str]:
    """Return the layers to keep, which cost at most ``room_bytes`` together, by what keeping one gains a byte.

    Greedy: layers of the largest gain a byte first, each kept if it still fits; one that gains nothing is not.
    """
    names: list[str] = []
    for switch in sorted(found, key=lambda each: -gains[each.name] / max(each.saved_bytes, 1)):
        if gains[switch.name] > 0 and switch.saved_bytes <= room_bytes:
            names.append(switch.name)
            room_bytes -= switch.saved_bytes
    return names


def with_own(recipe: Recipe, names: Sequence[str], bits: tuple[int, int], known: Collection[str]) -> Recipe:
    """Return ``recipe`` with ``bits`` for the layers ``names`` alone, out of the ``known`` ones."""
    if not names:
        return recipe
    own = f"^({'|'.join(_pattern(name, known) for name in known if name in names)})$=w{bits[0]}a{bits[1]}"
    return replace(recipe, layers=f"{own};{recipe.layers}" if recipe.layers else own)


def keeping(recipe: Recipe, names: Sequence[str], known: Collection[str]) -> Recipe:
    """Return ``recipe`` with ``KEPT`` bits for the layers ``names``."""
    return with_own(recipe, names, _kept(recipe.bits or (WHOLE, WHOLE)), known)


def _kept(bits: tuple[int, int]) -> tuple[int, int]:
    w_bits, a_bits = (max(side, KEPT) for side in bits)
    return w_bits, a_bits


def _pattern(name: str, known: Collection[str]) -> str:
    """The name, its dots escaped only where another layer would be found too: what is pasted should be readable."""
    plain = name.replace(".", "").replace("_", "").isalnum()
    return name if plain and sum(re.fullmatch(name, other) is not None for other in known) == 1 else re.escape(name)


def _layers(model: nn.Module) -> dict[str, QuantLayer]:
    return {module.name: module for module in model.modules() if isinstance(module, QuantLayer)}
