"""A low-bit network → a copy whose 1-bit layers run on packed words, and the report of every layer."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bitproof.convert import QuantAttention, QuantLayer
from bitproof.core import ModelError
from bitproof.export.capture import capture
from bitproof.export.fusing import fused
from bitproof.export.numbers import low_bit_layers
from bitproof.export.packed_attention import packed_attention_
from bitproof.export.packed_layer import PackedLayer, PackedPlanes
from bitproof.export.packed_texts import PackedTexts
from bitproof.export.program import array
from bitproof.export.signs import border, signs
from bitproof.export.tables import signs_of


@dataclass(frozen=True)
class DeployedLayer:
    """A layer with weights; ``reason``: why it is not packed, "" where it is. Bytes of what it keeps, and of that in float32."""

    name: str
    packed: bool
    reason: str
    size_bytes: int
    float_bytes: int


@dataclass(frozen=True)
class DeployReport:
    """What became of every layer with weights; ``fused``: how many steps of each kind went, as ``fusing.fused`` says.

    ``attentions``: how many run on packed words, both products of each; ``simulated``: how many do not, by reason.
    """

    layers: tuple[DeployedLayer, ...]
    fused: Mapping[str, int] = field(default_factory=dict)
    attentions: int = 0
    simulated: Mapping[str, int] = field(default_factory=dict)

    @property
    def packed(self) -> int:
        """How many layers are packed."""
        return sum(layer.packed for layer in self.layers)

    def __str__(self) -> str:
        """One line a layer, and a sum."""
        name = max(len(layer.name) for layer in self.layers)
        lines = [f"{layer.name:{name}}  {layer.reason or 'packed':s}  {layer.size_bytes:,} bytes" for layer in self.layers]
        total, floats = sum(layer.size_bytes for layer in self.layers), sum(layer.float_bytes for layer in self.layers)
        went = "".join(f", {count} {kind}" for kind, count in self.fused.items())
        attended = f" and {self.attentions} attentions" if self.attentions else ""
        fused = f"; fused away{went[1:]}" if went else ""
        lines += [f"{count} attentions simulated: {reason}" for reason, count in self.simulated.items()]
        return "\n".join(
            [*lines, f"{self.packed} of {len(self.layers)} layers packed{attended}; {floats:,} → {total:,} bytes{fused}"]
        )


class Deployed(NamedTuple):
    """A network for the CPU, in evaluation mode and without a gradient, and what was done to it."""

    model: nn.Module
    report: DeployReport


def deploy(model: nn.Module, sample: Tensor | None = None) -> Deployed:
    """Return a copy of ``model`` whose binarized layers, weights and inputs both, run on packed 1-bit kernels.

    Conv2d with every stride, padding, dilation and number of groups, and linear layers; what else there is stays as it is, and
    the report says why. With a ``sample``, float N×… of two or more, the copy is a ``Program``: batch norms go into scales,
    clips before a sign go, and between consecutive binary layers only bits do. Of texts, int64 N×3×length of two or more, it is one
    for any length. An attention whose operands are signs and whose map is a threshold runs on packed words too.
    A layer's sums are exact; its output differs from the simulation's by the rounding of scale, bias and norm alone. A value
    nearer to the next threshold than that may change its sign there. In an untrained network, whose norms shift nothing, many
    sums of 0 lie on the threshold itself: there the simulation's rounding decides, and logits differ by more.
    The given model is not changed. Raises ModelError where no layer can be packed, or with a sample where the network cannot be
    written as steps.
    """
    found = _swapped(model, attentions=sample is not None)
    if sample is None:
        return found
    texts = any(hasattr(module, "trims") for module in model.modules()) and not sample.is_floating_point()
    program, counts = fused(capture(found.model, sample, texts))
    packed = PackedTexts(program) if texts else program
    return Deployed(packed.eval(), dataclasses.replace(found.report, fused=dict(counts)))


@torch.no_grad()
def _swapped(model: nn.Module, attentions: bool) -> Deployed:
    result = copy.deepcopy(model).cpu().eval()
    layers = low_bit_layers(result)
    if not layers:
        raise ModelError(
            f"{type(model).__name__} has no low-bit layer to pack. Binarize it first: bitproof.quantize(model, 'bireal:w1a1', …)."
        )
    reasons = Counter(packed_attention_(m) for m in result.modules() if isinstance(m, QuantAttention)) if attentions else Counter()
    packed_attentions = reasons.pop("", 0)
    told = [DeployedLayer(name, False, "float", size, size) for name, size in _float_layers(result)]
    for name, layer in layers.items():
        packed, line = _packed(name, layer)
        told.append(line)
        if packed is not None:
            result = _put(result, layer, packed)
    if not any(line.packed for line in told):
        found = Counter(line.reason for line in told if line.name in layers)
        why = "; ".join(f"{count} of {len(layers)} low-bit layers: {reason}" for reason, count in found.most_common())
        raise ModelError(f"{type(model).__name__} has no layer that can be packed. {why}.")
    order = {name or "model": i for i, (name, _) in enumerate(model.named_modules())}
    lines = tuple(sorted(told, key=lambda line: order[line.name]))
    return Deployed(result, DeployReport(lines, attentions=packed_attentions, simulated=reasons))


def _packed(name: str, layer: QuantLayer) -> tuple[nn.Module | None, DeployedLayer]:
    size = _bytes(layer.layer)
    try:
        found = signs(layer)
    except ModelError as error:
        return None, _not_packed(name, layer, str(error), size)
    linear = isinstance(layer.layer, nn.Linear)
    packed = [PackedLayer(each, linear, border(layer.layer), name) for each in found]
    line = DeployedLayer(name, True, "", sum(each.size_bytes for each in found), size)
    return packed[0] if len(packed) == 1 else PackedPlanes(packed), line


def _not_packed(name: str, layer: QuantLayer, reason: str, size: int) -> DeployedLayer:
    table = signs_of(array(layer.weight)) if isinstance(layer.layer, nn.Embedding) else None
    if table is None:
        return DeployedLayer(name, False, reason, size, size)
    return DeployedLayer(name, False, "looked up; a file keeps its signs", sum(part.nbytes for part in table.values()), size)


def _put(model: nn.Module, old: nn.Module, new: nn.Module) -> nn.Module:
    """Put ``new`` wherever ``old`` stands, and return the model: ``new`` itself if ``old`` was all of it."""
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if child is old:
                setattr(parent, name, new)
    return new if model is old else model


def _float_layers(model: nn.Module) -> list[tuple[str, int]]:
    """Layers with a weight of two axes or more outside the low-bit ones."""
    inside = {id(part) for layer in low_bit_layers(model).values() for part in layer.modules()}
    return [
        (name or "model", _bytes(module))
        for name, module in model.named_modules()
        if id(module) not in inside and any(p.ndim > 1 for p in module.parameters(recurse=False))
    ]


def _bytes(module: nn.Module) -> int:
    return sum(p.numel() * p.element_size() for p in module.parameters(recurse=False))
