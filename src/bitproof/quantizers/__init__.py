"""Tensor → tensor with a gradient rule; one method a file over ``ste``, ``affine`` and ``search``."""

from bitproof.core import Registry
from bitproof.quantizers.affine import Quantizer
from bitproof.quantizers.ste import BACKWARDS, MODES

QUANTIZERS = Registry(
    "quantizer",
    {
        "minmax": "bitproof.quantizers.minmax:MinMax",
        "percentile": "bitproof.quantizers.percentile:Percentile",
        "mse": "bitproof.quantizers.mse:Mse",
        "lsq": "bitproof.quantizers.lsq:LSQ",
        "pact": "bitproof.quantizers.pact:PACT",
        "dorefa": "bitproof.quantizers.dorefa:DoReFa",
    },
)

__all__ = ["BACKWARDS", "MODES", "QUANTIZERS", "Quantizer"]
