"""Scale and zero-point maths, integer codes, and the base classes of every affine quantizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bitproof.core import BitproofError, Info, ShapeError, SpecError
from bitproof.quantizers.ste import MODES, fake_quantize

ROLES = ("weight", "activation")

#: The operands of an attention's two products: queries·keys and map·values.
OPERANDS = ("query", "key", "map", "value")

#: What post-training and what trained methods take where a recipe says nothing (MQBench's academic setting, arXiv 2111.03759).
POST_TRAINING: dict[str, Any] = {"per": "channel", "symmetric": False, "first": "8", "last": "8", "fold": True}
TRAINED: dict[str, Any] = {"per": "tensor", "symmetric": True, "first": "8", "last": "8", "fold": False}


def code_range(bits: int, signed: bool) -> tuple[int, int]:
    """Return the lowest and highest code: [−2^(b−1), 2^(b−1) − 1] if signed, else [0, 2^b − 1]."""
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def scale_of(lo: Tensor, hi: Tensor, bits: int, signed: bool) -> Tensor:
    """Return s = (hi − lo) / (2^bits − 1), if signed hi / (2^(bits−1) − 1); 1 where that is 0: a channel of zeros gives zeros."""
    high = code_range(bits, signed)[1]
    s = hi / high if signed else (hi - lo) / high
    return torch.where(s > torch.finfo(s.dtype).tiny, s, 1.0)


def zero_point_of(lo: Tensor, s: Tensor, bits: int) -> Tensor:
    """Return z = clip(round(−lo / s), 0, 2^bits − 1): the code that 0 is coded by, exactly."""
    return (-lo / s).round().clamp(0, 2**bits - 1).to(torch.int32)


def squash(w: Tensor, channels: int | None, axis: int) -> Tensor:
    """Return tanh(w) / (max|tanh(w)| + 1e-5), inside (−1, 1); the maximum is per channel where there are channels.

    Source: arXiv 1606.06160, equation 9; the 1e-5 is MQBench's.
    """
    t = w.tanh()
    others = [d for d in range(t.ndim) if channels is None or d != t.ndim + axis]
    return t / (t.abs().amax(dim=others, keepdim=True) + 1e-5)


def _allowed(widths: tuple[int, ...], asked: int) -> str:
    if len(widths) == 1:
        return "it has 1 bit alone; w32 or a32 leaves a side float, first=float and last=float an end."
    one = " Binarization methods are quantizers of their own: 'bitproof list quantizers' shows them." if asked == 1 else ""
    return f"{widths[0]} to {widths[-1]} are allowed.{one}"


@dataclass(eq=False, repr=False, kw_only=True)
class Quantizer(nn.Module, ABC):
    """Base of the affine quantizers: q = clip(round(x / s) + z, low, high), x_hat = (q − z)·s.

    ``observe`` any number of batches, ``freeze``, then call. ``scale`` has shape () or, per channel, channels×1×…, so it
    broadcasts: ``axis`` is counted from the end (−4 for the outputs of a conv2d weight O×I×kh×kw).
    Symmetric ranges have z = 0 and adaptive sign: activations whose calibrated minimum is ≥ 0 use codes [0, 2^b − 1], all
    else [−2^(b−1), 2^(b−1) − 1]; the choice is frozen. Affine ranges hold 0, use codes [0, 2^b − 1], z is one of them.

    Raises SpecError for settings outside the docstring, BitproofError when called before ``freeze``.
    """

    bits: int
    role: str = "weight"
    channels: int | None = None
    axis: int = -1
    symmetric: bool = True

    source: ClassVar[str] = ""
    version: ClassVar[int] = 1
    trainable: ClassVar[bool] = False
    rounding: ClassVar[str] = "half to even"
    reconstructs: ClassVar[bool] = False  # whether convert rounds its weights layer after layer
    reparametrises: ClassVar[bool] = False  # whether convert rescales norms for its inputs
    scored_at: ClassVar[str] = "layer"  # the output at which guided ranges are weighed: the layer's own, or its block's
    idempotent: ClassVar[bool] = True
    gradients: ClassVar[tuple[str, ...]] = MODES  # what ``gradient`` may be set to
    symmetric_only: ClassVar[bool] = False
    widths: ClassVar[tuple[int, ...]] = tuple(range(2, 9))  # the bits that there are
    per_input_channel: ClassVar[bool] = False  # whether an input's quantizer tells channels apart
    stored_per_input_channel: ClassVar[int] = 0  # numbers that a deployed layer keeps for each
    of_scores: ClassVar[bool] = False  # an attention map's: it takes the scores, and no softmax is taken before it
    training_only: ClassVar[tuple[str, ...]] = ()  # parameters, or modules of them, that are no part of the evaluated network
    defaults: ClassVar[dict[str, Any]] = POST_TRAINING
    gradient = "ste"  # not a setting: a victim sets it from outside

    zero_point: Tensor = field(init=False)
    signed: Tensor = field(init=False)
    calibrated: Tensor = field(init=False)

    def __new__(cls, *args: object, **settings: object) -> Quantizer:
        """Set the module up before the dataclass assigns the first field."""
        self = super().__new__(cls)
        nn.Module.__init__(self)
        return self

    def __post_init__(self) -> None:
        self._check()
        self.register_buffer("zero_point", torch.zeros((), dtype=torch.int32))
        self.register_buffer("signed", torch.tensor(self.role == "weight"))
        self.register_buffer("calibrated", torch.tensor(False))
        self._bounds: tuple[Tensor, Tensor] | None = None
        self._numbers: tuple[int, int, int] | None = None

    def _check(self) -> None:
        if self.bits not in self.widths:
            raise SpecError(f"{self.bits} bits were asked of {type(self).__name__}; {_allowed(self.widths, self.bits)}")
        if self.role not in ROLES:
            raise SpecError(f"The role {self.role!r} is unknown: {' or '.join(ROLES)}.")
        if self.symmetric_only and not self.symmetric:
            raise SpecError(f"{type(self).__name__} has symmetric ranges only; symmetric=false was asked.")
        if self.channels is not None and (self.channels < 1 or self.axis >= 0 or not self.symmetric):
            raise SpecError(
                "Per-channel ranges are symmetric, have at least one channel, and an axis counted from the end (−1, −2, …)."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the scale: () or (channels, 1, …)."""
        return () if self.channels is None else (self.channels, *[1] * (-self.axis - 1))

    @classmethod
    def at_width(cls, bits: int) -> type[Quantizer]:
        """Return the class that quantizes to ``bits`` under this name: a method may have a form of its own at 1 bit."""
        return cls

    @classmethod
    def at_operand(cls, operand: str) -> type[Quantizer]:
        """Return the class that quantizes an operand of ``OPERANDS``: a method may have a form of its own for a map."""
        return cls

    def gain(self) -> nn.Module | None:
        """Return what the layer's output is multiplied by beside the scales (a ``Gain`` of ``binary``), made anew, or None."""
        return None

    # What a method fills in.

    @abstractmethod
    def step(self) -> Tensor:
        """Return the scale now, positive, of shape ``shape``."""

    def transform(self, x: Tensor) -> Tensor:
        """Return what is rounded in place of ``x``: here ``x`` itself."""
        return x

    def collect(self, x: Tensor) -> None:
        """Keep of a calibration batch what ``settle`` needs beside its minimum and maximum."""

    @abstractmethod
    def settle(self, lo: Tensor, hi: Tensor) -> None:
        """Set the numbers from the calibrated minimum and maximum, each of shape ``shape``; ``signed`` is set already."""

    # What everybody calls.

    def observe(self, x: Tensor) -> None:
        """Take one calibration batch into the statistics. Raises ShapeError on NaN, infinity or wrong channels."""
        if not bool(x.isfinite().all()):
            raise ShapeError("A calibration batch holds NaN or infinity; finite numbers are needed.")
        x = self.transform(x.detach())
        lo, hi = self._extremes(x)
        if self._bounds is not None:
            lo, hi = torch.minimum(lo, self._bounds[0]), torch.maximum(hi, self._bounds[1])
        self._bounds = lo, hi
        self.collect(x)

    def _extremes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.numel() == 0:
            raise ShapeError(f"A calibration batch of shape {tuple(x.shape)} is empty.")
        if self.channels is None:
            low, high = torch.aminmax(x)
            return low, high
        if x.ndim < -self.axis or x.shape[self.axis] != self.channels:
            raise ShapeError(f"{self.channels} channels were expected at axis {self.axis}, found shape {tuple(x.shape)}.")
        rows = x.movedim(self.axis, 0).reshape(self.channels, -1)
        return rows.amin(1).reshape(self.shape), rows.amax(1).reshape(self.shape)

    @property
    def seen(self) -> bool:
        """Whether a batch was observed since the last ``freeze``."""
        return self._bounds is not None

    @torch.no_grad()
    def freeze(self) -> None:
        """Fix the ranges from the statistics and drop those. Raises BitproofError without a batch."""
        if self._bounds is None:
            raise BitproofError(f"{type(self).__name__} has seen no batch: call observe(x) before freeze().")
        lo, hi = self._bounds
        self.signed.fill_(self.symmetric and (self.role == "weight" or bool((lo < 0).any())))
        self.settle(lo, hi)
        self.calibrated.fill_(True)
        self._bounds = self._numbers = None

    @property
    def at_zero(self) -> bool:
        """Whether codes change at 0, so that a value next to 0 must keep its sign."""
        return False

    def code_range(self) -> tuple[int, int]:
        """Return the lowest and highest code."""
        return code_range(self.bits, bool(self.signed))

    def limits(self) -> tuple[int, int, int]:
        """Return (low − z, high − z, z). Raises BitproofError before ``freeze``."""
        if self._numbers is None:  # Python numbers, read once: a device is not waited for at each call
            if not self.calibrated:
                raise BitproofError(
                    f"This {type(self).__name__} quantizer has no range yet: calibrate first (observe, then freeze)."
                )
            low, high = self.code_range()
            z = int(self.zero_point)
            self._numbers = low - z, high - z, z
        return self._numbers

    def forward(self, x: Tensor) -> Tensor:
        """Return x_hat, of the shape of ``x``; the gradient follows ``self.gradient``."""
        lower, upper, _ = self.limits()
        return self.snap(self.transform(x), lower, upper)

    def snap(self, x: Tensor, lower: int, upper: int) -> Tensor:
        """Round with the method's gradient; here nothing flows to the scale."""
        return fake_quantize(x, self.step(), lower, upper, self.gradient)

    @torch.no_grad()
    def codes(self, x: Tensor) -> Tensor:
        """Return q as int32, of the shape of ``x``."""
        lower, upper, z = self.limits()
        return self.transform(x).div(self.step()).round_().clamp_(lower, upper).to(torch.int32) + z

    @torch.no_grad()
    def dequantize(self, q: Tensor) -> Tensor:
        """Return (q − z)·s: ``dequantize(codes(x))`` is ``forward(x)`` bit for bit."""
        s = self.step()
        return (q - self.limits()[2]).to(s.dtype) * s

    def info(self) -> Info:
        """Return the frozen numbers."""
        lower, upper, z = self.limits()
        return Info(self.bits, self.step().detach(), self.zero_point.detach(), lower + z, upper + z)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._numbers = None

    def extra_repr(self) -> str:
        """Return the settings for ``print(module)``."""
        per = "tensor" if self.channels is None else f"{self.channels} channels"
        return f"bits={self.bits}, role={self.role}, per {per}, {'symmetric' if self.symmetric else 'affine'}"


@dataclass(eq=False, repr=False, kw_only=True)
class Ranged(Quantizer):
    """Base of the methods whose range is fixed at calibration; a method fills in ``span``."""

    scale: Tensor = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.register_buffer("scale", torch.ones(self.shape))

    def step(self) -> Tensor:
        """Return the frozen scale."""
        return self.scale

    def span(self, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
        """Return the range (lo, hi) to be covered, from the calibrated minimum and maximum."""
        return lo, hi

    def settle(self, lo: Tensor, hi: Tensor) -> None:
        """Set scale and zero point so that the codes cover ``span``."""
        lo, hi = widen(*self.span(lo, hi), self.symmetric, bool(self.signed))
        self.scale.copy_(scale_of(lo, hi, self.bits, bool(self.signed)))
        if not self.symmetric:
            self.zero_point.copy_(zero_point_of(lo, self.scale, self.bits))


def widen(lo: Tensor, hi: Tensor, symmetric: bool, signed: bool) -> tuple[Tensor, Tensor]:
    """Return the range that holds 0 and, if symmetric, mirrors the larger side (or starts at 0 if unsigned)."""
    if not symmetric:
        return lo.clamp(max=0), hi.clamp(min=0)
    bound = torch.maximum(lo.abs(), hi.abs())
    return (-bound if signed else torch.zeros_like(bound)), bound
