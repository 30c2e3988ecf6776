"""What an attack has to know of a norm. Batches are N×…; a norm is taken over all axes but the first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

#: Below this a length counts as zero, so that nothing is divided by it.
TINY = 1e-12

#: Halvings that find a threshold to the precision of float32.
BISECTIONS = 24


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

    def project(self, delta: Tensor, eps: float | Tensor) -> Tensor:
        """Shrink each sample to ‖delta‖ ≤ eps along its own direction, N×… → N×…; ``eps`` is one number or N."""
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

    def project(self, delta: Tensor, eps: float | Tensor) -> Tensor:
        """Clip each value to [−eps, eps]: the nearest point of the cube."""
        side = over(eps, delta) if isinstance(eps, Tensor) else torch.as_tensor(eps).to(delta)
        return delta.clamp(-side, side)


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


def nearest_l1(clean: Tensor, delta: Tensor, eps: float | Tensor, bounds: tuple[float, float]) -> Tensor:
    """Return the input nearest to ``clean + delta`` with ‖x − clean‖₁ ≤ eps inside ``bounds``, N×… → N×….

    xᵢ = clip(cleanᵢ + sign(deltaᵢ)·max(|deltaᵢ| − λ, 0)) with the smallest λ ≥ 0 that keeps Σ|xᵢ − cleanᵢ| ≤ eps.
    Source: 2103.01208 Proposition 2.1. Differs from the paper: λ is found by bisection in place of sorting, on the rounded sum.
    """
    size, sign = delta.abs(), delta.sign()

    def at(cut: Tensor) -> Tensor:
        return (clean + sign * (size - over(cut, size)).clamp_min(0)).clamp(*bounds)

    def fits(cut: Tensor) -> Tensor:  # the input as it is stored: all values round the same way, which adds up
        return (at(cut) - clean).flatten(1).abs().sum(dim=1) <= eps

    above = size.flatten(1).amax(dim=1)
    below = torch.zeros_like(above)
    above = torch.where(fits(below), below, above)
    for _ in range(BISECTIONS):
        middle = (below + above) / 2
        good = fits(middle)
        below, above = torch.where(good, below, middle), torch.where(good, middle, above)
    return at(above)
