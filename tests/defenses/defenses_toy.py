"""A network small enough to fit patches on in a blink, and what they are fitted on."""

import torch
from torch import nn

from bitproof.core import Batches
from bitproof.models import TorchVictim

SIZE, CLASSES = 16, 3


def victim(seed: int = 7) -> TorchVictim:
    """3×16×16 → 3 classes, from 4×4 means and a layer of tanh."""
    draw = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(48, 16), nn.Tanh(), nn.Linear(16, CLASSES))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw) * 0.4)
    return TorchVictim(net.eval())


def batches(n: int = 24, seed: int = 0, labels: tuple[int, ...] = (0, 1, 2)) -> Batches:
    draw = torch.Generator().manual_seed(seed)
    x, y = torch.rand(n, 3, SIZE, SIZE, generator=draw), torch.randint(0, CLASSES, (n,), generator=draw)
    return Batches(((x[: n // 2], y[: n // 2]), (x[n // 2 :], y[n // 2 :])), labels, SIZE, seed)


def right(victims, patches, given) -> float:
    """The share of pictures that are right with their patch."""
    hits = [
        (v.decide(patches(x[i : i + 1], int(y[i]), 0)) == y[i]).float()
        for x, y in given.pictures
        for i in range(len(x))
        for v in victims
    ]
    return float(torch.stack(hits).mean())
