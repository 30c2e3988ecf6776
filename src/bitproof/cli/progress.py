"""The live bar of a run."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

#: Seconds between two lines of a log.
LINE_EVERY_S = 5.0


class Bar:
    """A progress bar with time left, on standard error; a plain log line a step where that is no terminal."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self._progress = Progress(
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=self.console,
            speed_estimate_period=120,
        )
        self._task = self._progress.add_task("starting", total=None)
        self._told = 0.0

    def __enter__(self) -> Bar:
        if self.console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def begin(self, total: float) -> None:
        """The run will take about ``total`` seconds."""
        known = self._progress.tasks[0].total or 0.0
        self._progress.update(self._task, total=known + total)

    def advance(self, seconds: float) -> None:
        """Work that was predicted to take so many seconds is done."""
        self._progress.advance(self._task, seconds)

    def say(self, text: str) -> None:
        """Show what is being done now; without a terminal, a line every ``LINE_EVERY_S``."""
        self._progress.update(self._task, description=text)
        now = time.monotonic()
        if not self.console.is_terminal and now - self._told >= LINE_EVERY_S:
            task = self._progress.tasks[0]
            share = f"{100 * task.completed / task.total:3.0f} %" if task.total else "     "
            self.console.print(f"{share}  {text}", highlight=False, markup=False, soft_wrap=True)
            self._told = now
