"""Low-bit networks whose arithmetic is exact: every scale a power of two, every bias a multiple of what products count in."""

import torch
from torch import nn

from bitproof.convert import quantize
from bitproof.export import low_bit_layers


def pictures(n=6, size=12, seed=0):
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(seed))


def network(middle, activation=nn.ReLU, bias=True, window=1):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first = [nn.Conv2d(3, 8, 3, padding=1, bias=bias), activation(), middle(8), activation()]
        rest = [nn.Conv2d(8, 8, window, padding=window // 2, bias=bias), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)]
        return nn.Sequential(*first, *rest).eval()


@torch.no_grad()
def exact(model):
    """Round every scale to a power of two and every bias to a multiple of s_x·s_w: float32 then computes without rounding."""
    for layer in low_bit_layers(model).values():
        for quantizer in (layer.input_quantizer, layer.weight_quantizer):
            quantizer.scale.copy_(2.0 ** quantizer.scale.log2().round())
        if layer.layer.bias is not None:
            unit = (layer.input_quantizer.scale * layer.weight_quantizer.scale).flatten()
            layer.layer.bias.copy_((layer.layer.bias / unit).round() * unit)
    return model


def low_bit(model, recipe, size=12):
    return quantize(model, f"{recipe},first=same,last=same", [pictures(8, size, seed=1)]).model
