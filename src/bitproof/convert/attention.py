"""``nn.MultiheadAttention`` opened: its packed projections become four layers, which get low bits as any other layer does."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function

from bitproof.convert.layers import replace_
from bitproof.core import ModelError, ShapeError

#: Raised when the numbers of an opened attention change: ids of low-bit networks that hold one contain it.
VERSION = 1

#: The projections of an opened attention, in the order in which they run.
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")

_PACKED = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias")


def with_map(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Return M·v and M = dropout(softmax(q·kᵀ/√d + mask)): ``scaled_dot_product_attention`` where the map is wanted too.

    Shapes: q …×n×d, k …×m×d, v …×m×e → …×n×e and …×n×m. A torch function mode may stand in its place, as in torch's own.
    """
    if has_torch_function((query, key, value)):
        found: tuple[Tensor, Tensor] = handle_torch_function(
            with_map, (query, key, value), query, key, value, attn_mask=attn_mask, dropout_p=dropout_p
        )
        return found
    logits = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    m = (logits if attn_mask is None else logits + attn_mask).softmax(-1)
    m = F.dropout(m, dropout_p) if dropout_p else m
    return m @ value, m


class OpenAttention(nn.Module):
    """An ``nn.MultiheadAttention`` whose projections are layers that are called: same arguments, same answers up to rounding.

    Forward, by heads: q, k, v = q_proj(query), k_proj(key), v_proj(value); M = softmax(q·kᵀ/√d + masks); y = out_proj(M·v).
    Shapes: query N×L×E, key N×S×kdim, value N×S×vdim → N×L×E and, where weights are wanted, N×L×S or N×heads×L×S; without
    ``batch_first`` L×N×E, S×N×…; without N where there is no batch. Masks as torch's: padding N×S, attention L×S or N·heads×L×S,
    bool (true: left out) or float (added).
    Raises ShapeError for a mask of another shape, ModelError for ``is_causal`` without one.
    Differs from torch's: ``is_causal`` without a mask is refused in evaluation too, where torch's fast path passes over it; there
    is no fast path, so nested tensors are not taken.

    Args:
        packed: the module whose weights it takes; other parameters are its own, not copies.
    """

    q_proj: nn.Linear
    k_proj: nn.Linear
    v_proj: nn.Linear
    out_proj: nn.Linear
    bias_k: nn.Parameter | None
    bias_v: nn.Parameter | None

    #: nn.TransformerEncoderLayer takes its short cut past all layers only where this is true.
    _qkv_same_embed_dim = False

    def __init__(self, packed: nn.MultiheadAttention) -> None:
        super().__init__()
        self.embed_dim, self.num_heads, self.head_dim = packed.embed_dim, packed.num_heads, packed.head_dim
        self.kdim, self.vdim, self.batch_first = packed.kdim, packed.vdim, packed.batch_first
        self.dropout, self.add_zero_attn = packed.dropout, packed.add_zero_attn
        for name, (w, bias) in zip(PROJECTIONS, _unpacked(packed), strict=True):
            setattr(self, name, _linear(w, bias))
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, packed._parameters.get(name))
        self.train(packed.training)

    @property
    def in_proj_weight(self) -> Tensor:
        """The first three weights, packed, for a module that reads them; where it does, no projection runs and all stay float."""
        return torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight])

    @property
    def in_proj_bias(self) -> Tensor | None:
        """The first three biases, packed."""
        biases: list[Tensor] = [self.q_proj.bias, self.k_proj.bias, self.v_proj.bias]
        return None if biases[0] is None else torch.cat(biases)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return y, and M where ``need_weights``, averaged over heads where ``average_attn_weights``."""
        if is_causal and attn_mask is None:
            raise ModelError("An attention was called with is_causal=True and no attn_mask. Hand in the causal mask too.")
        batched, (query, key, value) = query.ndim == 3, map(self._batch_first, (query, key, value))
        n, length, keys = query.shape[0], query.shape[1], key.shape[1]  # len would make it a constant of an exported program
        causal = is_causal and key_padding_mask is None and not need_weights  # then torch takes the hint for the mask
        q = self._heads(self.q_proj(query), None)
        k, v = self._keys(self.k_proj(key), self.bias_k), self._keys(self.v_proj(value), self.bias_v)
        mask = None if causal else self._mask(attn_mask, key_padding_mask, (n, length, keys), q.dtype)
        mask = mask if mask is None else F.pad(mask, (0, k.shape[-2] - keys))
        dropout, m = self.dropout if self.training else 0.0, None
        if need_weights:
            y, m = with_map(q, k, v, mask, dropout)
            m = m.mean(1) if average_attn_weights else m
        else:
            y = F.scaled_dot_product_attention(q, k, v, mask, dropout, causal)
        y = self.out_proj(y.transpose(1, 2).reshape(n, length, self.embed_dim))
        if not batched:
            return y[0], None if m is None else m[0]
        return y if self.batch_first else y.transpose(0, 1), m

    def _batch_first(self, x: Tensor) -> Tensor:
        if x.ndim == 2:
            return x[None]
        return x if self.batch_first else x.transpose(0, 1)

    def _keys(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """The heads of keys or values, and what is appended to them."""
        x = self._heads(x, bias)
        return F.pad(x, (0, 0, 0, 1)) if self.add_zero_attn else x

    def _heads(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """N×S×E → N×heads×S×d; ``bias``, 1×1×E, is one position more."""
        x = x if bias is None else torch.cat([x, bias.expand(x.shape[0], 1, -1)], 1)
        return x.reshape(x.shape[0], x.shape[1], self.num_heads, self.head_dim).transpose(1, 2)

    def _mask(self, attn_mask: Tensor | None, padding: Tensor | None, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor | None:
        """Both masks as one that is added to N×heads×L×S."""
        n, length, keys = shape
        found = []
        if attn_mask is not None:
            _check("attn_mask", attn_mask, (length, keys), (n * self.num_heads, length, keys))
            around = (1, 1) if attn_mask.ndim == 2 else (n, self.num_heads)
            found.append(_added(attn_mask, dtype).reshape(*around, length, keys))
        if padding is not None:
            _check("key_padding_mask", padding, (n, keys), *[(keys,)] * (n == 1))
            found.append(_added(padding, dtype).reshape(n, 1, 1, keys))
        return found[0] + found[1] if len(found) == 2 else found[0] if found else None


def _check(what: str, mask: Tensor, *allowed: tuple[int, ...]) -> None:
    if tuple(mask.shape) not in allowed:
        shapes = " or ".join("×".join(map(str, shape)) for shape in allowed)
        raise ShapeError(f"An attention's {what} is {'×'.join(map(str, mask.shape))}; {shapes} is needed here.")


def _added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    return mask if mask.is_floating_point() else torch.zeros_like(mask, dtype=dtype).masked_fill(mask, -math.inf)


def _unpacked(packed: nn.MultiheadAttention) -> list[tuple[Tensor, Tensor | None]]:
    """Weight and bias of each projection; parts of packed ones are parameters of their own."""
    one = packed.in_proj_weight
    apart = (packed.q_proj_weight, packed.k_proj_weight, packed.v_proj_weight)
    weights = apart if one is None else _thirds(one)
    biases = (None, None, None) if packed.in_proj_bias is None else _thirds(packed.in_proj_bias)
    return [*zip(weights, biases, strict=True), (packed.out_proj.weight, packed.out_proj.bias)]


def _thirds(whole: nn.Parameter) -> tuple[nn.Parameter, ...]:
    return tuple(nn.Parameter(part.detach().clone(), whole.requires_grad) for part in whole.chunk(3))


def _linear(w: Any, bias: Any) -> nn.Linear:
    layer = nn.Linear(w.shape[1], w.shape[0], bias is not None, device="meta")
    layer.weight = w
    if bias is not None:
        layer.bias = bias
    return layer


def open_(model: nn.Module) -> nn.Module:
    """Put an ``OpenAttention`` wherever an ``nn.MultiheadAttention`` stands, but where ``closed`` says why not; return the model.

    A ``nn.TransformerEncoder`` around one packs padded batches no longer into nested tensors, which none of its layers takes then.
    """
    for packed in _openable(model):
        opened = OpenAttention(packed)
        replace_(model, packed, opened)
        model = opened if packed is model else model
    for encoder in model.modules():
        if isinstance(encoder, nn.TransformerEncoder) and any(isinstance(m, OpenAttention) for m in encoder.modules()):
            encoder.use_nested_tensor = False
    return model


def as_opened(model: nn.Module) -> nn.Module:
    """Return ``model``, or an opened copy where there is something to open: what counts operations sees every product there."""
    return open_(copy.deepcopy(model).eval()) if _openable(model) else model


def versions(model: nn.Module) -> tuple[str, ...]:
    """Return the versions of what is rewritten in this network before a recipe is applied, for its ids; none for most networks."""
    return (f"open attention {VERSION}",) if _openable(model) else ()


def _openable(model: nn.Module) -> list[nn.MultiheadAttention]:
    why = closed(model)
    return [module for module in model.modules() if isinstance(module, nn.MultiheadAttention) and module not in why]


def closed(model: nn.Module) -> dict[nn.Module, str]:
    """Return each ``nn.MultiheadAttention`` that cannot be opened, and why."""
    holders = Counter(id(p) for module in model.modules() for p in module._parameters.values() if p is not None)
    found = [module for module in model.modules() if isinstance(module, nn.MultiheadAttention)]
    return {module: why for module in found if (why := _closed_by(module, holders))}


def _closed_by(module: nn.MultiheadAttention, holders: Mapping[int, int]) -> str:
    if type(module).forward is not nn.MultiheadAttention.forward or "forward" in vars(module):
        return "it has a forward of its own"
    if not module._parameters.keys() >= set(_PACKED) or "weight" not in module.out_proj._parameters:
        return "its weight is computed (a parametrization)"
    apart = ((module, "bias_k"), (module, "bias_v"), (module.out_proj, "bias"))
    if any(getattr(of, name) is not of._parameters.get(name) for of, name in apart):
        return "its bias is computed (a parametrization)"
    if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks:
        return "hooks are attached to it"
    packed = (module._parameters["in_proj_weight"], module._parameters["in_proj_bias"])
    return "its packed weights are shared" if any(p is not None and holders[id(p)] > 1 for p in packed) else ""
