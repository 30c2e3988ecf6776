"""What became of each layer, and what the network weighs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from bitproof.convert.recipe import WHOLE, Recipe

_COLUMNS = ("layer", "type", "w", "a", "weights", "activations", "bytes", "why")


@dataclass(frozen=True)
class LayerReport:
    """One layer with weights: made low-bit, or left float and why.

    ``granularity`` (tensor, channel) is the weight's scale, ``symmetric`` the activation's range; bytes count parameters:
    weights at their bit-width with their scales, all else as stored.
    """

    name: str
    type: str
    changed: bool
    reason: str
    size_bytes: int
    float_bytes: int
    method: str = ""
    w_bits: int | None = None
    a_bits: int | None = None
    granularity: str = ""
    symmetric: bool | None = None


@dataclass(frozen=True)
class ProductReport:
    """Products of two activations in one module: ``bits`` of their operands, or None where they stay float, and why.

    ``kind``: attention (queries·keys and map·values), closed (one inside an nn.MultiheadAttention) or matmul (a bare product).
    """

    name: str
    kind: str
    count: int
    bits: int | None
    reason: str


@dataclass(frozen=True)
class Report:
    """All layers with parameters; ``folded``: (batch norm, the layer that it went into); ``replaced``: each ReLU made Hardtanh.

    ``kept``: each activation that keeps its sign, see ``SignKept``. ``products``: those of two activations, where the network was
    seen to run. ``time_s``, ``peak_bytes``: of the calibration, and the most memory that the process has had by its end, where
    they were measured.
    """

    recipe: str
    layers: tuple[LayerReport, ...]
    defaults: str
    folded: tuple[tuple[str, str], ...] = ()
    replaced: tuple[str, ...] = ()
    products: tuple[ProductReport, ...] = ()
    kept: tuple[str, ...] = ()
    time_s: float | None = field(default=None, compare=False)
    peak_bytes: int | None = field(default=None, compare=False)

    @property
    def size_bytes(self) -> int:
        """Bytes of all parameters at their bit-width."""
        return sum(layer.size_bytes for layer in self.layers)

    @property
    def float_bytes(self) -> int:
        """Bytes of the same parameters before."""
        return sum(layer.float_bytes for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        sizes = {"size_bytes": self.size_bytes, "float_bytes": self.float_bytes}
        return {**dataclasses.asdict(self), **sizes}

    def table(self) -> str:
        """Return the report as text, a line a layer."""
        rows = [_COLUMNS, *(_row(layer) for layer in self.layers)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        changed = sum(layer.changed for layer in self.layers)
        total = f"{changed} layers low-bit, {len(self.layers) - changed} left float, {len(self.folded)} batch norms folded"
        total += f", {len(self.replaced)} ReLU made Hardtanh" * bool(self.replaced)
        total += f", {len(self.kept)} activations kept from rounding negatives to 0" * bool(self.kept)
        size = f"{total}; {self.float_bytes:,} → {self.size_bytes:,} bytes"
        notes = [*self._products(), *self._cost(), *_advice(Recipe.parse(self.recipe))]
        return "\n".join([f"{self.recipe}: {self.defaults}", *lines, size, *notes])

    def _cost(self) -> list[str]:
        """What the calibration took, where that was measured."""
        if self.time_s is None:
            return []
        memory = f", the process has had {self.peak_bytes / 1e6:,.0f} MB at most" if self.peak_bytes else ""
        return [f"calibrated in {self.time_s:.1f} s{memory}"]

    def _products(self) -> list[str]:
        """A line for each kind of decision, since a network's blocks are alike; under it each module that stays float."""
        groups: dict[tuple[str, int | None, str], list[ProductReport]] = {}
        for product in self.products:
            groups.setdefault((product.kind, product.bits, product.reason), []).append(product)
        return [
            f"products, {kind}: {_width(bits, why)}: {_every(found) if bits is None else _listed(found)}"
            for (kind, bits, why), found in groups.items()
        ]

    def __str__(self) -> str:
        return self.table()


def _width(bits: int | None, why: str) -> str:
    width = "left float" if bits is None else f"operands at {bits} bit{'s' * (bits > 1)}"
    return f"{width} ({why})" if why else width


def _listed(products: list[ProductReport]) -> str:
    names = [product.name or "(model)" for product in products]
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}, {len(names)} modules"


def _every(products: list[ProductReport]) -> str:
    """One name, or so many below each other."""
    names = [f"{product.name or '(model)'}{f' ({product.count} products)' * (product.count > 1)}" for product in products]
    return names[0] if len(names) == 1 else "\n  ".join([f"{len(names)} modules", *names])


def _advice(recipe: Recipe) -> list[str]:
    trained = recipe.trains and recipe.bits is not None
    return [f"{recipe.method} is a trained method: calibration only gives the ranges that its training starts from."] * trained


def _row(layer: LayerReport) -> tuple[str, ...]:
    whole = (None, WHOLE)
    bits = tuple("float" if bits in whole else str(bits) for bits in (layer.w_bits, layer.a_bits))
    symmetric = "float" if layer.a_bits in whole else "symmetric" if layer.symmetric else "affine"
    kind = "float" if layer.w_bits in whole else f"per {layer.granularity}"
    return (layer.name or "(model)", layer.type, *bits, kind, symmetric, f"{layer.size_bytes:,}", layer.reason)
