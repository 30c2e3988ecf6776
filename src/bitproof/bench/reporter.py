"""Whom long work tells how far it is."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Where a run tells how far it is. The command line draws a bar; a test can listen."""

    def begin(self, total: float) -> None:
        """The run will take about ``total`` seconds."""

    def advance(self, seconds: float) -> None:
        """Work that was predicted to take so many seconds is done."""

    def say(self, text: str) -> None:
        """What is being done now."""


class Silent:
    """Tells nobody."""

    def begin(self, total: float) -> None:
        """Ignore."""

    def advance(self, seconds: float) -> None:
        """Ignore."""

    def say(self, text: str) -> None:
        """Ignore."""
