"""A float model → a low-bit model: which layer gets what, folding, calibration, and a report of every decision."""

from bitproof.convert.attention import OpenAttention, as_opened, versions
from bitproof.convert.blocks import AT_ONCE
from bitproof.convert.conversion import Converted, calibrate, insert, quantize
from bitproof.convert.depths import at_depth, thin_, thinnable
from bitproof.convert.effort import brief, rescaled, searched
from bitproof.convert.fold import fused
from bitproof.convert.layers import WEIGHTED, QuantLayer
from bitproof.convert.products import QuantAttention, QuantMatmul, float_names
from bitproof.convert.recipe import Recipe, recipe_cards
from bitproof.convert.report import LayerReport, ProductReport, Report
from bitproof.convert.rewrite import Rewriter
from bitproof.convert.switching import Switch, Switched, check_budget, chosen, keeping, kept_recipe, switches, with_own

__all__ = [
    "AT_ONCE",
    "WEIGHTED",
    "Converted",
    "LayerReport",
    "OpenAttention",
    "ProductReport",
    "QuantAttention",
    "QuantLayer",
    "QuantMatmul",
    "Recipe",
    "Report",
    "Rewriter",
    "Switch",
    "Switched",
    "as_opened",
    "at_depth",
    "brief",
    "calibrate",
    "check_budget",
    "chosen",
    "float_names",
    "fused",
    "insert",
    "keeping",
    "kept_recipe",
    "quantize",
    "recipe_cards",
    "rescaled",
    "searched",
    "switches",
    "thin_",
    "thinnable",
    "versions",
    "with_own",
]
