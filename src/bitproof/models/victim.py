"""The network as an attack sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bitproof.core import GRADIENT_MODES, SpecError


class TorchVictim:
    """A ``torch`` network behind the protocol ``bitproof.core.Victim``.

    A gradient mode is a word that every quantizer in the network reads from its attribute ``gradient`` while the network runs:
    ``exact`` is the true derivative of the rounded function (zero almost everywhere), ``ste`` the quantizer's own straight-through
    rule with its clip mask, ``ste-full`` the same without the mask. Modes change no output. A network without quantizers
    computes the same gradient in all of them.

    Args:
        module: float N×3×S×S in ``bounds`` → logits N×classes, normalisation inside. Its training mode is left as it is.
        differentiable: False for sessions of other engines, whose output carries no gradient.
        mode: one of ``bitproof.core.GRADIENT_MODES``.

    Raises:
        SpecError: for an unknown mode, and for one that a quantizer of the network does not list in its ``gradients``.
    """

    bounds = (0.0, 1.0)

    def __init__(self, module: nn.Module, differentiable: bool = True, mode: str = "ste") -> None:
        if mode not in GRADIENT_MODES:
            raise SpecError(f"Unknown gradient mode {mode!r}. Allowed: {', '.join(GRADIENT_MODES)}.")
        self.module, self.differentiable, self.mode = module, differentiable, mode
        self._quantizers: list[Any] = [m for m in module.modules() if isinstance(getattr(m, "gradient", None), str)]
        for quantizer in self._quantizers:
            if mode not in quantizer.gradients:
                name, allowed = type(quantizer).__name__, ", ".join(map(str, quantizer.gradients))
                raise SpecError(f"The gradient mode {mode!r} is not available for {name}, which has: {allowed}. Type grad=ste.")

    def logits(self, x: Tensor) -> Tensor:
        """N×3×S×S → N×classes; carries a gradient to ``x`` alone, never to the parameters."""
        with self._as_attacked():
            logits: Tensor = self.module(x)
        return logits

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy of each sample in nats, N×3×S×S and N → N."""
        return F.cross_entropy(self.logits(x), y, reduction="none")

    def decide(self, x: Tensor) -> Tensor:
        """Predicted class of each sample, N×3×S×S → N."""
        with torch.no_grad():
            return self.logits(x).argmax(dim=1)

    def with_gradient(self, mode: str) -> TorchVictim:
        """The same network with another gradient mode."""
        return self if mode == self.mode else TorchVictim(self.module, self.differentiable, mode)

    @contextmanager
    def _as_attacked(self) -> Iterator[None]:
        """Set the mode and freeze the parameters: a graph that ends in ``x`` alone is built and walked faster."""
        before = [quantizer.gradient for quantizer in self._quantizers]
        trained = [p for p in self.module.parameters() if p.requires_grad]
        try:
            self._set([self.mode] * len(before))
            for parameter in trained:
                parameter.requires_grad_(False)
            yield
        finally:
            self._set(before)
            for parameter in trained:
                parameter.requires_grad_(True)

    def _set(self, modes: list[str]) -> None:
        for quantizer, mode in zip(self._quantizers, modes, strict=True):
            quantizer.gradient = mode
