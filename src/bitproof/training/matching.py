"""Distillation of what lies inside: a student's modules answer as those of the same name in its teacher."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor, nn

from bitproof.convert import float_names
from bitproof.core import ModelError, Registry, SpecError

_HERE = "bitproof.training"

#: Name → how two lists of tensors are compared. A match is a dataclass whose fields are the words of its spec.
MATCHES = Registry(
    "match",
    {"hed": f"{_HERE}.bands:HED", "fid": f"{_HERE}.bands:FID", "dmd": f"{_HERE}.direction:DirectionMatching"},
    plural="matches",
)


class Match(Protocol):
    """A distance between what modules of a student and of its teacher give.

    ``at``: a regular expression; modules in whose dotted name it is found are compared, those that ran in both networks.
    ``weight``: what the distance is multiplied by in the loss.
    """

    @property
    def at(self) -> str:
        """Which modules."""

    @property
    def weight(self) -> float:
        """The share of the loss."""

    def __call__(self, student: Mapping[str, Tensor], teacher: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Return a scalar, at least 0, of what modules gave, by name and in the student's order; the teacher gets no gradient.

        ``x`` is the batch, as the networks take it.
        """


def matching(spec: str) -> Match:
    """Build the match that ``spec`` names. Raises UnknownName or SpecError."""
    found: Match = MATCHES.build(spec)
    try:
        re.compile(found.at)
    except re.error as error:
        raise SpecError(f"{spec!r}: at={found.at!r} is not a regular expression: {error}.") from None
    return found


class Watch:
    """Notes what the modules of a network give whose names hold ``at``. Raises ModelError where there is none."""

    def __init__(self, network: nn.Module, at: str) -> None:
        self.seen: dict[str, Tensor] = {}
        found = [(name, module) for name, module in float_names(network).items() if name and re.search(at, name)]
        if not found:
            raise ModelError(f"training.match: no module of {type(network).__name__} has {at!r} in its name. Type at=PATTERN.")
        self._hooks = [module.register_forward_hook(self._noting(name)) for name, module in found]

    def _noting(self, name: str) -> Any:
        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            self.seen[name] = output[0] if isinstance(output, tuple) else output

        return note

    def take(self) -> dict[str, Tensor]:
        """Return what was seen since the last time, by name."""
        seen = dict(self.seen)
        self.seen.clear()
        return seen

    def close(self) -> None:
        """Watch no more."""
        for hook in self._hooks:
            hook.remove()


def matched(match: Match, student: dict[str, Tensor], teacher: dict[str, Tensor], x: Tensor) -> Tensor:
    """Return the weighted distance over the names that both have seen. Raises ModelError where there is none."""
    names = [name for name in student if name in teacher]
    if not names:
        raise ModelError(f"training.match: no module with {match.at!r} in its name ran in student and teacher both.")
    distance = match({name: student[name] for name in names}, {name: teacher[name].detach() for name in names}, x)
    return match.weight * distance
