"""Which products of two activations a network computes, and in which of its modules: watched on a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bitproof.convert.attention import with_map

#: What computes an attention as a whole, and whether its products can be met one by one.
_ATTENTIONS = {
    F.scaled_dot_product_attention: True,
    with_map: True,
    F.multi_head_attention_forward: False,
    torch._native_multi_head_attention: False,
}

#: Products to which their first argument, ``input``, is added.
_SUMS = {
    *(torch.addmm, Tensor.addmm, Tensor.addmm_, torch.addbmm, Tensor.addbmm, Tensor.addbmm_),
    *(torch.baddbmm, Tensor.baddbmm, Tensor.baddbmm_),
}

_PRODUCTS = {
    *(torch.matmul, Tensor.matmul, Tensor.__matmul__, Tensor.__rmatmul__, torch.linalg.matmul, torch.linalg.multi_dot),
    *(torch.mm, Tensor.mm, torch.bmm, Tensor.bmm, torch.inner, Tensor.inner, torch.einsum, torch.tensordot),
    *_SUMS,
}


@dataclass(frozen=True)
class Product:
    """Products in one module. ``kind``: attention, which can be made low-bit; closed, of torch's own module; or matmul, bare.

    ``count``: how many operations of that kind ran, an attention being one.
    """

    name: str
    kind: str
    count: int


class ProductWatch(TorchFunctionMode):
    """Notes products while it is entered and ``model`` runs."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = model
        self._stack: list[str] = []
        self._seen: Counter[tuple[str, str]] = Counter()

    def __enter__(self) -> ProductWatch:
        named = list(self._model.named_modules())
        self._hooks = [m.register_forward_pre_hook(self._into(name)) for name, m in named]
        self._hooks += [m.register_forward_hook(self._out) for _, m in named]
        super().__enter__()  # type: ignore[no-untyped-call]  # torch's
        return self

    def __exit__(self, *exc: Any) -> None:
        super().__exit__(*exc)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()

    def _into(self, name: str) -> Callable[..., None]:
        return lambda module, args: self._stack.append(name)

    def _out(self, module: nn.Module, args: Any, output: Any) -> None:
        self._stack.pop()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        where = self._stack[-1] if self._stack else ""
        if func in _ATTENTIONS:
            self._seen[where, "attention" if _ATTENTIONS[func] else "closed"] += 1
        elif func in _PRODUCTS and sum(map(_activation, _factors(func, args, kwargs or {}))) > 1:
            self._seen[where, "matmul"] += 1
        return func(*args, **(kwargs or {}))

    def found(self) -> list[Product]:
        """Return the products in the order in which they came."""
        return [Product(name, kind, count) for (name, kind), count in self._seen.items()]


def _factors(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[Any]:
    """What is multiplied, lists of operands opened."""
    named = {key: value for key, value in kwargs.items() if key != "out" and (func not in _SUMS or key != "input")}
    for value in (*(args[1:] if func in _SUMS else args), *named.values()):
        yield from value if isinstance(value, (list, tuple)) else (value,)


def _activation(value: Any) -> bool:
    """Whether it is a tensor that is neither a weight nor a view of one."""
    return isinstance(value, Tensor) and not isinstance(value, nn.Parameter) and not isinstance(value._base, nn.Parameter)
