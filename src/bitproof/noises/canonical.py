"""The one way in which a noise's spec is printed, so that one noise has one name in every record."""

from __future__ import annotations

import dataclasses
from typing import Any

from bitproof.core import Spec, SpecError

#: Settings that are printed without their key where they come first, and what they may be.
LEADING = {
    "severity": "severities are 1, 2, 3, 4 and 5",
    "frame": "frames are counted from 0, and 'perturbations' stands for all of them",
}


def canonical(spec: Spec, built: Any) -> Spec:
    """Return ``spec`` as the noise ``built`` from it is printed: its settings in order, those equal to their default left out.

    A severity and a frame stand without their key. A number that need not be whole keeps the words it was asked with (``2/255``).
    """
    words, fields = _words(spec, built), [field for field in dataclasses.fields(built) if field.init]
    settings = [(field, getattr(built, field.name)) for field in fields if field.name in words]
    return Spec(
        spec.name,
        tuple(
            (None if field.name == _leading(built) else field.name, _printed(value, words[field.name]))
            for field, value in settings
            if value != field.default
        ),
    )


def check_leading(spec: Spec, entry: Any) -> None:
    """Raise SpecError where a corruption's severity or a sequence's frame is missing, with one to type."""
    leading = _leading(entry)
    if leading and leading not in _words(spec, entry):
        example = str(Spec(spec.name, ((None, "3"), *spec.items)))
        raise SpecError(f"{str(spec)!r} says no {leading}. Type for example {example!r}; {LEADING[leading]}.")


def _names(entry: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(entry) if field.init]


def _leading(entry: Any) -> str | None:
    """The setting that a spec's first bare value is, where it is one of ``LEADING``."""
    first = next(iter(_names(entry)), None)
    return first if first in LEADING else None


def _words(spec: Spec, entry: Any) -> dict[str, str]:
    """What was written for each setting; bare values fill the settings in order, as in ``core.bind``."""
    return {**dict(zip(_names(entry), spec.values, strict=False)), **spec.options}


def _printed(value: Any, word: str) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return str(value) if isinstance(value, int | str) else word
