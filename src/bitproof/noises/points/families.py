"""What the words for many noises stand for, of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitproof.core import graded

#: What happens to a cloud, at five severities.
GRADED = (
    *("point_jitter", "point_impulse", "point_outliers", "point_dropout", "point_cutout"),
    *("point_occlusion", "point_rotation", "point_scale", "point_shear"),
)

SYSTEM = ("sample-area", "sample-vertices", "sample-farthest", "unit-sphere", "unit-box")

RUNTIME = ("fp16", "bf16")


@dataclass(frozen=True)
class PointCorruptions:
    """Nine disturbances of a cloud of points, at one severity or at all five."""

    severity: int | None = None

    source: ClassVar[str] = "ModelNet40-C (arXiv 2201.12296)"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return 9 or 45 specs. Raises SpecError for a severity that there is not."""
        return graded(GRADED, self.severity)


@dataclass(frozen=True)
class PointSystem:
    """The other ways to draw points of a shape and to bring them to one size."""

    source: ClassVar[str] = "bitproof"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return the specs, those of the clean pipeline left out."""
        return [name for name in SYSTEM if name not in clean]


@dataclass(frozen=True)
class PointSystemAll:
    """Everything that a deployment may bring, one axis at a time: the system family and number formats."""

    source: ClassVar[str] = "bitproof"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return the specs, those of the clean pipeline left out."""
        return [name for name in (*SYSTEM, *RUNTIME) if name not in clean]


FAMILIES = {"corruptions": PointCorruptions, "system": PointSystem, "system-all": PointSystemAll}
