"""Tensor → tensor with a gradient rule; one method a file over bases: ``ste``, ``affine``, ``search``, ``guided`` and others."""

from bitproof.core import Registry
from bitproof.quantizers.affine import OPERANDS, Quantizer
from bitproof.quantizers.ste import BACKWARDS, MODES

QUANTIZERS = Registry(
    "quantizer",
    {
        "minmax": "bitproof.quantizers.minmax:MinMax",
        "percentile": "bitproof.quantizers.percentile:Percentile",
        "mse": "bitproof.quantizers.mse:Mse",
        "adaround": "bitproof.quantizers.adaround:AdaRound",
        "ptq4vit": "bitproof.quantizers.ptq4vit:PTQ4ViT",
        "apq-vit": "bitproof.quantizers.apq_vit:APQViT",
        "repq-vit": "bitproof.quantizers.repq_vit:RepQViT",
        "lsq": "bitproof.quantizers.lsq:LSQ",
        "lsqplus": "bitproof.quantizers.lsqplus:LSQPlus",
        "pact": "bitproof.quantizers.pact:PACT",
        "dorefa": "bitproof.quantizers.dorefa:DoReFa",
        "n2uq": "bitproof.quantizers.n2uq:N2UQ",
        "bnn": "bitproof.quantizers.bnn:BNN",
        "xnor": "bitproof.quantizers.xnor:XNOR",
        "bireal": "bitproof.quantizers.bireal:BiReal",
        "xnorpp": "bitproof.quantizers.xnorpp:XNORpp",
        "reactnet": "bitproof.quantizers.reactnet:ReActNet",
        "recu": "bitproof.quantizers.recu:ReCU",
        "fda": "bitproof.quantizers.fda:FDA",
        "bibert": "bitproof.quantizers.bibert:BiBERT",
        "elastic": "bitproof.quantizers.elastic:Elastic",
        "bifsmn": "bitproof.quantizers.bifsmn:BiFSMN",
        "bifsmnv2": "bitproof.quantizers.bifsmnv2:BiFSMNv2",
    },
)

__all__ = ["BACKWARDS", "MODES", "OPERANDS", "QUANTIZERS", "Quantizer"]
