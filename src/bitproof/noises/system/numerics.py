"""Site ``model``: the number format in which a runtime computes. Each class is a declaration; ``convert`` carries it out.

Source: SysNoise (MLSys 2023), data precision. Differs from the paper: it names no rounding inside a layer; here the products of
a convolution, a linear layer or a matrix product are summed in float32 and rounded once, as accelerators do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bitproof.core import Rewrite
from bitproof.noises.system.declared import Declared


class _Precision(Declared):
    """Casts the whole network; a subclass names the format."""

    source: ClassVar[str] = "SysNoise (MLSys 2023), data precision"
    kinds: ClassVar[tuple[str, ...]] = ("image", "keyword", "text", "points")
    dtype: ClassVar[str]

    def __call__(self, network: Rewrite) -> Any:
        """Return the network with weights, inputs and every operation's output in the format, logits in float32."""
        return network.cast(self.dtype)


@dataclass(frozen=True)
class Fp16(_Precision):
    """The whole network in IEEE half precision: 11 significant bits, values beyond 65504 overflow; quantizers included."""

    dtype: ClassVar[str] = "float16"


@dataclass(frozen=True)
class Bf16(_Precision):
    """The whole network in bfloat16: 8 significant bits, float32's range; quantizers included."""

    dtype: ClassVar[str] = "bfloat16"
