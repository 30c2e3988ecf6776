"""A tiny network, and a victim that keeps a record of what it was asked."""

import torch
from torch import nn

from bitproof.models import TorchVictim


def net() -> nn.Module:
    """3×6×6 → 4 classes, smooth enough to be attacked and curved enough to need steps."""
    generator = torch.Generator().manual_seed(7)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Tanh(), nn.Conv2d(8, 8, 3), nn.Tanh(), nn.Flatten(), nn.Linear(32, 4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
    return model.eval()


def pictures(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """``n`` random pictures, some values on the bounds, and the classes that the network gives them."""
    x = (torch.rand(n, 3, 6, 6, generator=torch.Generator().manual_seed(seed)) * 1.2 - 0.1).clamp(0, 1)
    return x, net()(x).argmax(1)


class Recorder(TorchVictim):
    """Notes every batch, and every gradient mode that was asked for."""

    def __init__(self, module: nn.Module | None = None, differentiable: bool = True) -> None:
        super().__init__(module or net(), differentiable)
        self.batches: list[torch.Tensor] = []
        self.modes: list[str] = []

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        self.batches.append(x.detach().clone())
        return super().logits(x)

    def with_gradient(self, mode: str) -> "Recorder":
        self.modes.append(mode)
        return self
