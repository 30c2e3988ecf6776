"""Explicit tables of names, loaded on first use, open to other people's packages through entry points."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from bitproof.core.errors import SpecError, UnknownName
from bitproof.core.specs import Spec, bind


@dataclass(frozen=True)
class Card:
    """What ``bitproof list`` prints of one entry."""

    name: str
    summary: str
    source: str
    version: int


class Registry:
    """The entries of one kind: its own table name → ``"package.module:Object"``, and the entry points ``bitproof.<kind>s``.

    An entry is a class (or a factory) with a docstring, a ``source: str`` and a ``version: int``.
    """

    def __init__(self, kind: str, table: Mapping[str, str], plural: str | None = None) -> None:
        self.kind = kind
        self.plural = plural or f"{kind}s"
        self._own = dict(table)

    @cached_property
    def _foreign(self) -> dict[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        for point in entry_points(group=f"bitproof.{self.plural}"):
            if point.name in self._own or point.name in found:
                other = found[point.name].value if point.name in found else self._own[point.name]
                raise SpecError(f"The {self.kind} name {point.name!r} is taken twice: by {point.value!r} and by {other!r}.")
            found[point.name] = point
        return found

    def __iter__(self) -> Iterator[str]:
        return iter([*self._own, *self._foreign])

    def __len__(self) -> int:
        return len(self._own) + len(self._foreign)

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._foreign

    def load(self, name: str) -> Any:
        """Import and return the entry called ``name``. Raises UnknownName with the nearest name."""
        if name in self._own:
            module, _, attribute = self._own[name].partition(":")
            return getattr(importlib.import_module(module), attribute)
        if name in self._foreign:
            return self._import(self._foreign[name])
        raise UnknownName(self.kind, name, self, f"'bitproof list {self.plural}' shows all {len(self)}.")

    def _import(self, point: EntryPoint) -> Any:
        """Load another package's entry; whatever goes wrong there is one message that names the package."""
        try:
            return point.load()
        except Exception as error:
            package = point.dist.name if point.dist else point.value
            raise SpecError(
                f"The {self.kind} {point.name!r} of the package {package!r} failed to load: {type(error).__name__}: {error}. "
                "Mend or uninstall the package."
            ) from error

    def build(self, spec: Spec | str) -> Any:
        """Return the entry that ``spec`` names, built with the settings it gives."""
        spec = Spec.parse(spec) if isinstance(spec, str) else spec
        return bind(spec, self.load(spec.name))

    def cards(self) -> list[Card]:
        """Describe every entry; a plug-in that fails to import is warned about and left out."""
        cards = []
        for name in self:
            try:
                entry = self.load(name)
            except SpecError as error:
                if name in self._own:
                    raise
                warnings.warn(str(error), stacklevel=2)
                continue
            summary = (entry.__doc__ or "").strip().split("\n")[0]
            cards.append(Card(name, summary, str(getattr(entry, "source", "")), int(getattr(entry, "version", 1))))
        return cards
