"""What ``bitproof export`` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bitproof.core import Geometry, SpecError

if TYPE_CHECKING:
    from bitproof.bench import Comparison, Export, ExportedQonnx, Packed


def depths_of(text: str | None) -> tuple[int, ...] | None:
    """Return the depths that ``8,4,2,1`` names. Raises SpecError for anything else."""
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SpecError(f"--depths {text!r} is no list of depths. Type for example --depths 8,4,2,1") from None


def lines(export: Export) -> Iterator[str]:
    """Say what was written, which layers are integer, and how far the integers are from the simulation."""
    network, recipe = export.subject.network, export.subject.recipe
    yield f"{network.spec}  {recipe}: {export.path}, {export.exported.size_bytes:,} bytes"
    yield from _layers(export)
    yield f"engine: {export.engine}"
    yield from _speed(export)
    yield from map(_flips, export.comparisons)
    if export.exported.layers:
        yield "Codes of each layer's input, integer against simulated: mean |Δ| in steps of its scale, SQNR in dB"
        yield from _table(_rows(export.comparisons, {layer.name: layer.kernel or "float" for layer in export.exported.layers}))
    at = network.form
    if not isinstance(at, Geometry):
        yield f"In a grid, a network of the kind {at.kind!r} is read again from a packed file alone: bitproof export … --packed"
        return
    yield f"In a grid: onnx:{export.path},size={at.size},resize={at.resize},mode={at.mode},interpolation={at.interpolation}"


def packed_lines(packed: Packed) -> Iterator[str]:
    """Say what was written, what became of each layer, and how far the packed kernels are from the simulation."""
    network, recipe = packed.subject.network, packed.subject.recipe
    times = packed.float_bytes / packed.size_bytes
    yield f"{network.spec}  {recipe}: {packed.path}, {packed.size_bytes:,} bytes on disk, {times:.1f} times smaller than float32"
    yield from str(packed.report).splitlines()
    yield f"kernels: {packed.kernels}"
    yield from map(_flips, packed.comparisons)
    yield f"In a grid: packed:{packed.path}{',depth=N for another depth' if packed.depths else ''}"


def qonnx_lines(found: ExportedQonnx) -> Iterator[str]:
    """Say what was written, which nodes quantize, and how far the file, executed, is from the simulation."""
    network, recipe = found.subject.network, found.subject.recipe
    nodes = ", ".join(f"{count} {kind}" for kind, count in sorted(found.qonnx.nodes.items()))
    yield f"{network.spec}  {recipe}: {found.path}, {len(found.qonnx.graph):,} bytes: {nodes}"
    yield from map(_flips, found.comparisons)


def _speed(export: Export) -> Iterator[str]:
    told = export.speed
    if told is None:
        return
    times = f"float {told.float_ms:.2f} ms, exported {told.low_bit_ms:.2f} ms"
    yield f"one sample, {told.threads} threads, median: {times}: {told.ratio:.2f} times as fast"
    if told.ratio <= 1:
        why = "Layers without a fused kernel (--fast), small ones, and processors without byte products are the usual reasons."
        yield f"warning: the integers are NOT faster than float here. {why}"


def _layers(export: Export) -> Iterator[str]:
    layers = export.exported.layers
    integer = [layer for layer in layers if layer.kernel]
    kernels = ", ".join(f"{count} {kernel}" for kernel, count in Counter(layer.kernel for layer in integer).most_common())
    yield f"{len(integer)} of {len(layers)} low-bit layers multiply integers{f': {kernels}' if kernels else ''}"
    for layer in layers:
        if not layer.kernel:
            yield f"  float: {layer.name}: {layer.reason}"
    for reason, count in Counter(export.subject.left_float.values()).most_common():
        yield f"  left float by the recipe: {count}: {reason}"


def _flips(comparison: Comparison) -> str:
    found = comparison.gap
    share = f"{100 * found.flipped / found.n:.2f} % [{comparison.low:.2f}, {comparison.high:.2f}]"
    logits = f"logits: max |Δ| {found.logits.largest:.3g}, mean |Δ| {found.logits.mean:.3g}, SQNR {found.logits.sqnr_db:.1f} dB"
    return f"{comparison.noise}: {found.flipped} of {found.n} predictions flipped, {share}; {logits}"


def _rows(comparisons: Sequence[Comparison], kernels: dict[str, str]) -> Iterator[list[str]]:
    yield ["layer", "kernel", *(f"{c.noise}: {what}" for c in comparisons for what in ("|Δ|/s", "max", "SQNR"))]
    for name, kernel in kernels.items():
        found = [c.gap.layers[name] for c in comparisons if name in c.gap.layers]
        yield [name, kernel, *(text for d in found for text in (f"{d.mean:.2e}", f"{d.largest:.0f}", f"{d.sqnr_db:.1f}"))]


def _table(rows: Iterator[list[str]]) -> Iterator[str]:
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
