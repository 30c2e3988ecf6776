"""The one way in which a noise's spec is printed, so that one noise has one name in every record."""

from __future__ import annotations

import dataclasses
from typing import Any

from bitproof.core import Spec, SpecError


def canonical(spec: Spec, built: Any) -> Spec:
    """Return ``spec`` as the noise ``built`` from it is printed: its settings in order, those equal to their default left out.

    A severity stands without its key. A number that need not be whole keeps the words it was asked with, such as ``2/255``.
    """
    words, fields = _words(spec, built), [field for field in dataclasses.fields(built) if field.init]
    settings = [(field, getattr(built, field.name)) for field in fields if field.name in words]
    return Spec(
        spec.name,
        tuple(
            (None if _graded(built) and field.name == "severity" else field.name, _printed(value, words[field.name]))
            for field, value in settings
            if value != field.default
        ),
    )


def check_severity(spec: Spec, entry: Any) -> None:
    """Raise SpecError where a corruption's severity is missing, with one to type."""
    if _graded(entry) and "severity" not in _words(spec, entry):
        example = str(Spec(spec.name, ((None, "3"), *spec.items)))
        raise SpecError(f"{str(spec)!r} says no severity. Type for example {example!r}; severities are 1, 2, 3, 4 and 5.")


def _names(entry: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(entry) if field.init]


def _graded(entry: Any) -> bool:
    """Whether the first bare value of a spec is a severity."""
    return _names(entry)[:1] == ["severity"]


def _words(spec: Spec, entry: Any) -> dict[str, str]:
    """What was written for each setting; bare values fill the settings in order, as in ``core.bind``."""
    return {**dict(zip(_names(entry), spec.values, strict=False)), **spec.options}


def _printed(value: Any, word: str) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return str(value) if isinstance(value, int | str) else word
