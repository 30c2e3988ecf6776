"""What a network's gradients say about themselves, before any attack believes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from bitproof.core import Attacked, ModelError, Strike, Victim
from bitproof.noises.attacks.search import check_batch


def input_gradient(victim: Victim, x: Tensor, y: Tensor) -> Tensor:
    """∇ₓ of each sample's cross-entropy, N×… → N×values. Raises ModelError where it is not finite."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        gradient: Tensor = torch.autograd.grad(victim.loss(x, y).sum(), x)[0]
    if not gradient.isfinite().all():
        raise ModelError("An input gradient is NaN or infinite; the network cannot be attacked at float32.")
    return gradient.flatten(1)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """⟨a, b⟩ / (‖a‖·‖b‖) of each row, N×values → N; NaN where one of them is zero."""
    unit_a, unit_b = (g / g.abs().amax(dim=1, keepdim=True) for g in (a, b))  # tiny gradients must not underflow
    along: Tensor = (unit_a * unit_b).sum(dim=1) / (unit_a.norm(dim=1) * unit_b.norm(dim=1))
    return along


@dataclass(frozen=True)
class Evidence:
    """Looks at clean samples: whether the gradient is zero, whether it points where the control's does, how large the logits are.

    zero_MODE = [∇ₓ L = 0 in mode MODE], for ``exact`` and ``ste``; logit_norm = ‖logits‖₂; cosine = ⟨g, g_c⟩ / (‖g‖·‖g_c‖), g the
    gradient in mode ``ste`` and g_c that of the control; undefined where one of them is zero. Shapes: N×3×H×W → itself.
    A run that holds an attack has one such cell a network. L is the cross-entropy in float32, as attacks take it.
    Source: arXiv 1902.06705 §3 (its checklist); arXiv 1909.12741 §4 (gradients of low-bit networks).
    Differs from the paper: nothing; no procedure is prescribed there.
    """

    others: ClassVar[tuple[str, ...]] = ("control",)
    site: ClassVar[str] = "tensor"
    family: ClassVar[str] = "evidence"
    kinds: ClassVar[tuple[str, ...]] = ("image", "keyword", "text", "points")
    needs_gradient: ClassVar[bool] = True
    grad: ClassVar[str] = "ste"
    source: ClassVar[str] = "arXiv 1902.06705"
    version: ClassVar[int] = 1

    def given(self, victims: Mapping[str, Victim], build: Callable[[str], Any]) -> Strike:
        """Return the probe with the control at hand."""
        return _Given(victims["control"])


@dataclass(frozen=True)
class _Given:
    """The probe with its control."""

    control: Victim

    def __call__(self, victim: Victim, x: Tensor, y: Tensor, seeds: Sequence[int]) -> Attacked:
        """Look at a batch and leave it as it is."""
        check_batch(victim, x, y, seeds, Evidence.kinds)
        exact, ste = (input_gradient(victim.with_gradient(mode), x, y) for mode in ("exact", "ste"))
        with torch.no_grad():
            logits = victim.logits(x)
        columns = {
            "zero_exact": ~exact.any(dim=1),
            "zero_ste": ~ste.any(dim=1),
            "logit_norm": logits.norm(dim=1),
            "cosine": cosine(ste, input_gradient(self.control.with_gradient("ste"), x, y)),
        }
        once = torch.ones(len(x), dtype=torch.long, device=x.device)
        return Attacked(x, logits.argmax(dim=1) != y, 3 * once, 2 * once, columns)
