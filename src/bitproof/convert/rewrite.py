"""A network as another runtime would run it: changed copies, for the noises at the site ``model``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bitproof.convert.attention import with_map
from bitproof.convert.depths import thin_, thinnable
from bitproof.core import ModelError, SpecError
from bitproof.models import Normalized
from bitproof.quantizers import Quantizer

#: What sums products.
_SUMS: set[Callable[..., Any]] = {
    *(torch.conv1d, torch.conv2d, torch.conv3d, torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d),
    *(F.linear, torch.matmul, torch.bmm, torch.Tensor.matmul, torch.Tensor.bmm, torch.Tensor.__matmul__),
    *(F.scaled_dot_product_attention, with_map),
}


_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

#: A network that multiplies a picture in [0, 1] by more than this is one that takes 0 to 255.
_BYTES = 64


class Rewriter:
    """Changes copies of one network: the protocol ``bitproof.core.Rewrite``.

    Args:
        network: float N×3×S×S in [0, 1] → logits N×classes, in evaluation mode.
        probe: pictures N×3×S×S on which a change must show.
        finished: whether its inside is out of reach, as that of a session of another engine is.
    """

    def __init__(self, network: nn.Module, probe: Tensor, finished: bool = False) -> None:
        self.network, self.probe, self.finished = network, probe, finished

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

    def normalize(self, mean: Sequence[float], std: Sequence[float]) -> nn.Module:
        """Return the network behind (x − mean) / std; its inside is shared. Raises ModelError where these are its own numbers."""
        own = self._normalized()
        changed = Normalized(mean, std, own.net).to(own.mean.device)
        if bool((own.mean == changed.mean).all() and (own.std == changed.std).all()):
            raise ModelError(f"The network's own mean {_told(own.mean)} and std {_told(own.std)} are these; nothing would change.")
        return changed.eval()

    def scale_input(self, factor: float) -> nn.Module:
        """Return (factor·x − mean) / std and the network, its inside shared. Raises ModelError where it takes 0 to 255 already."""
        own = self._normalized()
        if factor > 1 and float((1 / own.std).max()) > _BYTES:
            raise ModelError(f"The network takes pictures in 0 to 255 (std {_told(own.std)}), so that is no bug. Type 'range-1'.")
        changed = Normalized([0.0], [1.0], own.net)
        changed.mean, changed.std = own.mean / factor, own.std / factor
        return changed.eval()

    def ceil_pools(self) -> nn.Module:
        """Return the network with its pools in ceil mode. Raises ModelError where it has none, or the shapes break."""
        changed = self.copy()
        pools = [m for m in changed.modules() if isinstance(m, _POOLS) and not m.ceil_mode and _strides(m)]
        if not pools:
            raise ModelError("The network has no max or average pooling layer with a stride above 1 in floor mode.")
        for pool in pools:
            pool.ceil_mode = True
        return self._shown(changed, "its pools in ceil mode")

    def upsample(self, mode: str, align_corners: bool) -> nn.Module:
        """Return the network with its upsampling layers in ``mode``. Raises ModelError where none is in another."""
        changed, corners = self.copy(), align_corners if mode == "bilinear" else None
        layers = [m for m in changed.modules() if isinstance(m, nn.Upsample) and m.mode in ("nearest", "bilinear")]
        others = [layer for layer in layers if layer.mode != mode or bool(layer.align_corners) != bool(corners)]
        if not others:
            raise ModelError(f"The network has no upsampling layer that is not in mode {mode!r}, align_corners={align_corners}.")
        for layer in others:
            layer.mode, layer.align_corners = mode, corners
        return self._shown(changed, f"{mode} upsampling")

    @torch.no_grad()
    def reestimate(self, pictures: Sequence[Tensor], weight: float) -> nn.Module:
        """Return the network with its batch norms' statistics moved to those of ``pictures``. Raises ModelError without any."""
        changed = self.copy()
        norms: list[Any] = [m for m in changed.modules() if isinstance(m, _NORMS) and m.running_mean is not None]
        if not norms:
            raise ModelError(
                "The network has no batch norm with running statistics: it was made without, or the recipe folded them into the "
                "convolutions. Add fold=false to the recipe."
            )
        own = [(norm.running_mean.clone(), norm.running_var.clone(), norm.momentum) for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch's word for the mean over all batches
            norm.train()
        for x in pictures:
            changed(x)
        for norm, (mean, var, momentum) in zip(norms, own, strict=True):
            norm.eval()
            norm.momentum = momentum
            norm.running_mean.lerp_(mean, 1 - weight)
            norm.running_var.lerp_(var, 1 - weight)
        return self._shown(changed, "re-estimated batch norms")

    def thin(self, depth: int) -> nn.Module:
        """Return the network at another depth. Raises ModelError where it has one alone, not this one, or folded batch norms."""
        changed = self.copy()
        own = getattr(thinnable(changed), "depth", None)
        try:
            thin_(changed, depth)
        except SpecError as error:
            raise ModelError(str(error)) from None
        if depth == own:
            raise ModelError(f"The network runs at depth {depth} as it is.")
        return changed

    def _normalized(self) -> Normalized:
        if not isinstance(self.network, Normalized):
            raise ModelError("The network does not tell its normalisation apart. Load it by a door of bitproof, or 'wrap' it.")
        return self.network

    @torch.no_grad()
    def _shown(self, changed: nn.Module, what: str) -> nn.Module:
        """Return ``changed`` if it runs and answers otherwise on the probe."""
        side = f"{self.probe.shape[-1]}×{self.probe.shape[-1]} px"
        try:
            logits = changed(self.probe)
        except Exception as error:  # whatever a foreign module raises
            raise ModelError(f"With {what} the network fails on a picture of {side}: {type(error).__name__}: {error}") from error
        if torch.equal(logits, self.network(self.probe)):
            raise ModelError(f"With {what} the network answers as before on a picture of {side}; nothing would change.")
        return changed


def _strides(pool: Any) -> bool:
    strides: tuple[int, ...] = pool.stride if isinstance(pool.stride, tuple) else (pool.stride,)
    return max(strides) > 1


def _told(channels: Tensor) -> str:
    return ", ".join(f"{value:.4g}" for value in channels.flatten().tolist())


class Rounded(nn.Module):
    """A network whose weights, input and every operation's output are rounded to ``dtype``: N×3×S×S float32 → N×classes float32.

    Convolutions, linear layers and matrix products sum in float32 and round once. That is what accelerators do, it gives the same
    numbers on processors with and without arithmetic in ``dtype``, and on those without it is ten times as fast as torch's own.
    A quantizer's scale too small for ``dtype`` becomes its smallest number instead of 0, by which nothing can be divided.
    """

    def __init__(self, net: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        _keep_positive_(net, torch.finfo(dtype).tiny * torch.finfo(dtype).eps)
        self.net = net.to(dtype)
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        """Run the network in its format."""
        with _SumInFloat32(self.dtype):
            logits: Tensor = self.net(x.to(self.dtype) if x.is_floating_point() else x)
        return logits.float()


@torch.no_grad()
def _keep_positive_(net: nn.Module, smallest: float) -> None:
    quantizers = (module for module in net.modules() if isinstance(module, Quantizer))
    for tensor in (t for quantizer in quantizers for t in (*quantizer.parameters(), *quantizer.buffers())):
        tensor[(tensor > 0) & (tensor < smallest)] = smallest


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
        result = func(*map(_wide, args), **{key: _wide(value) for key, value in kwargs.items()})
        return tuple(y.to(self.dtype) for y in result) if isinstance(result, tuple) else result.to(self.dtype)


def _wide(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
