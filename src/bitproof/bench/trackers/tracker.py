"""What a tracker is, and the table of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bitproof.core import Registry

TRACKERS = Registry(
    "tracker",
    {
        "mlflow": "bitproof.bench.trackers.mlflow:MLflow",
        "wandb": "bitproof.bench.trackers.wandb:Wandb",
        "tensorboard": "bitproof.bench.trackers.tensorboard:TensorBoard",
    },
)


@dataclass(frozen=True)
class Tracked:
    """A run as a tracker sees it: its name, its folder, settings as texts, and the tracker's id of an earlier part or ""."""

    name: str
    folder: Path
    settings: Mapping[str, str]
    before: str


class Log(Protocol):
    """A tracker that was begun."""

    @property
    def id(self) -> str:
        """What the tracker calls this run, so that a later part of it goes on there; "" where it needs nothing."""

    def figures(self, figures: Mapping[str, float], step: int) -> None:
        """Log figures by name; ``step`` is the place of their cell in the grid."""

    def close(self) -> None:
        """Hand over what is left."""


class Tracker(Protocol):
    """Settings of a tracker; ``begin`` may raise whatever its library raises."""

    def begin(self, run: Tracked) -> Any:
        """Return the ``Log`` of a run."""
