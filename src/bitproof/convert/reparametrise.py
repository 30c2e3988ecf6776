"""Layer norms and the layers behind them, rescaled so that all channels between them have one range; the network stays the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bitproof.convert.blocks import pieces, tensors, unquantized
from bitproof.convert.flow import run
from bitproof.convert.layers import QuantLayer, weight_of

#: How far the network's answers may move, as a share of the largest, where nothing but the order of operations changed.
_TOLERANCE = 1e-3


def reparametrising(layer: nn.Module) -> bool:
    """Return whether this layer's method asks for inputs of one range."""
    quantizer = layer.input_quantizer if isinstance(layer, QuantLayer) else None
    return quantizer is not None and quantizer.reparametrises


@dataclass
class _Range:
    """Minimum and maximum of each channel, the last axis."""

    lo: Tensor | None = None
    hi: Tensor | None = None

    def add(self, x: Tensor) -> None:
        rows = x.detach().reshape(-1, x.shape[-1])
        self.lo = rows.amin(0) if self.lo is None else torch.minimum(self.lo, rows.amin(0))
        self.hi = rows.amax(0) if self.hi is None else torch.maximum(self.hi, rows.amax(0))

    def same(self, other: _Range) -> bool:
        return all(
            a is not None and b is not None and a.shape == b.shape and torch.equal(a, b)
            for a, b in ((self.lo, other.lo), (self.hi, other.hi))
        )


@torch.no_grad()
def reparametrise_(model: nn.Module, batches: Sequence[Any]) -> list[nn.LayerNorm]:
    """Rescale every layer norm whose outputs go to quantized linear layers alone, with those layers; return the norms.

    With the range [lo_c, hi_c] of channel c on ``batches``, 0 inside: s_c = hi_c − lo_c, z_c = −lo_c / s_c, s̄ and z̄ their means,
    r = s_c / s̄ and t = s_c·(z_c − z̄): γ ← γ / r, β ← (β + t) / r, W ← W·r, b ← b − W·t. Without a β or a b t = 0: no shift.
    A norm is left as it was where the network's answers on two samples move: then something else takes its output too.

    Source: arXiv 2212.08254, equations 9 to 11.
    """
    reference, twins = unquantized(model)
    probe = next(pieces(batches[0], 2))
    changed = []
    for norm, (seen, layers) in _takers(model, reference, twins, batches).items():
        before = list(tensors(run(reference, probe)))
        mirrored = [twins[layer].layer for layer in layers]
        state = [(p, p.clone()) for module in (twins[norm], *mirrored) for p in module.parameters()]
        _rescale_(twins[norm], mirrored, seen)
        if _moved(before, list(tensors(run(reference, probe)))):
            for parameter, value in state:
                parameter.copy_(value)
        else:
            _rescale_(norm, [layer.layer for layer in layers], seen)
            changed.append(norm)
    return changed


def _takers(
    model: nn.Module, reference: nn.Module, twins: dict[nn.Module, Any], batches: Sequence[Any]
) -> dict[nn.LayerNorm, tuple[_Range, list[QuantLayer]]]:
    """The affine norms with the layers that ask for it and whose inputs are, channel by channel, the norm's outputs.

    Ranges are compared, not tensors: between a norm and its layers tokens may be moved, as into windows.
    """
    uses = Counter(id(weight_of(m.layer)) for m in model.modules() if isinstance(m, QuantLayer))
    norms = {m: _Range() for m in model.modules() if isinstance(m, nn.LayerNorm) and m.elementwise_affine}
    layers = {m: _Range() for m in model.modules() if isinstance(m, QuantLayer) and _fits(m) and uses[id(weight_of(m.layer))] == 1}
    hooks = [twins[m].register_forward_hook(lambda _, args, y, seen=seen: seen.add(y)) for m, seen in norms.items()]
    hooks += [twins[m].register_forward_pre_hook(lambda _, args, seen=seen: seen.add(args[0])) for m, seen in layers.items()]
    try:
        for batch in batches:
            run(reference, batch)
    finally:
        for hook in hooks:
            hook.remove()
    found = {norm: (seen, [layer for layer, its in layers.items() if its.same(seen)]) for norm, seen in norms.items()}
    return {norm: (seen, takers) for norm, (seen, takers) in found.items() if takers}


def _fits(layer: QuantLayer) -> bool:
    return reparametrising(layer) and isinstance(layer.layer, nn.Linear)


def _rescale_(norm: Any, layers: Sequence[Any], seen: _Range) -> None:
    if seen.lo is None or seen.hi is None:
        return
    lo, hi = seen.lo.clamp(max=0), seen.hi.clamp(min=0)
    s = torch.where(hi > lo, hi - lo, 1.0)
    z = -lo / s
    r = s / s.mean()
    shifts = norm.bias is not None and all(layer.bias is not None for layer in layers)
    t = s * (z - z.mean()) if shifts else torch.zeros_like(s)
    norm.weight.div_(r)
    if norm.bias is not None:
        norm.bias.add_(t).div_(r)
    for layer in layers:
        if shifts:
            layer.bias.sub_(layer.weight @ t)
        layer.weight.mul_(r)


def _moved(before: Sequence[Tensor], after: Sequence[Tensor]) -> bool:
    """Whether the answers are others by more than rounding."""
    return any(
        float((a - b).abs().max()) > _TOLERANCE * float(a.abs().max()) for a, b in zip(before, after, strict=True) if a.numel()
    )
