"""Networks with ``nn.MultiheadAttention`` on packed bits: the opened attention has an exported program for any batch."""

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

import bitproof as bp
from bitproof.export import low_bit_layers


class Encoder(nn.Module):
    """Torch's own encoder behind patches; its activation is a function."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(64, 4, 96, dropout=0.1, batch_first=True)
        self.patches, self.body, self.head = nn.Conv2d(3, 64, 8, 8), nn.TransformerEncoder(layer, 2), nn.Linear(64, 4)

    def forward(self, x):
        return self.head(self.body(self.patches(x).flatten(2).transpose(1, 2)).mean(1))


def vit():
    net = VisionTransformer(image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=64, mlp_dim=96, num_classes=4)
    nn.init.normal_(net.heads.head.weight)
    return net


@pytest.mark.parametrize("make", [vit, Encoder], ids=lambda make: make.__name__)
def test_every_projection_is_packed(make):
    """Where a sum ends within rounding of 0, the next sign may differ, so nearly all logits are the simulated ones."""
    x = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model = bp.quantize(make().eval(), "bireal:w1a1", [x]).model
    deployed = bp.deploy(model, x[:2])
    layers = low_bit_layers(model)
    assert sum(name.endswith(("q_proj", "k_proj", "v_proj", "out_proj")) for name in layers) == 8
    assert deployed.report.packed == len(layers) == 12
    with torch.no_grad():
        for part in (x, x[:3]):
            simulated = model(part)
            off = (deployed.model(part) - simulated).abs().amax(1) / simulated.abs().max()
            assert (off < 1e-3).float().mean() >= 0.6 and float(off.max()) < 0.5, off
