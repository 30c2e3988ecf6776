"""Quantizers of an attention's map whose levels are not equally spaced: a code is a place in a table of values."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from bitproof.core import Info
from bitproof.quantizers.affine import Quantizer
from bitproof.quantizers.ste import Backward, by_mode, pass_inside


class _Table(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, x_hat: Tensor, v: Tensor, top: int, gradient: str | Backward) -> Tensor:
        ctx.save_for_backward(v)
        ctx.settings = top, gradient
        return x_hat.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (g,), (v,) = grads, ctx.saved_tensors
        top, gradient = ctx.settings
        one = v.new_ones(())
        dx = by_mode(gradient, g, v, one, 0, top, lambda: pass_inside(g, v, one, -0.5, top + 0.5))
        return dx, None, None, None, None


@dataclass(eq=False, repr=False, kw_only=True)
class Staircase(Quantizer):
    """Base of quantizers with a table of ``levels``: x_hat = levels[q], q = 0 … 2^bits − 1.

    A method fills in ``place``, which says in units of codes where a value lies on its part of the staircase, and ``codes``.
    Backward: dx = g where place is between −½ and ``top`` + ½, else 0. Shapes: …×h×n×m in [0, 1] → the same.
    """

    levels: Tensor = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.register_buffer("levels", torch.zeros(2**self.bits))

    @abstractmethod
    def place(self, x: Tensor) -> Tensor:
        """Return where ``x`` lies between codes, a float that rounds to one."""

    @property
    def top(self) -> int:
        """The highest place that is a level of its own."""
        return int(2**self.bits - 1)

    def step(self) -> Tensor:
        """Return 1: a level is what the table says."""
        return torch.ones_like(self.levels[0])

    def code_range(self) -> tuple[int, int]:
        """Return the first and last place in the table."""
        return 0, 2**self.bits - 1

    def forward(self, x: Tensor) -> Tensor:
        """Return x_hat, of the shape of ``x``; the gradient follows ``self.gradient``."""
        x_hat = self.dequantize(self.codes(x))
        if not (torch.is_grad_enabled() and x.requires_grad):
            return x_hat
        table: Tensor = _Table.apply(x, x_hat, self.place(x.detach()), self.top, self.gradient)
        return table

    @torch.no_grad()
    def dequantize(self, q: Tensor) -> Tensor:
        """Return the levels of the codes."""
        self.limits()
        return self.levels[q.long()]

    def info(self) -> Info:
        """Return the table."""
        low, high, _ = self.limits()
        return Info(self.bits, self.step(), self.zero_point.detach(), low, high, values=self.levels.detach())
