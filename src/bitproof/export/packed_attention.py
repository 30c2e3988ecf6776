"""An attention whose operands are signs and whose map is a threshold, on packed words."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from bitproof.convert import QuantAttention
from bitproof.core import ModelError

#: The name of its step.
ATTENTION = "bitproof.sign_attention.default"


@torch.library.custom_op("bitproof::sign_attention", mutates_args=(), device_types="cpu")
def sign_attention(q: Tensor, k: Tensor, v: Tensor, keep: Tensor | None, least: int, scale: float) -> Tensor:
    """Attend by signs: y = scale·M·sign(v), M = 1 where sign(q)·sign(k)ᵀ ≥ least and ``keep``, else 0; sign(0) = +1.

    float32 N×H×T×D, N×H×S×D, N×H×S×D, bool that broadcasts to N×H×T×S → float32 N×H×T×D. Sums are exact. This is the reference; a
    plan of a program runs it on packed words.
    """
    a, b, c = (torch.where(x < 0, -1.0, 1.0) for x in (q, k, v))
    m = a @ b.transpose(-2, -1) >= least
    return ((m if keep is None else m & keep).to(torch.float32) @ c) * scale


@sign_attention.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, keep: Tensor | None, least: int, scale: float) -> Tensor:
    return q.new_empty(q.shape)


def packed_attention_(layer: QuantAttention) -> str:
    """Let ``layer`` attend on packed words, in place; return why not, "" where it does."""
    try:
        PackedAttention(layer)
    except ModelError as error:
        return str(error)
    return ""


class PackedAttention:
    """Stands in the place of a ``QuantAttention``'s ``attend``. Raises ModelError where its products are none of signs."""

    def __init__(self, layer: QuantAttention) -> None:
        held: Any = layer.quantizers()
        for word in ("query", "key", "value"):
            _check_signs(word, held[word])
        if held["map"] is None or not held["map"].of_scores:
            raise ModelError("its map is a softmax")
        info = held["map"].info()
        if (info.low, info.high, info.levels) != (0, 1, 2) or info.threshold is None or info.threshold.numel() > 1:
            raise ModelError("its map has other codes than 0 and 1, or several thresholds")
        self.threshold, self.simulated = np.float32(float(info.threshold)), layer.attend
        self.scale = [float(held[word].info().scale) for word in ("query", "key", "value", "map")]
        layer.attend = self  # type: ignore[method-assign]

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Tensor:
        """Return what the layer's ``attend`` does."""
        given, scale = {**kwargs}, kwargs.get("scale")
        plain = not args and not given.get("dropout_p") and not given.get("is_causal") and not given.get("enable_gqa")
        if not plain or query.ndim != 4 or (attn_mask is not None and attn_mask.dtype != torch.bool):
            return self.simulated(query, key, value, attn_mask, *args, **kwargs)
        d = query.shape[-1]
        least = self._least(d, d**-0.5 if scale is None else scale)
        y: Tensor = sign_attention(query, key, value, attn_mask, least, self.scale[2] * self.scale[3])
        return y

    def _least(self, d: int, scale: float) -> int:
        """Return the first sum of ``d`` products of signs that the map counts, asked at every sum as float32 computes it."""
        sums = np.arange(-d, d + 1, dtype=np.float32)
        counted = sums * np.float32(self.scale[0] * self.scale[1]) * np.float32(scale) >= self.threshold
        return d + 1 - int(counted.sum())


def _check_signs(word: str, quantizer: Any) -> None:
    info = None if quantizer is None else quantizer.info()
    if info is None or info.planes or (info.low, info.high, info.levels) != (-1, 1, 2) or info.scale.numel() > 1:
        raise ModelError(f"its {word} is no sign")
    if info.threshold is None or bool(torch.as_tensor(info.threshold).any()):
        raise ModelError(f"the sign of its {word} changes elsewhere than at 0")
