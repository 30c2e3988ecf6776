"""Site ``cloud``: what happens to points between the scanner and the network. float32 N×3 → float32 N×3.

A cloud comes in the unit sphere, so lengths are in radii of its shape; the site ``frame`` brings it back to one size behind the
noise. Points that are taken away are filled up by copies of others, which a maximum over points does not see; points that are
added stand in the place of drawn ones: a cloud keeps its number of points.

Source: ModelNet40-C (2201.12296), its released constants, where a class does not say otherwise.
Differs from the paper: the number of points is kept; the cloud lies in the unit sphere, there in the unit box.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bitproof.noises.points.shape import OfPoints, Points, check_cloud
from bitproof.noises.severity import Graded

#: Points of the clouds that the released constants are for.
USUAL = 1024

#: Cells along each side of the raster through which an occluding viewer looks.
RASTER = 12

Generator = np.random.Generator


def refilled(cloud: Points, kept: NDArray[np.bool_], rng: Generator) -> Points:
    """Return the ``kept`` points, and in the place of the others copies of kept ones, drawn; N×3 → N×3."""
    places = np.flatnonzero(kept)
    return cloud[np.where(kept, np.arange(len(cloud)), rng.choice(places, len(cloud)))]


def direction(rng: Generator) -> NDArray[np.float64]:
    """Return a direction, evenly drawn on the sphere."""
    v = rng.standard_normal(3)
    return np.asarray(v / np.sqrt(np.square(v).sum()))


def turned(angles: Sequence[float]) -> NDArray[np.float64]:
    """Return the rotation about x, then y, then z by ``angles`` in radians, as a matrix for rows."""
    whole = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        one = np.eye(3)
        one[[i, j], [i, j]] = np.cos(angle)
        one[i, j], one[j, i] = np.sin(angle), -np.sin(angle)
        whole = whole @ one
    return whole


def seen_from(cloud: Points, viewer: NDArray[np.float64], depth: float) -> NDArray[np.bool_]:
    """Return which points ``viewer``, a direction, sees: of each cell of a raster those up to ``depth`` behind the nearest."""
    side = np.cross(viewer, np.eye(3)[np.abs(viewer).argmin()])
    side /= np.sqrt(np.square(side).sum())
    across = cloud @ np.stack([side, np.cross(viewer, side)], axis=1)
    columns, rows = np.clip((across + 1) * (RASTER / 2), 0, RASTER - 1).astype(np.int64).T
    near = cloud @ viewer
    nearest = np.full((RASTER, RASTER), -np.inf)
    np.maximum.at(nearest, (rows, columns), near)
    return np.asarray(near >= nearest[rows, columns] - depth)


@dataclass(frozen=True)
class OnCloud(Graded, OfPoints, ABC):
    """A noise at one severity. A subclass fills in ``changed``."""

    site: ClassVar[str] = "cloud"
    family: ClassVar[str] = "natural"
    source: ClassVar[str] = "ModelNet40-C (arXiv 2201.12296); jiachens/ModelNet40-C@5e080bb"

    def __call__(self, cloud: Points, seed: int) -> Points:
        """Return a new, disturbed cloud that ``seed`` alone determines. Raises ShapeError for no cloud."""
        return np.array(self.changed(check_cloud(cloud), np.random.Generator(np.random.SFC64(seed))), np.float32)

    @abstractmethod
    def changed(self, x: Points, rng: Generator) -> Any:
        """Return what becomes of ``x``, N×3 → N×3."""


class PointJitter(OnCloud):
    """Every coordinate is off by normal noise of 0.01, 0.015, 0.02, 0.025 or 0.03 radii: x + σn.

    Source: ModelNet40-C, Gaussian. Differs from the paper: not cut at the box, since the cloud is brought to size behind it.
    """

    def changed(self, x: Points, rng: Generator) -> Any:
        """Add it."""
        return x + self.of((0.01, 0.015, 0.02, 0.025, 0.03)) * rng.standard_normal(x.shape)


class PointImpulse(OnCloud):
    """1/30, 1/25, 1/20, 1/15 or 1/10 of the points are off by 0.1 radii, up or down, in each coordinate.

    Source: ModelNet40-C, impulse. Differs from the paper: nothing.
    """

    def changed(self, x: Points, rng: Generator) -> Any:
        """Push them."""
        hit = rng.permutation(len(x)) < max(1, len(x) // self.of((30, 25, 20, 15, 10)))
        return x + 0.1 * rng.choice([-1.0, 1.0], x.shape) * hit[:, None]


class PointOutliers(OnCloud):
    """1/45, 1/40, 1/35, 1/30 or 1/20 of the points lie anywhere in the unit sphere.

    Source: ModelNet40-C, background. Differs from the paper: they replace points, and lie in the sphere, there in the box.
    """

    def changed(self, x: Points, rng: Generator) -> Any:
        """Put them anywhere: a direction, and the cube root of an even draw."""
        v = rng.standard_normal(x.shape)
        anywhere = v / np.sqrt(np.square(v).sum(axis=1, keepdims=True)) * np.cbrt(rng.random((len(x), 1)))
        hit = rng.permutation(len(x)) < max(1, len(x) // self.of((45, 40, 35, 30, 20)))
        return np.where(hit[:, None], anywhere, x)


class PointDropout(OnCloud):
    """50, 75, 87.5, 93.75 or 96.875 % of the points are lost, each by itself; at 1,024 points 32 are left at severity 5.

    Source: bitproof. Differs from the paper: ModelNet40-C has no even loss; half of all points cost PointNet (1612.00593) little.
    """

    def changed(self, x: Points, rng: Generator) -> Any:
        """Keep a drawn rest, of one point at least."""
        left = max(1, round(len(x) / self.of((2, 4, 8, 16, 32))))
        return refilled(x, rng.permutation(len(x)) < left, rng)


class PointCutout(OnCloud):
    """2, 3, 5, 7 or 10 patches are cut out: a drawn point and its nearest, 30 of 1,024 each.

    Source: ModelNet40-C, cutout. Differs from the paper: the points are filled up.
    """

    def changed(self, x: Points, rng: Generator) -> Any:
        """Cut one after the other, of what is left."""
        kept, patch = np.ones(len(x), bool), max(1, round(30 / USUAL * len(x)))
        for _ in range(int(self.of((2, 3, 5, 7, 10)))):
            places = np.flatnonzero(kept)
            if len(places) <= patch:  # of a tiny cloud
                break
            distances = np.square(x[places] - x[rng.choice(places)]).sum(axis=1)
            kept[places[np.argsort(distances, kind="stable")[:patch]]] = False
        return refilled(x, kept, rng)


class PointOcclusion(OnCloud):
    """Seen from a drawn side: what lies 1, 0.6, 0.35, 0.2 or 0.1 radii behind the nearest point of its cell is hidden.

    Cells are those of a 12×12 raster over the sphere. Source: bitproof. Differs from the paper: ModelNet40-C renders the mesh from
    five places, which are no severities.
    """

    def changed(self, x: Points, rng: Generator) -> Any:
        """Look, and keep what is seen."""
        return refilled(x, seen_from(x, direction(rng), self.of((1.0, 0.6, 0.35, 0.2, 0.1))), rng)


class PointRotation(OnCloud):
    """Turned about each axis by 2.5, 5, 7.5, 10 or 15 degrees, ± 2.5 evenly drawn, to either side.

    Source: ModelNet40-C, rotation. Differs from the paper: nothing.
    """

    def changed(self, x: Points, rng: Generator) -> Any:
        """Turn it."""
        degrees = rng.uniform(-2.5, 2.5, 3) + self.of((2.5, 5, 7.5, 10, 15))
        return x @ turned(np.radians(degrees * rng.choice([-1, 1], 3)).tolist())


class PointScale(OnCloud):
    """One axis longer and another shorter by 10, 20, 30, 40 or 50 %, both drawn.

    Source: ModelNet40-C, scale. Differs from the paper: all six pairs of axes are drawn alike.
    """

    def changed(self, x: Points, rng: Generator) -> Any:
        """Stretch it."""
        c = self.of((0.1, 0.2, 0.3, 0.4, 0.5))
        return x * rng.permutation([1 + c, 1 - c, 1.0])


class PointShear(OnCloud):
    """Sheared: x gains of y and z, and z of x and y, by 0.05, 0.1, 0.15, 0.2 or 0.25, ± 0.05 evenly drawn, to either side.

    With rows as points, x·[[1, 0, b], [d, 1, e], [f, 0, 1]]. Source: ModelNet40-C, shear. Differs from the paper: nothing.
    """

    def changed(self, x: Points, rng: Generator) -> Any:
        """Shear it."""
        b, d, e, f = (rng.uniform(-0.05, 0.05, 4) + self.of((0.05, 0.1, 0.15, 0.2, 0.25))) * rng.choice([-1, 1], 4)
        return x @ np.array([[1, 0, b], [d, 1, e], [f, 0, 1]])
