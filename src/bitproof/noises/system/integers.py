"""Site ``model``: integer arithmetic in a real engine. The class is a declaration; ``export`` carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bitproof.core import Deploy, SpecError

BIASES = ("int32", "float")


@dataclass(frozen=True)
class Int8Ort:
    """The low-bit network on its integers in onnxruntime's CPU kernels instead of simulated in float.

    ``bias``: ``int32`` rounds biases to what products are counted in, inside fused kernels, as deployed networks have it;
    ``float`` adds them in float, so that no code but those next to a rounding boundary differs from the simulation's.
    The numbers depend on the processor's instructions, see ``bitproof doctor``. Fits low-bit recipes alone; no gradient.
    Range: 2 to 8 bits, weights and inputs apart. Raises: SpecError. Source: onnxruntime, QLinearConv and ConvInteger.
    Differs from the paper: sums are rescaled by a float, where 1712.05877 takes a fixed-point multiplier.
    """

    bias: str = "int32"

    site: ClassVar[str] = "model"
    family: ClassVar[str] = "system"
    kinds: ClassVar[tuple[str, ...]] = ("image", "keyword")
    needs: ClassVar[str] = "deploy"
    source: ClassVar[str] = "onnxruntime; simulated against integer: 1712.05877, section 3"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.bias not in BIASES:
            raise SpecError(f"bias={self.bias!r} is unknown: {' or '.join(BIASES)}. Type for example int8-ort:bias=float.")

    def __call__(self, network: Deploy) -> Any:
        """Return the network as a session of onnxruntime."""
        return network.integers("onnxruntime", bias=self.bias)
