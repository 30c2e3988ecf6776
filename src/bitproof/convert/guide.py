"""Ranges are chosen by what they cost the network: for methods whose quantizers ask for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeGuard, runtime_checkable

import torch
from torch import Tensor, nn

from bitproof.convert.blocks import Seen, SeenAttention, Watch, blocks, copied, first_tensor, unquantized, watched
from bitproof.convert.layers import QuantLayer
from bitproof.convert.products import QuantAttention
from bitproof.core import ModelError

#: Runs a product as it is quantized now, on what one piece of the batches brings.
Product = Callable[[Any], Tensor]


@runtime_checkable
class Guided(Protocol):
    """A quantizer whose numbers are chosen by the network's loss."""

    rounds: int
    scored_at: str

    @property
    def shape(self) -> tuple[int, ...]:
        """() or (heads, 1, 1): a choice a head."""

    def choices(self) -> list[float]:
        """What is tried."""

    def take(self, k: Tensor) -> None:
        """Be as choice ``k`` says, 0-d or of shape ``shape``."""

    def eliminated(self) -> float:
        """Share of the errors, the smallest ones, without a weight."""


def guided(quantizer: object) -> TypeGuard[Guided]:
    """Return whether this is a quantizer that wants ``guide``."""
    return isinstance(quantizer, Guided)


def by_block(quantizer: object) -> bool:
    """Return whether its errors are weighed at the output of the block."""
    return isinstance(quantizer, Guided) and quantizer.scored_at == "block"


@torch.no_grad()
def guide(model: nn.Module, batches: Sequence[Any]) -> None:
    """Choose the numbers of all quantizers that ask for it so that the loss minds the errors on ``batches`` least.

    Block after block in the order in which they run: with the inputs that the float network brings to it, each choice k of a
    quantizer is scored by Σ (g·e)² at the output y of its layer, of its attention's product or of the whole block: e = y − y_hat,
    0 where it is among the smallest that the quantizer eliminates, g = ∂loss/∂y in the float network. The others stand as they do
    then. What one block takes and gives is held at a time, so memory grows with the samples, not with depth. Raises ModelError
    where the loss has no gradient at any layer.
    """
    reference, twins = unquantized(model)
    minded = False
    for block in blocks(model, batches[0]):
        if not any(map(guided, quantizers_of(block.parts))):
            continue
        seen = watched(block, reference, twins, batches)
        minded = minded or seen.minded
        for part in reversed(block.parts):
            if isinstance(part, QuantAttention):
                _attention(part, seen.attentions[part])
            else:
                _layer(part, block.module, seen)
    if not minded:
        raise ModelError("The network's output carries no gradient to its layers, so nothing says which of their errors matter.")


def quantizers_of(parts: Sequence[QuantLayer | QuantAttention]) -> list[Any]:
    """Return the quantizers of layers and attentions."""
    found: list[Any] = []
    for part in parts:
        sides = part.quantizers().values() if isinstance(part, QuantAttention) else (part.weight_quantizer, part.input_quantizer)
        found += sides
    return found


def _layer(layer: QuantLayer, block: nn.Module, watch: Watch) -> None:
    """Search weight and input by turns; at the block's output where the method says so and the layer stands in one."""
    sides = [layer.weight_quantizer, layer.input_quantizer]
    whole = any(map(by_block, sides)) and bool(watch.whole.y)
    unit, seen = (block, watch.whole) if whole else (layer, watch.layers[layer])

    def product(given: Any) -> Tensor:
        args, kwargs = copied(given)  # a block may write into its input
        y = first_tensor(unit(*args, **kwargs))
        return y if y is not None else torch.empty(0)

    _by_turns(sides, product, seen)


def _attention(attention: QuantAttention, seen: SeenAttention) -> None:
    scores, context = attention.scores, attention.context
    seen.scores.given = [(q, k) for q, k, _, _ in seen.operands]
    seen.context.given = [(m, v) for _, _, m, v in seen.operands]
    _by_turns([scores.left, scores.right], lambda given: scores(*given, transposed=True), seen.scores)
    _by_turns([context.left, context.right], lambda given: context(*given), seen.context)


def _by_turns(sides: Sequence[Any], product: Product, seen: Seen) -> None:
    """Search the sides of a product one after the other, until nothing changes or the rounds are over.

    Where the loss does not change with the output, ranges stay full.
    """
    searched = [side for side in sides if isinstance(side, Guided)]
    if not any(map(torch.any, seen.g)):
        return
    before: list[list[int]] = []
    for _ in range(max((side.rounds for side in searched), default=0) if len(searched) > 1 else len(searched)):
        now = [_search(side, product, seen) for side in searched]
        if now == before:
            break
        before = now


def _search(quantizer: Guided, product: Product, seen: Seen) -> list[int]:
    """Take the best choice and return its number, head by head where the quantizer has heads."""
    choices = torch.tensor(quantizer.choices(), device=seen.y[0].device)
    heads = _by_head(quantizer)
    g = torch.cat([_rows(piece, heads) for piece in seen.g], 1)
    scores = []
    for k in choices:
        quantizer.take(k)
        errors = [_rows(y - product(given), heads) for given, y in zip(seen.given, seen.y, strict=True)]
        scores.append(score(torch.cat(errors, 1), g, quantizer.eliminated()))
    best = torch.stack(scores).argmin(0)
    quantizer.take(choices[best].reshape(quantizer.shape if heads else ()))
    return best.tolist()


def _by_head(quantizer: Guided) -> bool:
    return getattr(quantizer, "channels", None) is None and len(quantizer.shape) == 3


def _rows(x: Tensor, heads: bool) -> Tensor:
    """Return heads×n of …×heads×n×d, else 1×n."""
    return x.movedim(-3, 0).reshape(x.shape[-3], -1) if heads else x.reshape(1, -1)


def score(e: Tensor, g: Tensor, eliminated: float) -> Tensor:
    """Return Σ (g·e)² of each row, without the errors whose size is below that quantile: rows×n → rows.

    Source: arXiv 2303.14341 (bottom elimination); the quantile is the order statistic ⌊share·n⌋, counted from 0.
    """
    if below := int(eliminated * e.shape[1]):
        size = e.abs()
        e = torch.where(size < size.kthvalue(below + 1, dim=1, keepdim=True).values, 0.0, e)
    return (g * e).square().sum(1, dtype=torch.float64)
