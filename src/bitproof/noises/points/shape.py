"""What a decoder gives, and what the later steps of a shape ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bitproof.core import DataError, ShapeError

#: Points N×3, float32 behind the site ``sample``.
Points = NDArray[np.float32]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """A decoded shape: its vertices, float64 V×3, and triangles T×3 of their numbers; a cloud has none."""

    vertices: Floats
    triangles: NDArray[np.int64]


class OfPoints:
    """What every noise on points says of itself unless it says otherwise."""

    family: ClassVar[str] = "system"
    kinds: ClassVar[tuple[str, ...]] = ("points",)
    version: ClassVar[int] = 1


def checked(vertices: Any, triangles: Any) -> Shape:
    """Return them as a Shape. Raises DataError for no vertices, numbers that are not finite, and triangles of none of them."""
    vertices, triangles = np.asarray(vertices, np.float64), np.asarray(triangles, np.int64).reshape(-1, 3)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or not len(vertices):
        raise DataError(f"A shape has vertices V×3, found {'×'.join(map(str, vertices.shape))}.")
    if not np.isfinite(vertices).all():
        raise DataError("The shape has coordinates that are not finite numbers.")
    if triangles.size and not 0 <= triangles.min() <= triangles.max() < len(vertices):
        raise DataError(f"A face names a vertex that there is not: there are {len(vertices)}, counted from 0.")
    return Shape(vertices, triangles)


def check_cloud(cloud: Any) -> Points:
    """Return ``cloud`` if it is float32 N×3 with at least one point. Raises ShapeError."""
    if not isinstance(cloud, np.ndarray) or cloud.dtype != np.float32 or cloud.ndim != 2 or cloud.shape[1] != 3 or not len(cloud):
        found = f"{cloud.dtype} {cloud.shape}" if isinstance(cloud, np.ndarray) else type(cloud).__name__
        raise ShapeError(f"A cloud is a NumPy array float32 N×3 with at least one point; found {found}.")
    return cloud


def in_sphere(points: Any) -> Points:
    """Return (x − mean) / max‖x − mean‖, N×3 → float32 N×3: the centroid at 0, the farthest point at 1; one place lies at 0."""
    moved = np.asarray(points, np.float64) - np.mean(points, axis=0, dtype=np.float64)
    radius = float(np.sqrt(np.square(moved).sum(axis=1)).max())
    return np.asarray((moved / (radius or 1.0)).clip(-1, 1), np.float32)


def in_box(points: Any) -> Points:
    """Return the points with the middle of their box at 0 and its longest side from −1 to 1, N×3 → float32 N×3."""
    low, high = (np.asarray(end(points, axis=0), np.float64) for end in (np.min, np.max))
    longest = float((high - low).max())
    return np.asarray(((points - (low + high) / 2) * (2 / (longest or 2.0))).clip(-1, 1), np.float32)
