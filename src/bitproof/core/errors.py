"""The one tree of errors. A message says what was asked, what was found, what is allowed and what to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BitproofError(Exception):
    """Base of every error that a user can cause; the command line prints it without a traceback."""


class SpecError(BitproofError):
    """A spec, recipe or grid that cannot be understood, or asks for what does not fit."""


class UnknownName(SpecError):
    """A name that no registry holds."""

    def __init__(self, kind: str, name: str, known: Iterable[str], listing: str | None = None) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        shows = listing or f"'bitproof list {kind}s' shows all {len(names)}."
        super().__init__(f"Unknown {kind} {name!r}.{hint} {shows}")


class DataError(BitproofError):
    """Data that is missing, unreadable, mislabelled or empty; names the file."""


class ModelError(BitproofError):
    """A model or checkpoint that cannot be loaded, or whose output makes no sense."""


class ShapeError(BitproofError):
    """An array whose shape, dtype or range is not what the docstring promises to take."""


class StoreError(BitproofError):
    """A results directory that cannot be read or written."""


class MissingExtra(BitproofError):
    """An optional package that the request needs and the environment lacks."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package {package!r}. Type: pip install 'bitproof[{extra}]'")
