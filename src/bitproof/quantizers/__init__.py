"""Tensor → tensor with a gradient rule; one method a file over ``ste``, ``affine``, ``binary`` and ``search``."""

from bitproof.core import Registry
from bitproof.quantizers.affine import OPERANDS, Quantizer
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
        "bnn": "bitproof.quantizers.bnn:BNN",
        "xnor": "bitproof.quantizers.xnor:XNOR",
        "bireal": "bitproof.quantizers.bireal:BiReal",
        "xnorpp": "bitproof.quantizers.xnorpp:XNORpp",
        "reactnet": "bitproof.quantizers.reactnet:ReActNet",
        "recu": "bitproof.quantizers.recu:ReCU",
        "fda": "bitproof.quantizers.fda:FDA",
        "bibert": "bitproof.quantizers.bibert:BiBERT",
        "elastic": "bitproof.quantizers.elastic:Elastic",
    },
)

__all__ = ["BACKWARDS", "MODES", "OPERANDS", "QUANTIZERS", "Quantizer"]
