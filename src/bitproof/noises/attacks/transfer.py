"""Adversarial inputs made on other networks: what they do needs neither a gradient of the victim nor many questions to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from bitproof.core import Attacked, Gradient, Spec, SpecError, Strike, Victim, split
from bitproof.noises.attacks.search import Attempt, check, check_batch


class Ensemble:
    """Several networks as one: their mean probability, as logits.

    logits = log((1/K)·Σ_k softmax(logits_k)), so that the cross-entropy is −log of the mean probability.
    Source: arXiv 1611.02770, equation 3.
    """

    def __init__(self, victims: Sequence[Victim]) -> None:
        self.victims, self.bounds = tuple(victims), victims[0].bounds
        self.differentiable = all(victim.differentiable for victim in victims)

    labels_only = False

    def logits(self, x: Tensor) -> Tensor:
        """N×… → N×classes."""
        if len(self.victims) == 1:
            alone: Tensor = self.victims[0].logits(x)
            return alone
        each = torch.stack([F.log_softmax(victim.logits(x), dim=1) for victim in self.victims])
        return each.logsumexp(dim=0) - math.log(len(self.victims))

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy of each sample in nats."""
        return F.cross_entropy(self.logits(x), y, reduction="none")

    def decide(self, x: Tensor) -> Tensor:
        """Predicted class of each sample."""
        with torch.no_grad():
            return self.logits(x).argmax(dim=1)

    def with_gradient(self, mode: str) -> Ensemble:
        """The same networks with another gradient mode."""
        return Ensemble([victim.with_gradient(mode) for victim in self.victims])


@dataclass(frozen=True)
class Transfer:
    """The settings that the three norms share.

    Args:
        eps: radius of the ball, for inputs in [0, 1].
        of: the networks that the inputs are made on: ``control`` (``float`` where the grid has it, else ``fp32``) or recipes,
            joined by ``+`` for an ensemble; of the victim's own task, model and seed.
        attack: the attack on them, without eps; one of the same norm.
        grad: gradient mode there.
    """

    eps: float
    of: str = "control"
    attack: str = ""
    grad: str = "ste"

    norm: ClassVar[str]
    site: ClassVar[str] = "tensor"
    family: ClassVar[str] = "adversarial"
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    needs_gradient: ClassVar[bool] = False  # none of the victim's
    source: ClassVar[str] = "arXiv 1611.02770"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check(0 <= self.eps < math.inf, "eps", self.eps, "a finite number, 0 or more")
        object.__setattr__(self, "grad", str(Gradient.parse(self.grad)))
        name, options = Spec.parse(self.attack).name, Spec.parse(self.attack).options
        check(name.endswith(f"-{self.norm}"), "attack", repr(self.attack), f"an attack in {self.norm}, such as pgd-{self.norm}")
        check(not {"eps", "grad"} & set(options), "attack", repr(self.attack), "without eps and grad: they stand outside")
        check(all(self.others), "of", repr(self.of), "control or recipes joined by '+'")

    @property
    def others(self) -> tuple[str, ...]:
        """The networks that have to be handed over."""
        return tuple(part.strip() for part in split(self.of, "+"))

    @property
    def inner(self) -> str:
        """The spec of the attack on them."""
        spec = Spec.parse(self.attack)
        grad = (("grad", self.grad),) if self.grad != "ste" else ()
        return str(Spec(spec.name, (("eps", repr(self.eps)), *spec.items, *grad)))

    def given(self, victims: Mapping[str, Victim], build: Callable[[str], Any]) -> Strike:
        """Return the attack with the networks ``others`` at hand; ``build`` makes an attack from its spec."""
        return _Given(Ensemble([victims[name] for name in self.others]), build(self.inner))

    def __call__(self, victim: Victim, x: Tensor, y: Tensor, seeds: Sequence[int]) -> Attacked:
        """Refuse: a transfer needs the networks that it comes from."""
        raise SpecError(
            f"A transfer attack needs {' and '.join(self.others)}: hand them over by given(victims, noise), or run a grid."
        )


@dataclass(frozen=True)
class _Given:
    """A transfer with its networks at hand."""

    others: Ensemble
    attack: Strike

    def __call__(self, victim: Victim, x: Tensor, y: Tensor, seeds: Sequence[int]) -> Attacked:
        """Attack the other networks, and judge by the victim. Queries are those of the victim: two a sample that stands."""
        check_batch(victim, x, y, seeds, Transfer.kinds)
        attempt = Attempt(victim, x.detach(), y)
        rows = attempt.standing()
        if len(rows):
            made = self.attack(self.others, attempt.x[rows], y[rows], [seeds[i] for i in rows.tolist()])
            attempt.ask(rows, made.x, "last")
        return attempt.result()


@dataclass(frozen=True)
class TransferLinf(Transfer):
    """Adversarial inputs in the ℓ∞ ball, made on the float twin, other bit-widths or their ensemble.

    x' = attack(others, x₀, y) with ‖x' − x₀‖∞ ≤ eps, N×3×H×W → N×3×H×W. By default PGD that walks all its steps (``keep=last``): an
    input that only just fools the other network rarely fools this one.

    Args: as ``Transfer``. Raises SpecError for other values. Source: 1611.02770 §4; for low-bit networks 1909.12741.
    Differs from the paper: untargeted; a sample that the other network gets wrong when clean stays as it is.
    """

    attack: str = "pgd-linf:keep=last"

    norm: ClassVar[str] = "linf"


@dataclass(frozen=True)
class TransferL2(Transfer):
    """Adversarial inputs in the ℓ2 ball, made on the float twin, other bit-widths or their ensemble.

    As ``TransferLinf``, with ‖x' − x₀‖₂ ≤ eps. Source: 1611.02770 §4. Differs from the paper: as there.
    """

    attack: str = "pgd-l2:keep=last"

    norm: ClassVar[str] = "l2"


@dataclass(frozen=True)
class TransferL1(Transfer):
    """Adversarial inputs in the ℓ1 ball, made on the float twin, other bit-widths or their ensemble.

    As ``TransferLinf``, with ‖x' − x₀‖₁ ≤ eps. Source: 1611.02770 §4. Differs from the paper: as there.
    """

    attack: str = "pgd-l1:keep=last"

    norm: ClassVar[str] = "l1"
