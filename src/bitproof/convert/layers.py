"""The one quantized layer: any conv, transposed conv or linear, its input and weight passed through quantizers."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
import torch.nn.functional as F
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


def input_channels(layer: nn.Module) -> int:
    """Return how many channels a layer takes."""
    return cast(int, layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels)


def replace_(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put ``new`` wherever ``old`` stands in the model."""
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):  # named_children would pass over a second name
            if child is old:
                setattr(parent, name, new)


def hardtanh_for_relu_(model: nn.Module) -> tuple[str, ...]:
    """Put nn.Hardtanh wherever nn.ReLU or nn.ReLU6 stands, and return where: a sign needs inputs of both signs.

    The function relu of torch's own transformer layers counts as one.
    """
    for module in model.modules():
        if isinstance(module, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)) and module.activation is F.relu:
            module.activation = nn.ReLU()
    found = {module: name for name, module in model.named_modules() if isinstance(module, (nn.ReLU, nn.ReLU6))}
    for relu in found:
        replace_(model, relu, nn.Hardtanh(inplace=relu.inplace))
    return tuple(found.values())


#: GELU is −1.5e-5 here: next to nothing, and far from where float32 takes it for 0.
_TAIL = -4.5


class SignKept(nn.Module):
    """f(max(x, −4.5)), of an activation f whose values far below 0 are rounded to 0.

    GELU is negative wherever x is, but float32 makes it −0 from about −5.5 on, and the sign of that is +1; from where on exactly
    depends on the library. Shapes: as those of ``f``.
    """

    def __init__(self, f: nn.Module) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: Tensor) -> Tensor:
        """Return f of ``x``, without its tail."""
        y: Tensor = self.f(x.clamp(min=_TAIL))
        return y


def keep_signs_(model: nn.Module) -> tuple[str, ...]:
    """Put ``SignKept`` around every activation, as a module of its own, that rounds negative values to 0, and return where."""
    found = {module: name for name, module in model.named_modules() if _loses_signs(module)}
    for activation in found:
        replace_(model, activation, SignKept(activation))
    return tuple(found.values())


def _loses_signs(module: nn.Module) -> bool:
    if module._modules or module._parameters or module._buffers:
        return False
    try:
        far, near = module(torch.tensor([2 * _TAIL, _TAIL]))
        return bool(far == 0) and bool(near < 0)
    except Exception:  # it takes something else than one tensor of any shape
        return False


def _called(module: nn.Module, inputs: tuple[Any, ...]) -> None:
    pass


class QuantLayer(nn.Module):
    """Run a layer on its quantized input with its quantized weight; all else about it stays.

    Forward: layer(x_hat; w_hat, bias). The layer's own ``forward`` runs, so its groups, dilation, padding mode and any
    padding that a subclass adds are kept; padding comes after the input's quantizer, and 0 is a code, so it stays exact.
    With no gradient wanted in evaluation w_hat is computed once, and again only when a number behind it changes.
    A side without a quantizer stays float, and the weight does as long as ``float_weight`` is set. Where a quantizer has a
    ``gain``, that is put between the product and the bias.
    Other attributes (``in_channels``, ``bias``, …) are the layer's; ``weight`` is w_hat. Shapes: as the layer's.
    """

    def __init__(self, layer: nn.Module, weight_quantizer: Quantizer | None, input_quantizer: Quantizer | None, name: str) -> None:
        super().__init__()
        self.layer = layer
        self.weight_quantizer = weight_quantizer
        self.input_quantizer = input_quantizer
        gains = [gain for q in (weight_quantizer, input_quantizer) if q is not None and (gain := q.gain()) is not None]
        self.gain: Any = gains[0] if gains else None
        self.name = name
        self.observing = self.float_weight = False
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
            y = self.layer(x, *args, **kwargs)
            if self.gain is not None and x.numel():
                self.gain.observe(y, self._axes)
            return y
        x_hat = x if self.input_quantizer is None else self.input_quantizer(x)
        if self.gain is None and self.weight_quantizer is None:
            return self.layer(x_hat, *args, **kwargs)
        if self.gain is None:
            return functional_call(self.layer, {"weight": self.weight}, (x_hat, *args), kwargs)
        y = self.gain(x, self._product(x_hat, self.weight, *args, **kwargs), self._mean)
        bias = self.layer._parameters.get("bias")
        return y if bias is None else y + bias.reshape(-1, *[1] * self._axes)

    @property
    def _axes(self) -> int:
        """How many axes are spatial: 0 for a linear layer."""
        return weight_of(self.layer).ndim - 2

    def _product(self, x: Tensor, w: Tensor, *args: Any, **kwargs: Any) -> Any:
        """The layer on ``x`` with the weight ``w``, which may have fewer outputs, and no bias."""
        given = {"weight": w}
        if self.layer._parameters.get("bias") is not None:
            given["bias"] = w.new_zeros(w.shape[output_axis(self.layer)] * (self._groups if self._transposed else 1))
        return functional_call(self.layer, given, (x, *args), kwargs)

    @property
    def _groups(self) -> int:
        return getattr(self.layer, "groups", 1)

    @property
    def _transposed(self) -> bool:
        return isinstance(self.layer, _TRANSPOSED)

    def _mean(self, x: Tensor) -> Tensor:
        """Average ``x`` over what each output looks at: one map for all outputs, or with groups one an output."""
        w = weight_of(self.layer)
        shape = (w.shape[0], 1, *w.shape[2:]) if self._transposed else (self._groups, *w.shape[1:])
        inputs = shape[0] // self._groups if self._transposed else shape[1]
        box = torch.full(shape, 1 / (inputs * math.prod(shape[2:])), dtype=w.dtype, device=w.device)
        mean: Tensor = self._product(x, box)
        if self._groups == 1:
            return mean
        outputs = w.shape[1] if self._transposed else w.shape[0] // self._groups
        return mean.repeat_interleave(outputs, dim=-1 - self._axes)

    def keep_weight_float(self, keep: bool) -> None:
        """Leave the weight as it is for a while, or no longer."""
        self.float_weight = keep

    @property
    def weight(self) -> Tensor:
        """The quantized weight."""
        w, quantizer = weight_of(self.layer), self.weight_quantizer
        if quantizer is None or self.float_weight:
            return w
        if torch.is_grad_enabled() and any(p.requires_grad for p in (w, *quantizer.parameters())):
            return self._quantized(quantizer)
        if self._cache is None or self._cache[0] != self._key(quantizer):
            with torch.inference_mode(False), torch.no_grad():
                w_hat = self._quantized(quantizer)
            self._cache = self._key(quantizer), w_hat  # read afterwards: a quantizer may note the scale that it took
        return self._cache[1]

    def _key(self, quantizer: Quantizer) -> object:
        """All that the quantized weight depends on."""
        tensors = (weight_of(self.layer), *quantizer.parameters(), *quantizer.buffers())
        return quantizer.training, [(t.data_ptr(), t.dtype, t._version) for t in tensors]

    def _quantized(self, quantizer: Quantizer) -> Tensor:
        w_hat: Tensor = quantizer(weight_of(self.layer))
        return w_hat

    def settle_weight(self) -> None:
        """Put the quantized weight in the place of the float one, for a network that is only asked from now on."""
        with torch.no_grad():
            self.layer.weight = nn.Parameter(self.weight.clone(), requires_grad=False)
        self.weight_quantizer = self._cache = None

    def observe_weight(self) -> None:
        """Calibrate the weight's quantizer, anew."""
        if self.weight_quantizer is not None:
            self._about("weight", self.weight_quantizer.observe, weight_of(self.layer))
            self.weight_quantizer.freeze()

    def _observe(self, x: Tensor) -> None:
        if self.input_quantizer is not None and x.numel():  # a head of a detector is given no boxes where nothing was found
            self._about("input", self.input_quantizer.observe, x)

    def freeze_input(self) -> None:
        """Fix the input's range after the batches. Raises BitproofError where none brought a number."""
        if self.input_quantizer is None:
            return
        if not self.input_quantizer.seen:
            raise BitproofError(
                f"Layer {self.name!r} was given nothing by any calibration batch, so its input has no range. "
                "Hand in batches that reach it: to a detector, more pictures, in which it finds something."
            )
        self._about("input", self.input_quantizer.freeze)

    def _about(self, what: str, action: Any, *args: Any) -> None:
        try:
            action(*args)
        except BitproofError as error:
            raise type(error)(f"Layer {self.name!r}, {what}: {error}") from None

    def extra_repr(self) -> str:
        """Return the layer's dotted name for ``print(model)``."""
        return self.name
