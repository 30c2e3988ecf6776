"""What the doors to chat models return: something that answers questions, and how pictures are brought to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitproof.core import Chat, Geometry


@dataclass(frozen=True)
class Endpoint:
    """A chat model ready to be asked.

    Attributes:
        chat: answers one question about one picture.
        geometry: how a decoded picture becomes the one that is sent.
        spec: the canonical spec, without what changes no answer (time-outs, concurrency, prices).
        digest: 64 hex digits; equal digests mean equal requests. What the server answers with may still change behind it.
        served: the name of the model at its server.
        of: the served name, or spec, of the float model that it is a low-bit version of; None of one that stands for itself.
        bits: the bits that it is said to be served at, such as w4a16, or None.
        concurrency: requests under way at once.
        prices: money for a million tokens, in and out.
    """

    chat: Chat
    geometry: Geometry
    spec: str
    digest: str
    served: str
    of: str | None = None
    bits: str | None = None
    concurrency: int = 4
    prices: tuple[float, float] = (0.0, 0.0)

    differentiable: ClassVar[bool] = False

    @property
    def form(self) -> Geometry:
        """The geometry, by the name that it has of every model."""
        return self.geometry

    @property
    def recipe(self) -> str:
        """What its rows call the recipe: ``fp32`` (as served) of a control, ``served:NAME[,bits]`` of a low-bit version."""
        return "fp32" if self.of is None else f"served:{self.served}{',' + self.bits if self.bits else ''}"
