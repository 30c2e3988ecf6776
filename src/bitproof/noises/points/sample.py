"""Site ``sample``: a shape → float32 points of the model's number, in the unit sphere.

Source: PointNet (1612.00593) §5.1: points drawn evenly by area. Differs from the paper: the draw is of the sample's name, so that
every network and run meets the same points; a farthest-point order is of PointNet++ (1706.02413).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitproof.core import Cloud, DataError
from bitproof.noises.points.shape import Floats, OfPoints, Points, Shape, in_sphere

#: Of how many times as many points the farthest ones are taken.
CANDIDATES = 4


def on_surface(shape: Shape, count: int, rng: np.random.Generator) -> Floats:
    """Return ``count`` points spread evenly over the triangles, V×3 and T×3 → count×3.

    A triangle (a, b, c) is drawn by its area ½‖(b − a)×(c − a)‖, a place in it as a + u(b − a) + v(c − a), (u, v) even in the
    unit square, mirrored into u + v ≤ 1. Raises DataError for a surface without an area.
    """
    a, b, c = (shape.vertices[corner] for corner in shape.triangles.T)
    with np.errstate(over="ignore", invalid="ignore"):
        areas = np.sqrt(np.square(np.cross(b - a, c - a)).sum(axis=1)) / 2
        ends = np.cumsum(areas)
    if not 0 < ends[-1] < np.inf:
        raise DataError("The shape's surface has no area that could be drawn from.")
    picked = np.searchsorted(ends, rng.random(count) * ends[-1], side="right").clip(max=len(ends) - 1)
    u, v = rng.random((2, count, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    return np.asarray(a[picked] + u * (b - a)[picked] + v * (c - a)[picked])


def drawn(points: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Return ``count`` of the points in a drawn order, each once where there are enough, else all and some again."""
    first = rng.permutation(len(points))[:count]
    again = rng.integers(len(points), size=count - len(first))
    return np.asarray(points[np.concatenate([first, again])], np.float64)


def farthest(points: Floats, count: int) -> Floats:
    """Return ``count`` points, the first one and then always the one farthest from all that were taken."""
    taken, nearest = np.zeros(count, np.int64), np.full(len(points), np.inf)
    for i in range(1, count):
        nearest = np.minimum(nearest, np.square(points - points[taken[i - 1]]).sum(axis=1))
        taken[i] = nearest.argmax()
    return points[taken]


class _Sampler(OfPoints, ABC):
    site: ClassVar[str] = "sample"

    def __call__(self, shape: Shape, cloud: Cloud, seed: int) -> Points:
        """Return ``cloud.points`` points N×3 in the unit sphere, which ``seed`` alone determines. Raises DataError."""
        return in_sphere(self.taken(shape, cloud.points, np.random.Generator(np.random.SFC64(seed))))

    @abstractmethod
    def taken(self, shape: Shape, count: int, rng: np.random.Generator) -> Floats:
        """Return ``count`` points of the shape."""


@dataclass(frozen=True)
class SampleArea(_Sampler):
    """Points evenly over the surface of a mesh; of a cloud as many as are needed, drawn."""

    source: ClassVar[str] = "PointNet (arXiv 1612.00593)"

    def taken(self, shape: Shape, count: int, rng: np.random.Generator) -> Floats:
        """See the class."""
        return on_surface(shape, count, rng) if len(shape.triangles) else drawn(shape.vertices, count, rng)


@dataclass(frozen=True)
class SampleVertices(_Sampler):
    """The vertices of a mesh, drawn: many where it is detailed, few where it is flat."""

    source: ClassVar[str] = "bitproof"

    def taken(self, shape: Shape, count: int, rng: np.random.Generator) -> Floats:
        """See the class."""
        return drawn(shape.vertices, count, rng)


@dataclass(frozen=True)
class SampleFarthest(_Sampler):
    """Points as far from one another as can be, of four times as many that lie evenly on the surface, or of all of a cloud."""

    source: ClassVar[str] = "PointNet++ (arXiv 1706.02413)"

    def taken(self, shape: Shape, count: int, rng: np.random.Generator) -> Floats:
        """See the class."""
        if len(shape.triangles):
            return farthest(on_surface(shape, CANDIDATES * count, rng), count)
        return farthest(drawn(shape.vertices, max(count, len(shape.vertices)), rng), count)
