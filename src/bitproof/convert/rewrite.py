"""A network as another runtime would run it: changed copies, for the noises at the site ``model``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bitproof.core import ModelError

#: What sums products.
_SUMS: set[Callable[..., Any]] = {
    *(torch.conv1d, torch.conv2d, torch.conv3d, torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d),
    *(F.linear, torch.matmul, torch.bmm, torch.Tensor.matmul, torch.Tensor.bmm, torch.Tensor.__matmul__),
    F.scaled_dot_product_attention,
}


class Rewriter:
    """Changes copies of one network: the protocol ``bitproof.core.Rewrite``.

    Args:
        network: float N×3×S×S in [0, 1] → logits N×classes, in evaluation mode.
        finished: whether its inside is out of reach, as that of a session of another engine is.
    """

    def __init__(self, network: nn.Module, finished: bool = False) -> None:
        self.network, self.finished = network, finished

    def copy(self) -> nn.Module:
        """Return a copy that shares nothing with the network. Raises ModelError for a finished one."""
        if self.finished:
            raise ModelError(
                "A finished session cannot be changed inside. Give the network as a torch module, such as python:FILE.py#build."
            )
        return copy.deepcopy(self.network)

    def cast(self, dtype: str) -> nn.Module:
        """Return the network in ``dtype``, float16 or bfloat16; see ``Rounded``."""
        return Rounded(self.copy(), getattr(torch, dtype))


class Rounded(nn.Module):
    """A network whose weights, input and every operation's output are rounded to ``dtype``: N×3×S×S float32 → N×classes float32.

    Convolutions, linear layers and matrix products sum in float32 and round once. That is what accelerators do, it gives the same
    numbers on processors with and without arithmetic in ``dtype``, and on those without it is ten times as fast as torch's own.
    """

    def __init__(self, net: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.net = net.to(dtype)
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        """Run the network in its format."""
        with _SumInFloat32(self.dtype):
            logits: Tensor = self.net(x.to(self.dtype))
        return logits.float()


class _SumInFloat32(TorchFunctionMode):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in _SUMS:
            return func(*args, **kwargs)
        result: Tensor = func(*map(_wide, args), **{key: _wide(value) for key, value in kwargs.items()})
        return result.to(self.dtype)


def _wide(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
