"""How numbers, intervals, sizes and changes are written."""

from __future__ import annotations

import html
import math
from typing import Any

from bitproof.analysis import parsed, recipe_bits

#: What an interval of a difference says: the word, and the sign that stands before it.
LOST, GAINED, UNDECIDED, MOVED = "lost", "gained", "undecided", "moved"
SIGNS = {LOST: "▼", GAINED: "▲", UNDECIDED: "≈", MOVED: "Δ"}


def number(value: float | None, *, signed: bool = False) -> str:
    """``12.3``, ``−0.4``, ``+1.0`` where ``signed``; ``–`` where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:+.1f}" if signed else f"{value:.1f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def interval(low: float | None, high: float | None, *, signed: bool = False) -> str:
    """``[low, high]``, or nothing where there is none."""
    if low is None or high is None:
        return ""
    return f"[{number(low, signed=signed)}, {number(high, signed=signed)}]"


def count(value: int, noun: str, plural: str = "") -> str:
    """``1 cell``, ``2 cells``."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def p_value(value: float | None) -> str:
    """Four digits, or ``<0.0001``."""
    return "–" if value is None else "<0.0001" if value < 0.0001 else f"{value:.4f}"


def budget(detail: str) -> str:
    """What ``analysis`` writes after ``robust_worst:``, for people: ``linf,eps=2/255`` → ``linf, ε = 2/255``."""
    return detail.replace(",eps=", ", ε\u00a0=\u00a0")


def size(value: float | None) -> str:
    """Bytes as KB of 1,000."""
    return "–" if value is None else f"{value / 1000:,.0f}" if value >= 10_000 else f"{value / 1000:.1f}"


def duration(seconds: float | None) -> str:
    """Seconds as ``0.4 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def change(low: float | None, high: float | None, *, better: str = "higher") -> str:
    """What the interval of a difference says; "" where there is none, MOVED where neither direction is better."""
    if low is None or high is None:
        return ""
    if low <= 0 <= high:
        return UNDECIDED
    if better == "neither":
        return MOVED
    return GAINED if (low > 0) == (better == "higher") else LOST


def method(recipe: str) -> str:
    """The method's name: ``mse:w8a8`` → ``mse``."""
    return parsed(recipe).name


def bits_label(recipe: str) -> str:
    """``w8a8``, or ``32`` for a float recipe, or the recipe itself where it names no bits."""
    bits = recipe_bits(recipe)
    return recipe if bits is None else "32" if bits == (32, 32) else "w{}a{}".format(*bits)


def bits_order(recipe: str) -> tuple[float, int, str]:
    """Sorts recipes from many bits to few; those that name none come last."""
    weight, activation = recipe_bits(recipe) or (-1, -1)
    return -(weight + activation) / 2, -weight, recipe


def escaped(text: object) -> str:
    """``text`` for a field that plotly reads as HTML."""
    return html.escape(str(text), quote=False)


def joined(parts: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def plain(value: Any) -> str:
    """A setting as text: lists by commas, true and false as words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or "none"
    return "–" if value is None else str(value)
