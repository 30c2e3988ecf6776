"""What each recipe made of a model: settings, size, cost, and every layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bitproof.report.source import Row, Run
from bitproof.report.tables import Cell, Column, Table, text
from bitproof.report.words import bits_label, count, duration, size

_NAME = (Column("Layer"), Column("Type"))
_SIZE = (Column("KB, float", numeric=True), Column("KB", numeric=True))
_CHANGED = (*_NAME, Column("Bits"), Column("Weight scale"), Column("Activation range"), *_SIZE, Column("Note"))
_FLOAT = (*_NAME, *_SIZE, Column("Why"))


@dataclass(frozen=True)
class Card:
    """One variant as the page shows it."""

    variant: str
    task: str
    model: str
    recipe: str
    seed: int
    facts: dict[str, Any]
    left_float: Table
    layers: Table


def cards(run: Run) -> list[Card]:
    """One card a variant, in the order of the sections and from many bits to few."""
    order = [(section.task, section.model, recipe) for section in run.sections for recipe in section.recipes]
    places = {key: place for place, key in enumerate(order)}
    known = sorted(
        run.variants,
        key=lambda row: (places.get((row["task"], row["model"], row["recipe"]), len(order)), row["seed"], row["variant"]),
    )
    return [_card(row, run.reports.get(row["variant"], {})) for row in known]


def _card(row: Row, report: Row) -> Card:
    layers = report.get("layers", [])
    float_layers = [layer for layer in layers if not layer["changed"]]
    return Card(
        **{key: row[key] for key in ("variant", "task", "model", "recipe", "seed")},
        facts=_facts(row, report),
        left_float=Table(_FLOAT, tuple((*_name(layer), *_sizes(layer), text(layer["reason"])) for layer in float_layers)),
        layers=Table(_CHANGED, tuple(_changed(layer) for layer in layers if layer["changed"])),
    )


def _facts(row: Row, report: Row) -> dict[str, str]:
    share = (
        f" ({100 * row['size_bytes'] / row['float_bytes']:.1f} % of {size(row['float_bytes'])} KB)" if row["float_bytes"] else ""
    )
    return {
        "bits": bits_label(row["recipe"]),
        "how": row["settings"] or report.get("defaults") or "as given",
        "layers": f"{row['layers_low_bit']} low-bit, {row['layers_float']} left float"
        + (f", {count(len(report['folded']), 'batch norm')} folded" if report.get("folded") else ""),
        "size": f"{size(row['size_bytes'])} KB{share}",
        "latency, simulated": f"{row['latency_ms']:.1f} ms at batch 1 on {count(row['threads'], 'thread')}; "
        "fake quantization costs time, so this is not the deployed latency",
        "calibration or training": duration(row["time_s"]),
        "gradient": "available" if row["differentiable"] else "not available: white-box attacks cannot be run",
    }


def _name(layer: Row) -> tuple[Cell, Cell]:
    return text(layer["name"] or "(model)"), text(layer["type"])


def _sizes(layer: Row) -> tuple[Cell, Cell]:
    before, after = layer["float_bytes"], layer["size_bytes"]
    return Cell(size(before), sort=before, numeric=True), Cell(size(after), sort=after, numeric=True)


def _changed(layer: Row) -> tuple[Cell, ...]:
    symmetric = {True: "symmetric", False: "affine"}.get(layer["symmetric"], "–")
    weight, activation = layer["w_bits"] or "float", layer["a_bits"] or "float"
    scale = f"per {layer['granularity']}" if layer["granularity"] else "–"
    bits = text(f"weight {weight}, input {activation}")
    return *_name(layer), bits, text(scale), text(symmetric), *_sizes(layer), text(layer["reason"])
