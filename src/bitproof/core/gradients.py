"""How a low-bit network's gradient is taken: the modes, and the words that name one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bitproof.core.errors import SpecError

#: ``exact`` the true derivative; ``ste`` passed where nothing was clipped; ``ste-full`` passed everywhere; ``soft`` that of a
#: smooth staircase; ``bpda`` a backward of the user's own.
GRADIENT_MODES = ("exact", "ste", "ste-full", "soft", "bpda")

#: The temperature of ``soft`` where none is named, in steps of the quantizer: slopes from 0.55 between levels to 1.31 at a jump.
TEMPERATURE = 0.5


@dataclass(frozen=True)
class Gradient:
    """A gradient mode with its setting: ``ste``, ``soft:0.3``, ``soft:2..0.1`` (annealed), ``bpda`` or ``bpda:NAME``.

    ``start`` and ``end`` are the temperatures of ``soft``, ``name`` the registered backward of ``bpda``.
    """

    mode: str
    start: float = TEMPERATURE
    end: float = TEMPERATURE
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Gradient:
        """Read a mode. Raises SpecError saying which there are."""
        mode, colon, detail = text.partition(":")
        if mode not in GRADIENT_MODES:
            raise SpecError(f"Unknown gradient mode {text!r}. Allowed: {', '.join(GRADIENT_MODES)}.")
        if not colon:
            return cls(mode)
        if mode == "soft":
            start, _, end = detail.partition("..")
            return cls(mode, _temperature(start, text), _temperature(end or start, text))
        if mode == "bpda" and detail:
            return cls(mode, name=detail)
        raise SpecError(
            f"The gradient mode {text!r} is not one: {mode!r} takes no setting. Only soft:T, soft:T..T and bpda:NAME do."
        )

    @property
    def annealed(self) -> bool:
        """Whether the mode changes over the steps of an attack."""
        return self.start != self.end

    def at(self, share: float) -> Gradient:
        """The mode after ``share`` of an attack's steps, 0 to 1; the temperature changes by equal factors."""
        if not self.annealed:
            return self
        now = self.start * (self.end / self.start) ** share
        return replace(self, start=now, end=now)

    def __str__(self) -> str:
        if self.name:
            return f"{self.mode}:{self.name}"
        if self.annealed:
            return f"{self.mode}:{self.start:g}..{self.end:g}"
        return self.mode if self.start == TEMPERATURE else f"{self.mode}:{self.start:g}"


def _temperature(text: str, whole: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise SpecError(
            f"The gradient mode {whole!r} has no temperature above 0. Type for example grad=soft:0.5, or grad=soft:2..0.1 "
            "to go from 2 to 0.1 over the steps of an attack."
        )
    return value
