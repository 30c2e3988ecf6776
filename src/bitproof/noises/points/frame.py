"""Site ``frame``: a cloud → the same brought to the size that the model knows. float32 N×3 → float32 N×3 in [−1, 1].

Source: PointNet (1612.00593), ModelNet40-C (2201.12296). Differs from the paper: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitproof.noises.points.shape import OfPoints, Points, check_cloud, in_box, in_sphere


class _Frame(OfPoints):
    site: ClassVar[str] = "frame"


@dataclass(frozen=True)
class UnitSphere(_Frame):
    """The centroid at 0, the farthest point at distance 1: x ↦ (x − mean) / max‖x − mean‖."""

    source: ClassVar[str] = "PointNet (arXiv 1612.00593)"

    def __call__(self, cloud: Points) -> Points:
        """Return a new cloud. Raises ShapeError for none."""
        return in_sphere(check_cloud(cloud))


@dataclass(frozen=True)
class UnitBox(_Frame):
    """The middle of the box around the points at 0, its longest side from −1 to 1."""

    source: ClassVar[str] = "ModelNet40-C (arXiv 2201.12296)"

    def __call__(self, cloud: Points) -> Points:
        """Return a new cloud. Raises ShapeError for none."""
        return in_box(check_cloud(cloud))
