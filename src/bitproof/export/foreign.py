"""Binary networks that were trained elsewhere: their weights, ±α or bits, put into the same architecture in torch."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bitproof.convert import QuantLayer, Recipe
from bitproof.core import ModelError, SpecError

#: Order of a weight's axes: of convolutions, and of linear layers.
LAYOUTS = {"oihw": ((0, 1, 2, 3), (0, 1)), "hwio": ((3, 2, 0, 1), (1, 0))}

#: A sign of the input, and of the weight with a scale of its own an output.
_RECIPE = "xnorpp:w1a1,per=channel,spatial=false"


def adopt(
    model: nn.Module,
    state: Mapping[str, Any],
    *,
    layout: str = "oihw",
    pad: int = 0,
    ones: int = -1,
    order: str = "big",
    names: Mapping[str, str] | None = None,
) -> nn.Module:
    """Return a copy of ``model`` with the weights of ``state``, its layers of ±α binarized: a simulation that ``deploy`` can pack.

    A Conv2d or linear layer whose weight is +α or −α throughout each output takes the sign of its input, sign(0) = +1; the others
    stay float. ``model`` need not have the signs, only the order of layers; one that has them gives the same.
    A weight may be bits instead: uint8, eight to a byte in its layout's order, with ``LAYER.alpha`` (1 value or one an output; 1 if
    it is not there) beside it. Keras counts the positions of a flattened picture before its channels: with ``hwio`` put
    ``x.permute(0, 2, 3, 1)`` before such a flatten.

    Args:
        model: the architecture, N×… → N×classes.
        state: names → tensors or arrays, named as in ``model.state_dict()`` or as ``names`` says.
        layout: ``oihw`` of torch (linear o×i) or ``hwio`` of Keras and larq (linear i×o).
        pad: what a binarized convolution's padding holds, after the sign: 0, 1 or −1.
        ones: the sign that a bit of 1 stands for, −1 or 1.
        order: of the bits in a byte: ``big``, the first in the highest, as ``numpy.packbits`` has it, or ``little``.
        names: a name in ``state`` → the name in ``model``; names that are not in it stay.

    Raises:
        SpecError: for another ``layout``, ``pad``, ``ones`` or ``order``.
        ModelError: where names or sizes do not match, or no layer has weights of ±α.
    """
    allowed = {
        "layout": (layout, tuple(LAYOUTS)),
        "pad": (pad, (0, 1, -1)),
        "ones": (ones, (-1, 1)),
        "order": (order, ("big", "little")),
    }
    for what, (value, values) in allowed.items():
        if value not in values:
            raise SpecError(f"{what}={value!r} is unknown: {', '.join(map(str, values))}.")
    result = copy.deepcopy(model).cpu().eval()
    given = {(names or {}).get(name, name): torch.as_tensor(value) for name, value in state.items()}
    layers = {name: module for name, module in result.named_modules() if isinstance(module, (nn.Conv2d, nn.Linear))}
    for name, layer in layers.items():
        if f"{name}.weight" in given:
            alpha = given.pop(f"{name}.alpha", None)
            given[f"{name}.weight"] = _weight(name, layer, given[f"{name}.weight"], alpha, LAYOUTS[layout], (ones, order))
    _fill(result, given)
    binary = {name: layer for name, layer in layers.items() if _is_signs(layer.weight)}
    if not binary:
        raise ModelError(f"No layer has weights of ±α, one α an output; looked at {', '.join(layers) or 'none'}.")
    for name, layer in binary.items():
        result = _put(result, name, _binarized(name, layer, pad))
    return result


def _weight(
    name: str, layer: nn.Module, w: Tensor, alpha: Tensor | None, axes: tuple[tuple[int, ...], ...], bits: tuple[int, str]
) -> Tensor:
    """Return a weight in torch's layout, from numbers or bits in another."""
    wanted = layer.get_parameter("weight").shape
    order = axes[0] if len(wanted) == 4 else axes[1]
    stored = [wanted[order.index(axis)] for axis in range(len(order))]
    if w.dtype == torch.uint8:
        if w.numel() != -(-wanted.numel() // 8):
            raise ModelError(f"{name}.weight has {w.numel()} bytes of bits; {tuple(wanted)} needs {-(-wanted.numel() // 8)}.")
        ones, way = bits
        found = np.unpackbits(w.numpy().reshape(-1), count=wanted.numel(), bitorder="big" if way == "big" else "little")
        w = torch.from_numpy(np.where(found == 1, ones, -ones).astype(np.float32)).reshape(stored)
    elif list(w.shape) != stored:
        raise ModelError(f"{name}.weight is {tuple(w.shape)}; {tuple(stored)} is needed. Is the layout another?")
    w = w.float().permute(order)
    return w if alpha is None else w * alpha.float().reshape(-1, *[1] * (w.ndim - 1))


def _fill(model: nn.Module, given: Mapping[str, Tensor]) -> None:
    counters = {name: value for name, value in model.state_dict().items() if name.endswith("num_batches_tracked")}
    try:
        model.load_state_dict({**counters, **given})
    except RuntimeError as error:
        raise ModelError(f"The state does not fit {type(model).__name__}: {' '.join(str(error).split())}") from None


def _is_signs(w: Tensor) -> bool:
    """Whether each output has one |w| that is not 0, and more than one weight."""
    rows = w.detach().abs().flatten(1)
    return rows.shape[1] > 1 and bool((rows > 0).all()) and bool((rows == rows[:, :1]).all())


@torch.no_grad()
def _binarized(name: str, layer: Any, pad: int) -> nn.Module:
    recipe, w = Recipe.parse(_RECIPE), layer.weight
    weight = recipe.quantizer("weight", 1, len(w), -w.ndim)
    inputs = recipe.input_quantizer(1, w.shape[1] * getattr(layer, "groups", 1), 1 - w.ndim)
    for quantizer, values in ((weight, w), (inputs, torch.tensor([-1.0, 1.0]))):
        quantizer.observe(values)
        quantizer.freeze()
    weight.get_parameter("scale").copy_(w.abs().flatten(1)[:, :1].reshape(len(w), *[1] * (w.ndim - 1)))  # exactly, not as a mean
    if not pad or w.ndim == 2 or not any(layer._reversed_padding_repeated_twice):
        return QuantLayer(layer, weight, inputs, name).eval()
    border = nn.ConstantPad2d(tuple(layer._reversed_padding_repeated_twice), float(pad))
    layer.padding, layer._reversed_padding_repeated_twice = (0, 0), [0, 0, 0, 0]
    return nn.Sequential(border, QuantLayer(layer, weight, inputs, name)).eval()


def _put(model: nn.Module, name: str, layer: nn.Module) -> nn.Module:
    if not name:
        return layer
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, layer)
    return model
