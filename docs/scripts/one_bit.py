"""One bit, packed.

A binarized network, its layers replaced by arithmetic on bits, and how near the two are.
Sums of signs are exact; scales and norms round elsewhere, so a value next to a threshold may change its sign.
"""

import tempfile
from pathlib import Path

import torch
from torch import nn

import bitproof as bp

torch.manual_seed(0)
net = nn.Sequential(
    *(nn.Conv2d(3, 64, 3, padding=1), nn.BatchNorm2d(64), nn.Hardtanh()),
    *(nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.Hardtanh()),
    *(nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.Hardtanh()),
    *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
).eval()
x = torch.randn(8, 3, 32, 32)

simulated, _ = bp.quantize(net, "bireal:w1a1", calibration=[x])  # here one would train it
packed, report = bp.deploy(simulated, x[:2])
print(report)

with torch.inference_mode():
    ours, theirs = packed(x), simulated(x)
print(f"logits up to {theirs.abs().max():.2f}, the two apart by at most {(ours - theirs).abs().max():.3f}")

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "net.safetensors"
    bp.save_packed(packed, path)
    float_bytes = sum(4 * p.numel() for p in net.parameters())
    print(f"{path.stat().st_size:,} bytes on disk, {float_bytes:,} of float parameters")
    with torch.inference_mode():
        print("loaded again, the logits are the same:", torch.equal(bp.load_packed(path)(x), packed(x)))
