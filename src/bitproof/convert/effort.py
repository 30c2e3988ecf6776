"""What a recipe asks of a network beside showing it the calibration samples, for whoever says beforehand how long it takes."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from bitproof.convert.guide import guided
from bitproof.convert.recipe import WHOLE, Recipe, own_settings
from bitproof.quantizers import QUANTIZERS


def searched(recipe: Recipe) -> tuple[int, int] | None:
    """Return among how many choices ``guide`` seeks a range, and in how many rounds at most; None where it seeks none."""
    if recipe.bits is None or "candidates" not in own_settings(recipe.method):
        return None
    quantizer = recipe.quantizer("weight", min(recipe.bits))
    alone = WHOLE in recipe.bits and recipe.product_bits is None
    return (len(quantizer.choices()), 1 if alone else quantizer.rounds) if guided(quantizer) else None


def brief(recipe: Recipe, candidates: int) -> Recipe:
    """Return ``recipe`` with one round of ``candidates`` + 1 choices, at 8 bits: what a choice takes does not depend on them."""
    own = tuple((key, value) for key, value in recipe.settings if key not in ("candidates", "rounds"))
    w_bits, a_bits = (side if side == WHOLE else 8 for side in recipe.bits or (WHOLE, WHOLE))
    return replace(recipe, w_bits=w_bits, a_bits=a_bits, settings=(*own, ("candidates", str(candidates)), ("rounds", "1")))


def rescaled(recipe: Recipe, model: nn.Module, n: int) -> int:
    """Return the forwards of one sample that ``reparametrise_`` takes at most: all ``n`` once, two around each norm; else 0."""
    if recipe.bits is None or not QUANTIZERS.load(recipe.method).reparametrises:
        return 0
    return n + 4 * sum(isinstance(module, nn.LayerNorm) for module in model.modules())
