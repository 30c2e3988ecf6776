"""The one quantized layer: any conv, transposed conv or linear, its input and weight passed through quantizers."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from bitproof.core import BitproofError
from bitproof.quantizers import Quantizer

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)

#: The layers that get low bits, and every subclass of them.
WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED, nn.Linear)


def weight_of(layer: nn.Module) -> nn.Parameter:
    """Return the layer's own weight."""
    return cast(nn.Parameter, layer._parameters["weight"])


def output_axis(layer: nn.Module) -> int:
    """Return the axis of a weight's output channels, counted from the end: I×O×… if transposed, else O×I×…."""
    return (1 if isinstance(layer, _TRANSPOSED) else 0) - weight_of(layer).ndim


def replace_(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put ``new`` wherever ``old`` stands in the model."""
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):  # named_children would pass over a second name
            if child is old:
                setattr(parent, name, new)


def _called(module: nn.Module, inputs: tuple[Any, ...]) -> None:
    pass


class QuantLayer(nn.Module):
    """Run a layer on its quantized input with its quantized weight; all else about it stays.

    Forward: layer(x_hat; w_hat, bias). The layer's own ``forward`` runs, so its groups, dilation, padding mode and any
    padding that a subclass adds are kept; padding comes after the input's quantizer, and 0 is a code, so it stays exact.
    With no gradient wanted in evaluation w_hat is computed once, and again only when a number behind it changes.
    Other attributes (``in_channels``, ``bias``, …) are the layer's; ``weight`` is w_hat. Shapes: as the layer's.
    """

    def __init__(self, layer: nn.Module, weight_quantizer: Quantizer, input_quantizer: Quantizer, name: str) -> None:
        super().__init__()
        self.layer = layer
        self.weight_quantizer = weight_quantizer
        self.input_quantizer = input_quantizer
        self.name = name
        self.observing = False
        self._cache: tuple[object, Tensor] | None = None
        # nn.TransformerEncoderLayer reads its layers' weights instead of calling them, unless a hook is attached
        self.register_forward_pre_hook(_called)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name in ("layer", "_modules"):  # while unpickling there is no layer to ask
                raise
            return getattr(self.layer, name)

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Return the layer's output, or while observing the float layer's."""
        if self.observing:
            self._observe(x)
            return self.layer(x, *args, **kwargs)
        return functional_call(self.layer, {"weight": self.weight}, (self.input_quantizer(x), *args), kwargs)

    @property
    def weight(self) -> Tensor:
        """The quantized weight."""
        w = weight_of(self.layer)
        learned = [w, *self.weight_quantizer.parameters()]
        if torch.is_grad_enabled() and any(p.requires_grad for p in learned):
            return self._quantized()
        key = [(t.data_ptr(), t.dtype, t._version) for t in (*learned, *self.weight_quantizer.buffers())]
        if self._cache is None or self._cache[0] != key:
            with torch.inference_mode(False), torch.no_grad():
                self._cache = key, self._quantized()
        return self._cache[1]

    def _quantized(self) -> Tensor:
        w_hat: Tensor = self.weight_quantizer(weight_of(self.layer))
        return w_hat

    def observe_weight(self) -> None:
        """Calibrate the weight's quantizer, anew."""
        self._about("weight", self.weight_quantizer.observe, weight_of(self.layer))
        self.weight_quantizer.freeze()

    def _observe(self, x: Tensor) -> None:
        self._about("input", self.input_quantizer.observe, x)

    def freeze_input(self) -> None:
        """Fix the input's range after the batches."""
        self._about("input", self.input_quantizer.freeze)

    def _about(self, what: str, action: Any, *args: Any) -> None:
        try:
            action(*args)
        except BitproofError as error:
            raise type(error)(f"Layer {self.name!r}, {what}: {error}") from None

    def extra_repr(self) -> str:
        """Return the layer's dotted name for ``print(model)``."""
        return self.name
