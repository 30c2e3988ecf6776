"""One grammar for every request: ``name[:item[,item…]]``, an item being a value or ``key=value``.

A value with ``,``, ``=``, ``+`` or a quote in it is written in double quotes, with backslash escapes. A spec prints back as it
was parsed. ``bind`` turns a spec into the frozen dataclass that it names, so a class's fields *are* its spec's words.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

from bitproof.core.errors import SpecError

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9_][\w./-]*")
_KEY = re.compile(r"[A-Za-z_]\w*")
_SPECIAL = re.compile(r'[,="\\+]|^\s|\s$|^$')


@dataclass(frozen=True)
class Spec:
    """A parsed request: a name and its items in the order given (key ``None`` for a bare value)."""

    name: str
    items: tuple[tuple[str | None, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Parse ``name[:item[,item…]]``. Raises SpecError with the offending part."""
        name, colon, rest = text.strip().partition(":")
        if not _NAME.fullmatch(name):
            raise SpecError(f"{text!r} is not a spec: a name of letters, digits and _ . / - was expected, found {name!r}.")
        if colon and not rest:
            raise SpecError(f"{text!r} ends in ':' without an item. Type {name!r}, or {name + ':value'!r}.")
        return cls(name, tuple(_item(part, text) for part in split(rest, ",")) if colon else ())

    def __str__(self) -> str:
        items = ",".join(_quote(value) if key is None else f"{key}={_quote(value)}" for key, value in self.items)
        return f"{self.name}:{items}" if items else self.name

    @property
    def values(self) -> tuple[str, ...]:
        """The bare values, in order."""
        return tuple(value for key, value in self.items if key is None)

    @property
    def options(self) -> dict[str, str]:
        """The ``key=value`` items."""
        return {key: value for key, value in self.items if key is not None}


def split(text: str, separator: str) -> list[str]:
    """Split ``text`` at ``separator`` outside double quotes. Raises SpecError on an open quote."""
    parts, quoted, escaped, start = [], False, False, 0
    for i, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == separator and not quoted:
            parts.append(text[start:i])
            start = i + 1
    if quoted:
        raise SpecError(f"A double quote is left open in {text!r}.")
    return [*parts, text[start:]]


def _item(part: str, whole: str) -> tuple[str | None, str]:
    pieces = split(part, "=")
    if len(pieces) == 1:
        return None, _unquote(pieces[0], whole)
    if len(pieces) > 2 or not _KEY.fullmatch(pieces[0].strip()):
        raise SpecError(f"{part!r} in {whole!r} is not 'value' or 'key=value'; put a value that holds ',' or '=' in double quotes.")
    return pieces[0].strip(), _unquote(pieces[1], whole)


def _unquote(text: str, whole: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    if not text or '"' in text:
        raise SpecError(f"{whole!r} holds an empty or half-quoted item: {text!r}.")
    return text


def _quote(value: str) -> str:
    if not _SPECIAL.search(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def ratio(text: str) -> Fraction:
    """Read a number, or a ratio of two: ``2``, ``1e-3``, ``8/255``, ``0.5/255``. Raises ValueError or ZeroDivisionError."""
    parts = [Fraction(part) for part in text.split("/")]
    if len(parts) > 2:
        raise ValueError(f"{text!r} is no ratio of two numbers")
    return parts[0] / parts[1] if parts[1:] else parts[0]


#: The types of each class's fields; kept, since a plan of 10,000 cells asks 80,000 times.
_HINTS: dict[type, dict[str, Any]] = {}


def _hints(target: type) -> dict[str, Any]:
    if target not in _HINTS:
        _HINTS[target] = typing.get_type_hints(target)
    return _HINTS[target]


def bind(spec: Spec, target: type[T]) -> T:
    """Build the dataclass ``target`` from ``spec``: bare values fill its fields in order, keys by name.

    Values are read by the field's annotation: int, float, bool, str, Fraction ("8/255"), or one of these ``| None``.
    Raises SpecError for an unknown or repeated key, a surplus value, a missing field or a value of the wrong type.
    """
    hints = _hints(target)
    fields = {f.name: f for f in dataclasses.fields(target) if f.init}  # type: ignore[arg-type]
    given: dict[str, Any] = {}
    for key, value in _named(spec, list(fields)):
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            allowed = ", ".join(fields) or "none"
            raise SpecError(f"{str(spec)!r}: {spec.name!r} has no setting {key!r}.{hint} Settings: {allowed}.")
        if key in given:
            raise SpecError(f"{str(spec)!r} sets {key!r} twice.")
        given[key] = _read(value, hints[key], f"{key!r} in {str(spec)!r}")
    for name, field in fields.items():
        if name not in given and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise SpecError(f"{str(spec)!r} needs {name!r}. Type for example {spec.name + ':' + name + '=…'!r}.")
    return target(**given)


def _named(spec: Spec, order: list[str]) -> Iterator[tuple[str, str]]:
    position = 0
    for key, value in spec.items:
        if key is not None:
            yield key, value
        elif position < len(order):
            yield order[position], value
            position += 1
        else:
            raise SpecError(f"{str(spec)!r}: {value!r} is one value too many; {spec.name!r} takes {', '.join(order) or 'none'}.")


def _read(value: str, hint: Any, where: str) -> Any:
    kinds = [k for k in typing.get_args(hint) if k is not type(None)] if isinstance(hint, types.UnionType) else [hint]
    kind = kinds[0]
    if isinstance(hint, types.UnionType) and value.lower() == "none":
        return None
    try:
        if kind is bool:
            return {"true": True, "false": False}[value.lower()]
        if kind in (float, Fraction) and "/" in value:
            return kind(ratio(value))
        return kind(value)
    except (KeyError, ValueError, ZeroDivisionError):
        name = {"bool": "true or false", "int": "a whole number", "float": "a number"}.get(kind.__name__, kind.__name__)
        raise SpecError(f"{where} must be {name}, found {value!r}.") from None


def graded(names: Iterable[str], severity: int | None) -> list[str]:
    """Return the specs ``name:severity`` of one severity, or of all five. Raises SpecError for a severity that there is not."""
    if severity not in (None, 1, 2, 3, 4, 5):
        raise SpecError(f"Severity {severity} is out of range: 1, 2, 3, 4 or 5; without one, all five.")
    return [f"{name}:{s}" for name in names for s in ([severity] if severity else range(1, 6))]
