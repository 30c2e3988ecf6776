"""TensorBoard: event files in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bitproof.bench.trackers.tracker import Tracked
from bitproof.core import MissingExtra


@dataclass(frozen=True)
class TensorBoard:
    """TensorBoard: tensorboard[:dir=FOLDER]; RUN/tensorboard if none is given. ``tensorboard --logdir FOLDER`` shows it."""

    dir: str | None = None
    source: ClassVar[str] = "https://www.tensorflow.org/tensorboard"
    version: ClassVar[int] = 1

    def begin(self, run: Tracked) -> _Log:
        """Open a further event file."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingExtra("tensorboard", "tensorboard", "--track tensorboard") from None
        writer = SummaryWriter(str(Path(self.dir) if self.dir else run.folder / "tensorboard"))
        if not run.before:
            for name, text in run.settings.items():
                writer.add_text(name, f"```\n{text}\n```")
        return _Log(writer)


class _Log:
    id = "tensorboard"

    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def figures(self, figures: Mapping[str, float], step: int) -> None:
        """See ``Log``."""
        for name, value in figures.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def close(self) -> None:
        """See ``Log``."""
        self.writer.close()
