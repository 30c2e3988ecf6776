"""The live bar of a run."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn


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
            TextColumn("{task.description}"),
            console=self.console,
            speed_estimate_period=120,
        )
        self._task = self._progress.add_task("starting", total=None)
        self._last = ""

    def __enter__(self) -> Bar:
        if self.console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def begin(self, total: float) -> None:
        """The run weighs ``total`` units."""
        known = self._progress.tasks[0].total or 0.0
        self._progress.update(self._task, total=known + total)

    def advance(self, units: float) -> None:
        """So many units are done."""
        self._progress.advance(self._task, units)

    def say(self, text: str) -> None:
        """Show what is being done now."""
        self._progress.update(self._task, description=text)
        if not self.console.is_terminal and text != self._last:
            task = self._progress.tasks[0]
            share = f"{100 * task.completed / task.total:3.0f} %" if task.total else "     "
            self.console.print(f"{share}  {text}", highlight=False, soft_wrap=True)
        self._last = text
