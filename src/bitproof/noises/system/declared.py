"""What every noise at the site ``model`` has in common that another room carries out by rewriting the network."""

from __future__ import annotations

from typing import ClassVar


class Declared:
    """A declaration: ``convert`` does what it says to a copy of the network."""

    site: ClassVar[str] = "model"
    family: ClassVar[str] = "system"
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    needs: ClassVar[str] = "rewrite"
    version: ClassVar[int] = 1
