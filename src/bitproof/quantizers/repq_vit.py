"""RepQ-ViT: vision transformers after training; norms are rescaled so that one step fits all channels, maps have powers of √2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from bitproof.quantizers.affine import POST_TRAINING, Quantizer, scale_of, widen
from bitproof.quantizers.search import Histogram, Searched, rounding_error
from bitproof.quantizers.staircase import Staircase

#: Shares of the values that a range may leave out at either end.
TAILS = (1e-3, 1e-4, 1e-5)


@dataclass(eq=False, repr=False, kw_only=True)
class RepQViT(Searched):
    """Post-training quantization of transformers: norms rescaled for one step, powers of √2 for attention maps.

    Forward: lo and hi leave 0.1, 0.01 or 0.001 % of the values out at either end, whichever rounds best (smallest Σ (x_hat − x)²);
    then as min–max. Weights by channel.
    Inputs behind a layer norm, in ``convert``: with the range s_c, z_c of each channel, their means s̄ and z̄, r = s_c / s̄ and
    t = s_c·(z_c − z̄), the norm's γ becomes γ / r, its β (β + t) / r, each following weight W·r by input channel, its bias b − W·t.
    Attention map, D its highest value by the same rule: n = round(−2·log₂(x / D)), x_hat = D·2^(−n/2), 0 from n = 2^bits − 1 on.
    Backward: dx = g inside the range, widened by half a step, else 0. Shapes: any → the same.

    Source: arXiv 2212.08254, equations 5 to 13; constants: zkkli/RepQ-ViT a160561.
    Differs from the paper: a channel's range is its minimum and maximum; the rescaled input is calibrated anew; weights are
    symmetric; the map's last code is 0, so that there are 2^bits levels, where the code has one more; first and last layer
    have 8 bits.
    """

    source: ClassVar[str] = "arXiv 2212.08254"
    reparametrises: ClassVar[bool] = True
    defaults: ClassVar[dict[str, Any]] = {**POST_TRAINING, "products": "same"}

    @classmethod
    def at_operand(cls, operand: str) -> type[Quantizer]:
        """The map has powers of √2."""
        return RootMap if operand == "map" else cls

    def span_of_counts(self, histogram: Histogram, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
        """Leave out the tails that cost more than they are worth."""
        error = self.error_of_counts(histogram, lo.device)
        ends = [histogram.percentile(100 * (1 - 2 * tail)) for tail in TAILS]
        spans = [widen(a.to(lo).clamp(lo, hi), b.to(lo).clamp(lo, hi), self.symmetric, bool(self.signed)) for a, b in ends]
        return min(spans, key=lambda span: float(error(*span)))

    def span_of_rows(self, rows: Tensor, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
        """Leave out the tails of |w| of each row that cost more than they are worth."""
        lower, upper = self.code_range()
        bounds = torch.stack([rows.abs().quantile(1 - tail, dim=1) for tail in TAILS])
        errors = [rounding_error(rows, scale_of(-b, b, self.bits, bool(self.signed)), lower, upper) for b in bounds]
        bound = bounds.gather(0, torch.stack(errors).argmin(0)[None])[0]
        return -bound, bound


@dataclass(eq=False, repr=False, kw_only=True)
class RootMap(Staircase):
    """RepQ-ViT's attention map: powers of √2 and 0; see ``RepQViT``."""

    source: ClassVar[str] = RepQViT.source

    def __post_init__(self) -> None:
        super().__post_init__()
        self._histogram = Histogram()

    def collect(self, x: Tensor) -> None:
        """Count the values."""
        self._histogram.add(x)

    def settle(self, lo: Tensor, hi: Tensor) -> None:
        """Choose D, the highest level."""
        values, counts = (t.to(hi.device) for t in self._histogram.values())
        errors = []
        for tail in TAILS:
            self._fill(self._histogram.percentile(100 * (1 - 2 * tail))[1].to(hi).clamp(lo, hi))
            errors.append((float(((self.levels[self._nearest(values)] - values).square() * counts).sum()), tail))
        self._fill(self._histogram.percentile(100 * (1 - 2 * min(errors)[1]))[1].to(hi).clamp(lo, hi))
        self._histogram = Histogram()

    def _fill(self, highest: Tensor) -> None:
        d = torch.where(highest > 0, highest, 1.0)
        n = torch.arange(2**self.bits, device=self.levels.device)
        self.levels.copy_(torch.where(n < n[-1], d * 2 ** (-n / 2), 0.0))

    def place(self, x: Tensor) -> Tensor:
        """Return −2·log₂(x / D), at most that of 0."""
        return (x / self.levels[0]).log2().mul(-2).clamp(max=self.top + 1)

    def _nearest(self, x: Tensor) -> Tensor:
        return self.place(x).round().clamp(0, self.top).long()

    @torch.no_grad()
    def codes(self, x: Tensor) -> Tensor:
        """Return n as int32: 0 is the highest level, the last one is 0."""
        self.limits()
        return self._nearest(x).to(torch.int32)
