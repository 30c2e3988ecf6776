"""What a program is made of: steps, and what their arguments stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Ref:
    """The result of step ``id``; 0 is the network's input."""

    id: int


@dataclass(frozen=True)
class Named:
    """A tensor that the program holds."""

    name: str


@dataclass(frozen=True)
class Step:
    """``op`` of ``OPERATIONS``, or ``PRODUCT``, whose arguments are its input and the name of the product.

    Arguments are numbers, strings, None, ``torch.dtype``, ``Ref``, ``Named`` and lists of those.
    """

    id: int
    op: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def refs(self) -> list[int]:
        """Return the steps whose results it takes."""
        return [leaf.id for leaf in leaves((self.args, list(self.kwargs.values()))) if isinstance(leaf, Ref)]


def leaves(value: Any) -> list[Any]:
    """Return what lists and tuples hold in the end."""
    return [leaf for part in value for leaf in leaves(part)] if isinstance(value, (list, tuple)) else [value]


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return ``value`` with ``change`` of every leaf."""
    return type(value)(mapped(part, change) for part in value) if isinstance(value, (list, tuple)) else change(value)
