"""The network as an attack sees it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bitproof.core import Gradient, SpecError


class TorchVictim:
    """A ``torch`` network behind the protocol ``bitproof.core.Victim``.

    A gradient mode is what every quantizer in the network reads from its attribute ``gradient`` while the network runs: ``exact``
    is the true derivative of the rounded function (zero almost everywhere), ``ste`` the quantizer's own straight-through rule with
    its clip mask, ``ste-full`` the same without the mask, ``soft`` and ``soft:T`` the slope of a smooth staircase at temperature T,
    ``bpda`` the function ``backward``, ``bpda:NAME`` a registered one. Modes change no output. A network without quantizers
    computes the same gradient in all of them. Pictures may lie on any device; the answer lies where they do.

    Args:
        module: float N×3×S×S in ``bounds`` → logits N×classes, normalisation inside. Its training mode is left as it is.
        differentiable: False for sessions of other engines, whose output carries no gradient.
        mode: what ``bitproof.core.Gradient`` reads.
        backward: the backward of every rounding in mode ``bpda``: (g, x, s, lower, upper) → dx, of the shape of ``x``.
        bounds: the lowest and highest value of an input.

    Raises:
        SpecError: for an unknown mode, one that a quantizer of the network does not list in its ``gradients``, an annealed one,
            and for ``bpda`` without a backward.
    """

    def __init__(
        self,
        module: nn.Module,
        differentiable: bool = True,
        mode: str = "ste",
        backward: Callable[..., Tensor] | None = None,
        bounds: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self.module, self.differentiable, self.mode, self.backward, self.bounds = module, differentiable, mode, backward, bounds
        self._parameters = list(module.parameters())
        self._quantizers: list[Any] = [m for m in module.modules() if isinstance(getattr(m, "gradient", None), str)]
        gradient = Gradient.parse(mode)
        self._check(gradient)
        self._told = backward if gradient == Gradient("bpda") else str(gradient)

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        held = next(chain(self.module.parameters(), self.module.buffers()), None)
        return torch.device("cpu") if held is None else held.device

    def on(self, device: torch.device) -> TorchVictim:
        """The same network on ``device``: a copy, unless it is there already or is a session, which stays where it is."""
        if not self.differentiable or self.device == device:
            return self
        return TorchVictim(copy.deepcopy(self.module).to(device), True, self.mode, self.backward, self.bounds)

    def _check(self, gradient: Gradient) -> None:
        if gradient.annealed:
            raise SpecError(f"grad={gradient} is annealed over an attack's steps, which this attack cannot do. Type grad=soft:0.5.")
        for quantizer in self._quantizers:
            if gradient.mode not in quantizer.gradients:
                name, allowed = type(quantizer).__name__, ", ".join(map(str, quantizer.gradients))
                raise SpecError(
                    f"The gradient mode {gradient.mode!r} is not available for {name}, which has: {allowed}. Type grad=ste."
                )
        if self._quantizers and gradient == Gradient("bpda") and self.backward is None:
            raise SpecError(
                "grad=bpda needs a backward: hand one in, TorchVictim(module, backward=f), or name a registered one, "
                "for example grad=bpda:decay."
            )

    @property
    def labels_only(self) -> bool:
        """Whether the logits say which class it is and nothing else."""
        return any(getattr(module, "labels_only", False) for module in self.module.modules())

    def start(self, x: Tensor) -> Tensor:
        """Return what an attack moves, of a batch as the network takes it."""
        return x

    def logits(self, x: Tensor) -> Tensor:
        """N×3×S×S → N×classes; carries a gradient to ``x`` alone, never to the parameters."""
        with self._as_attacked():
            logits: Tensor = self.module(x.to(self.device))
        return logits.to(x.device)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy of each sample in nats, or of numbers the squared difference, N×3×S×S and N → N."""
        logits = self.logits(x)
        return (logits[:, 0] - y).square() if y.is_floating_point() else F.cross_entropy(logits, y, reduction="none")

    def decide(self, x: Tensor) -> Tensor:
        """Predicted class of each sample, N×3×S×S → N."""
        with torch.no_grad():
            return self.logits(x).argmax(dim=1)

    def with_gradient(self, mode: str) -> TorchVictim:
        """The same network with another gradient mode."""
        return self if mode == self.mode else TorchVictim(self.module, self.differentiable, mode, self.backward, self.bounds)

    @contextmanager
    def _as_attacked(self) -> Iterator[None]:
        """Set the mode and freeze the parameters: a graph that ends in ``x`` alone is built and walked faster."""
        told = [q for q in self._quantizers if q.gradient != self._told]
        before = [quantizer.gradient for quantizer in told]
        trained = [p for p in self._parameters if p.requires_grad]
        try:
            for quantizer in told:
                quantizer.gradient = self._told
            for parameter in trained:
                parameter.requires_grad_(False)
            yield
        finally:
            for quantizer, mode in zip(told, before, strict=True):
                quantizer.gradient = mode
            for parameter in trained:
                parameter.requires_grad_(True)
