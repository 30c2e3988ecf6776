"""Products of two activations in low bits: those of an attention, met where torch computes them, whoever wrote the model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bitproof.convert.attention import with_map
from bitproof.core import BitproofError, ModelError
from bitproof.quantizers import OPERANDS, Quantizer

#: An additive mask below this leaves nothing of a position: libraries write −1e4, the smallest float or −∞.
_MASKED = -5e3


def one_door_(model: nn.Module) -> None:
    """Let attentions compute by ``scaled_dot_product_attention``, where their library has a switch for it.

    transformers: ``config._attn_implementation``; timm: ``fused_attn``. The function is the same, up to rounding.
    """
    for module in model.modules():
        if getattr(module, "fused_attn", None) is False:
            module.fused_attn = True  # type: ignore[assignment]
        config: Any = getattr(module, "config", None)
        if getattr(config, "_attn_implementation", None) == "eager" and getattr(module, "_supports_sdpa", True):
            config._attn_implementation = "sdpa"


class QuantMatmul(nn.Module):
    """Multiply two activations, each passed through its quantizer: x·y, or x·yᵀ. A side without a quantizer stays float."""

    def __init__(self, left: Quantizer | None, right: Quantizer | None) -> None:
        super().__init__()
        self.left, self.right = left, right

    def forward(self, x: Tensor, y: Tensor, transposed: bool = False) -> Tensor:
        """…×n×k and …×k×m, or …×m×k where ``transposed`` → …×n×m."""
        x_hat = x if self.left is None else self.left(x)
        y_hat = y if self.right is None else self.right(y)
        return x_hat @ (y_hat.transpose(-2, -1) if transposed else y_hat)


class Operands(nn.Module):
    """Passes on what an attention is about to multiply: queries, keys, values and which keys count. Hooks may watch it."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Return the arguments."""
        return q, k, v, keep


class QuantAttention(nn.Module):
    """Run an attention module with the products of its ``scaled_dot_product_attention`` on quantized operands.

    Forward: M = map_hat(softmax(s·q_hat·k_hatᵀ + mask)), y = M·v_hat, dropout on M. A map's quantizer that is ``of_scores``
    takes s·q_hat·k_hatᵀ + mask itself, and no softmax is taken; masked positions are 0 behind it.
    Shapes: q …×n×d, k …×m×d, v …×m×e → …×n×e. All else about the module stays, as its own ``forward`` runs; attributes are its.
    Raises ModelError for grouped queries.

    Args:
        layer: a module in whose ``forward`` the attention is computed once.
        scores: the product of queries and keys.
        context: the product of map and values.
        name: its name in the network.
    """

    def __init__(self, layer: nn.Module, scores: QuantMatmul, context: QuantMatmul, name: str) -> None:
        super().__init__()
        self.layer, self.scores, self.context, self.name = layer, scores, context, name
        self.operands = Operands()
        self.observing = False
        self.heard: Callable[..., None] | None = None  # told of float operands and products while observing

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name in ("layer", "_modules"):  # while unpickling there is no layer to ask
                raise
            return getattr(self.layer, name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the module's output."""
        with Instead({F.scaled_dot_product_attention: self.attend, with_map: self.attend_with_map}):
            return self.layer(*args, **kwargs)

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Stand in the place of ``torch.nn.functional.scaled_dot_product_attention``."""
        if enable_gqa:
            raise ModelError(f"{self.name!r} groups its queries, which low-bit products cannot do. Keep it: keep={self.name!r}.")
        return self.attend_with_map(query, key, value, causal(query, key) if is_causal else attn_mask, dropout_p, scale)[0]

    def attend_with_map(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        scale: float | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Stand in the place of ``with_map``: return the product and the map that it was made of."""
        keep, bias = _read(attn_mask)
        query, key, value, keep = self.operands(query, key, value, keep)
        scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
        if self.observing:
            return self._observe(query, key, value, keep, bias, scale)
        logits = self.scores(query, key, transposed=True) * scale
        logits = logits if bias is None else logits + bias
        quantizer = self.context.left
        if quantizer is not None and quantizer.of_scores:
            m = quantizer(logits) if keep is None else quantizer(logits) * keep
        else:
            m = softmax(logits, keep)
            m = m if quantizer is None else quantizer(m)
        m = F.dropout(m, dropout_p) if dropout_p else m
        right = self.context.right
        return m @ (value if right is None else right(value)), m

    def _observe(
        self, q: Tensor, k: Tensor, v: Tensor, keep: Tensor | None, bias: Tensor | None, scale: float
    ) -> tuple[Tensor, Tensor]:
        scores = q @ k.transpose(-2, -1)
        logits = scores * scale if bias is None else scores * scale + bias
        m = softmax(logits, keep)
        quantizer = self.context.left
        seen = logits if quantizer is not None and quantizer.of_scores else m
        for (word, held), x in zip(self.quantizers().items(), (q, k, seen, v), strict=True):
            if held is not None:
                self._about(word, held.observe, x)
        y = m @ v
        if self.heard is not None:
            self.heard(q, k, m, v, scores, y)
        return y, m

    def quantizers(self) -> dict[str, Quantizer | None]:
        """Operand → its quantizer, in the order in which they are met."""
        held = (self.scores.left, self.scores.right, self.context.left, self.context.right)
        return dict(zip(OPERANDS, held, strict=True))

    def freeze_input(self) -> None:
        """Fix the ranges after the batches."""
        for word, quantizer in self.quantizers().items():
            if quantizer is not None:
                self._about(word, quantizer.freeze)

    def _about(self, what: str, action: Callable[..., None], *args: Any) -> None:
        try:
            action(*args)
        except BitproofError as error:
            raise type(error)(f"Attention {self.name!r}, {what}: {error}") from None

    def extra_repr(self) -> str:
        """Return the dotted name for ``print(model)``."""
        return self.name


def float_names(model: nn.Module) -> dict[str, nn.Module]:
    """Return the modules by the names that they have in the float network: what was put around some of them does not count."""
    wrapped = {name for name, module in model.named_modules() if isinstance(module, QuantAttention)}
    found = {}
    for name, module in model.named_modules():
        parts = name.split(".")
        kept = [part for i, part in enumerate(parts) if not (part == "layer" and ".".join(parts[:i]) in wrapped)]
        if not (parts[-1] == "layer" and ".".join(parts[:-1]) in wrapped):
            found[".".join(kept)] = module
    return found


class Instead(TorchFunctionMode):
    """While it is entered, other functions are called in the place of torch's: those of ``others``."""

    def __init__(self, others: Mapping[Callable[..., Any], Callable[..., Any]]) -> None:
        super().__init__()
        self.others = others

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return self.others.get(func, func)(*args, **(kwargs or {}))


def softmax(logits: Tensor, keep: Tensor | None) -> Tensor:
    """Return the softmax over the last axis of what is kept; the rest is 0 where anything is kept."""
    return (logits if keep is None else logits.masked_fill(~keep, torch.finfo(logits.dtype).min)).softmax(-1)


def causal(query: Tensor, key: Tensor) -> Tensor:
    """Return n×m, true where a key comes no later than the query."""
    return torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).tril()


def _read(mask: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """Return which positions count, and what is added to the scores of those: a position bias is a mask too."""
    if mask is None or mask.dtype == torch.bool:
        return mask, None
    keep = mask > _MASKED
    bias = mask.masked_fill(~keep, 0)
    return keep, bias
