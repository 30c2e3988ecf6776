"""Low bits by hand.

A small network on scikit-learn's digits, made low-bit in one call, and what it still reads at a twentieth of the contrast.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import bitproof as bp

torch.manual_seed(0)
digits = load_digits()
pictures = np.kron(digits.images * 15.9, np.ones((4, 4))).astype(np.uint8)  # 32×32
pictures = np.repeat(pictures[..., None], 3, axis=-1)


def tensor(some):
    return torch.tensor(some).permute(0, 3, 1, 2).float() / 255


x, y = tensor(pictures), torch.tensor(digits.target)
net = nn.Sequential(
    *(nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU()),
    *(nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU()),
    *(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, 10)),
)
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(3):
    for rows in torch.randperm(1400).split(100):
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        optimizer.zero_grad(), loss.backward(), optimizer.step()
net.eval()

grey = tensor(np.stack([bp.corrupt(picture, "contrast:4", seed=i) for i, picture in enumerate(pictures[1400:])]))


def accuracy(model, pictures):
    with torch.inference_mode():
        return 100 * (model(pictures).argmax(1) == y[1400:]).float().mean().item()


print(f"{'float':10}  clean {accuracy(net, x[1400:]):.1f} %  grey {accuracy(net, grey):.1f} %")
for recipe in ("mse:w8a8", "mse:w4a4", "mse:w2a2", "minmax:w2a2"):
    model, report = bp.quantize(net, recipe, calibration=[x[:256]])
    size = f"{report.size_bytes / report.float_bytes:.0%} of the bytes"
    print(f"{recipe:10}  clean {accuracy(model, x[1400:]):.1f} %  grey {accuracy(model, grey):.1f} %  {size}")
print()
print(report)
