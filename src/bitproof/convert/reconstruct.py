"""Layer by layer the low-bit network is brought near the float one: for methods that learn how weights are rounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol, TypeGuard, runtime_checkable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from bitproof.convert.blocks import order, unquantized
from bitproof.convert.flow import run
from bitproof.convert.layers import QuantLayer, weight_of
from bitproof.core import ModelError, seed

_BATCH = 32


class Rounding(Protocol):
    """A weight that is being rounded."""

    def parameters(self) -> Any:
        """What is learned."""

    def weight(self) -> Tensor:
        """The weight now, with a gradient to what is learned."""

    def penalty(self, share: float) -> Tensor:
        """What pushes it to the grid, at ``share`` of the steps."""

    def rounded(self) -> Tensor:
        """The weight on the grid; rounding it changes nothing."""


@runtime_checkable
class Reconstructing(Protocol):
    """A weight's quantizer that asks for reconstruction."""

    reconstructs: bool
    steps: int
    lr: float

    def rounding_of(self, w: Tensor) -> Rounding:
        """Begin with this weight."""


def asks(layer: nn.Module) -> TypeGuard[QuantLayer]:
    """Return whether this is a layer whose weight's quantizer wants ``reconstruct``."""
    quantizer = layer.weight_quantizer if isinstance(layer, QuantLayer) else None
    return quantizer is not None and quantizer.reconstructs


def reconstruct(model: nn.Module, batches: Sequence[Any]) -> None:
    """Round the weights of all layers that ask for it so that each keeps its output on ``batches``, in the order in which they run.

    A layer's target is its float output in the float network, its input that of the low-bit network so far, as it is deployed.
    A weight that several layers share is rounded to the nearest. The inputs and outputs of one layer at a time are held, so memory
    does not grow with depth. Draws follow from the layer's name. Raises ModelError for a layer whose inputs do not stack.
    """
    reference, twins = unquantized(model)
    uses = Counter(id(weight_of(m.layer)) for m in model.modules() if isinstance(m, QuantLayer))
    for layer in order(model, batches[0]):
        if not asks(layer) or uses[id(weight_of(layer.layer))] > 1:
            continue
        targets = _seen(reference, twins[layer], batches, layer.name, output=True)
        inputs = _seen(model, layer, batches, layer.name, output=False)
        with torch.no_grad():
            inputs = inputs if layer.input_quantizer is None else layer.input_quantizer(inputs)
        _learn(layer, inputs, targets)


class _Reached(Exception):
    """The layer was called: what comes after it is of no use."""


def _seen(model: nn.Module, layer: nn.Module, batches: Sequence[Any], name: str, output: bool) -> Tensor:
    """Return what the layer takes or gives at its first call in each batch, stacked."""
    found: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Any, ...], result: Any = None) -> None:
        found.append((result if output else inputs[0]).detach())
        raise _Reached

    hook = layer.register_forward_hook(note) if output else layer.register_forward_pre_hook(note)
    try:
        for batch in batches:
            _run_until(model, batch)
    finally:
        hook.remove()
    if len({tuple(x.shape[1:]) for x in found}) != 1 or found[0].ndim < 2:
        shapes = ", ".join(sorted({str(tuple(x.shape)) for x in found})) or "none"
        raise ModelError(f"Layer {name!r}: its calibration inputs must stack along their first axis, found {shapes}.")
    return torch.cat(found)


@torch.no_grad()
def _run_until(model: nn.Module, batch: Any) -> None:
    try:
        run(model, batch)
    except ModelError as error:
        if not isinstance(error.__cause__, _Reached):
            raise


def _learn(layer: QuantLayer, inputs: Tensor, targets: Tensor) -> None:
    """Minimise the distance between targets and the layer's outputs over how its weight is rounded, and keep the result."""
    quantizer, w = layer.weight_quantizer, weight_of(layer.layer)
    if not isinstance(quantizer, Reconstructing):
        return
    rounding = quantizer.rounding_of(w)
    learned = list(rounding.parameters())
    optimizer = torch.optim.Adam(learned, lr=quantizer.lr)
    generator = torch.Generator().manual_seed(seed(0, "reconstruct", layer.name))
    channels = -1 if isinstance(layer.layer, nn.Linear) else 1
    with torch.enable_grad():
        for step in range(quantizer.steps):
            pick = torch.randint(len(inputs), (_BATCH,), generator=generator).to(inputs.device)
            y = functional_call(layer.layer, {"weight": rounding.weight()}, (inputs[pick],))
            loss = (y - targets[pick]).square().sum(channels).mean() + rounding.penalty(step / quantizer.steps)
            optimizer.zero_grad()
            loss.backward(inputs=learned)
            optimizer.step()
    with torch.no_grad():
        w.copy_(rounding.rounded())
