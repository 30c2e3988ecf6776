"""Networks that another library made low-bit: which one, what they are made of, and whether a gradient comes through them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib.metadata import version
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

#: Packages whose modules and tensors hold low-bit numbers of their own.
LIBRARIES = ("torchao", "brevitas")


def maker(net: nn.Module) -> str | None:
    """Return who made ``net`` what it is, ``torchao 0.18.0``, by the types of its modules and tensors; None for plain torch."""
    for module in net.modules():
        told: str | None = getattr(module, "made_by", None)
        if told is not None:
            return told
    for thing in chain(net.modules(), net.parameters(), net.buffers()):
        package = type(thing).__module__.partition(".")[0]
        if package in LIBRARIES:
            return f"{package} {version(package)}"
    return None


def plain(name: str, value: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors that one of another type is made of, by name: integers, scales; of a usual tensor itself."""
    if not hasattr(value, "__tensor_flatten__"):
        yield name, value
        return
    for inner in value.__tensor_flatten__()[0]:
        yield from plain(f"{name}.{inner}", getattr(value, inner))


def settings(value: Any) -> str:
    """Return what a tensor of another type says beside its numbers, "" of a usual one."""
    flatten = getattr(value, "__tensor_flatten__", None)
    return f" {type(value).__name__} {flatten()[1]}" if flatten else ""


def stored_bytes(net: nn.Module) -> int:
    """Return the bytes of all tensors of the state dict as they are held: of integers those of integers."""
    held = chain.from_iterable(plain(name, value) for name, value in net.state_dict().items())
    return sum(value.numel() * value.element_size() for _, value in held)


def carries_gradient(net: nn.Module, x: Tensor) -> bool:
    """Whether logits change with ``x`` as autograd sees it: kernels without a backward, and rounding without a rule, do not."""
    x = x.detach().clone().requires_grad_()
    try:
        with warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("ignore")  # that an operation has no backward, which is what is asked
            logits = net(x)
            weighed = (logits * torch.arange(1.0, logits.shape[1] + 1)).sum()  # the plain sum of probabilities never changes
            (gradient,) = torch.autograd.grad(weighed, x, allow_unused=True)
    except RuntimeError:
        return False
    return gradient is not None and bool(gradient.any())
