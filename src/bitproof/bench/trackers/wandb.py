"""Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bitproof.bench.trackers.tracker import Tracked
from bitproof.core import MissingExtra, SpecError

MODES = ("offline", "online")


@dataclass(frozen=True)
class Wandb:
    """Weights & Biases: wandb[:mode=online,project=NAME,entity=NAME].

    ``mode``: offline, so that nothing leaves the machine before ``wandb sync RUN/wandb/…``; or online, which needs a login.
    """

    mode: str = "offline"
    project: str = "bitproof"
    entity: str | None = None
    source: ClassVar[str] = "https://wandb.ai"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise SpecError(f"The mode of wandb is {' or '.join(MODES)}, found {self.mode!r}.")

    def begin(self, run: Tracked) -> _Log:
        """Begin a run, or go on with the one of before."""
        try:
            import wandb
        except ImportError:
            raise MissingExtra("wandb", "wandb", "--track wandb") from None
        begun = wandb.init(
            mode="online" if self.mode == "online" else "offline",
            project=self.project,
            entity=self.entity,
            dir=run.folder,
            name=run.name,
            id=run.before or None,
            resume="allow" if run.before else None,
            config=dict(run.settings),
            settings=wandb.Settings(silent=True, disable_git=True, save_code=False, x_disable_stats=True),
            reinit="create_new",
        )
        return _Log(begun)


class _Log:
    def __init__(self, run: Any) -> None:
        self.run, self.id = run, str(run.id)

    def figures(self, figures: Mapping[str, float], step: int) -> None:
        """See ``Log``."""
        self.run.log({**figures, "cell": step})

    def close(self) -> None:
        """See ``Log``."""
        self.run.finish()
