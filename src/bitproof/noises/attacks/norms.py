"""What an attack has to know of a norm. Batches are N×…; a norm is taken over all axes but the first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

#: Below this a length counts as zero, so that nothing is divided by it.
TINY = 1e-12

#: Halvings after which a float32 threshold no longer moves.
BISECTIONS = 32


class Norm(ABC):
    """A ball around zero, and the steepest direction of a gradient in it."""

    @abstractmethod
    def length(self, delta: Tensor) -> Tensor:
        """‖delta‖ of each sample, N×… → N."""

    @abstractmethod
    def inside(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Draw one point of the unit ball, float32 of ``shape``, on the CPU."""

    @abstractmethod
    def direction(self, gradient: Tensor) -> Tensor:
        """Scale each sample's gradient to length 1, N×… → N×…; a gradient of zeros stays zero."""

    def project(self, delta: Tensor, eps: float) -> Tensor:
        """Shrink each sample to ‖delta‖ ≤ eps along its own direction, N×… → N×…."""
        return delta * over(eps / self.length(delta).clamp_min(TINY), delta).clamp_max(1.0)


class Linf(Norm):
    """The largest absolute value; its ball is a cube."""

    def length(self, delta: Tensor) -> Tensor:
        """maxᵢ |deltaᵢ|."""
        return delta.flatten(1).abs().amax(dim=1)

    def inside(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Uniform in the cube."""
        return torch.rand(*shape, generator=generator) * 2 - 1

    def direction(self, gradient: Tensor) -> Tensor:
        """sign(g)."""
        return gradient.sign()

    def project(self, delta: Tensor, eps: float) -> Tensor:
        """Clip each value to [−eps, eps]: the nearest point of the cube."""
        return delta.clamp(-eps, eps)


class L2(Norm):
    """The Euclidean length."""

    def length(self, delta: Tensor) -> Tensor:
        """√Σᵢ deltaᵢ²."""
        return delta.flatten(1).square().sum(dim=1).sqrt()

    def inside(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Uniform in the ball: a normal draw scaled to radius U^(1/n), for n values."""
        point = self.direction(torch.randn(1, *shape, generator=generator))[0]
        radius: Tensor = torch.rand((), generator=generator) ** (1 / point.numel())
        return point * radius

    def direction(self, gradient: Tensor) -> Tensor:
        """Return g / ‖g‖₂."""
        return gradient / over(self.length(gradient).clamp_min(TINY), gradient)


class L1(Norm):
    """The sum of absolute values."""

    def length(self, delta: Tensor) -> Tensor:
        """Σᵢ |deltaᵢ|."""
        return delta.flatten(1).abs().sum(dim=1)

    def inside(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Uniform on the sphere: exponential draws of random sign, scaled to length 1."""
        point = torch.empty(*shape).exponential_(generator=generator)
        sign = torch.randint(0, 2, tuple(shape), generator=generator) * 2 - 1
        return sign * point / point.sum().clamp_min(TINY)

    def direction(self, gradient: Tensor) -> Tensor:
        """Return g / ‖g‖₁: every value moves, in proportion to its gradient."""
        return gradient / over(self.length(gradient).clamp_min(TINY), gradient)


def over(number: Tensor, batch: Tensor) -> Tensor:
    """View N numbers so that they broadcast over N×…."""
    return number.view(-1, *[1] * (batch.ndim - 1))


def box_l1(clean: Tensor, delta: Tensor, eps: float, bounds: tuple[float, float]) -> Tensor:
    """Return the point nearest to ``delta`` with ‖δ‖₁ ≤ eps and ``clean + δ`` in ``bounds``, N×… → N×….

    δᵢ = sign(deltaᵢ)·min(max(|deltaᵢ| − λ, 0), roomᵢ) with the smallest λ ≥ 0 that keeps Σ|δᵢ| ≤ eps, found by bisection.
    Source: 2103.01208 Proposition 2.1. Differs from the paper: bisection to float precision in place of sorting.
    """
    low, high = bounds
    room = torch.where(delta > 0, high - clean, clean - low)
    size = delta.abs()

    def shrunk(cut: Tensor) -> Tensor:
        return torch.minimum((size - over(cut, size)).clamp_min(0), room)

    fits = shrunk(torch.zeros_like(size.flatten(1)[:, 0])).flatten(1).sum(dim=1) <= eps
    below, above = torch.zeros_like(fits, dtype=size.dtype), size.flatten(1).amax(dim=1)
    for _ in range(BISECTIONS):
        middle = (below + above) / 2
        small = shrunk(middle).flatten(1).sum(dim=1) <= eps
        below, above = torch.where(small, below, middle), torch.where(small, middle, above)
    return delta.sign() * shrunk(torch.where(fits, 0, above))
