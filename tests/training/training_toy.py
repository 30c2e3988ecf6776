"""A toy problem that takes milliseconds: is the brighter half of a picture on the left?"""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import Dataset

from bitproof.training import Trained, Training, train


class Toy(Dataset[tuple[torch.Tensor, int]]):
    """``n`` pictures 3×8×8 in [0, 1]; class 0 is bright on the left, class 1 on the right."""

    def __init__(self, n: int = 60) -> None:
        generator = torch.Generator().manual_seed(0)
        self.y = torch.arange(n) % 2
        self.x = torch.rand(n, 3, 8, 8, generator=generator) * 0.7
        for i, label in enumerate(self.y):
            self.x[i, :, :, 4 * label : 4 * label + 4] += 0.3

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.x[index], int(self.y[index])


def network(*, dropout: float = 0.0, norm: bool = True, seed: int = 0) -> nn.Sequential:
    """A small convolutional network with two logits, the same weights for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.BatchNorm2d(6) if norm else nn.Identity(),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(6 * 64, 2),
        )


def settings(**changes: object) -> Training:
    """Two epochs of batches of 16."""
    return Training(**{"epochs": 2, "lr": 0.05, "batch_size": 16, **changes})  # type: ignore[arg-type]


def run(model: nn.Module, data: object, *, seed: int = 7, **options: object) -> Trained:
    """Train on the CPU; keywords that ``train`` has go to it, the others to the settings."""
    own = ("teacher", "checkpoint", "perturb", "validate", "progress", "workers", "accelerator")
    outside = {name: options.pop(name) for name in own if name in options}
    if "accelerator" not in outside:
        outside["accelerator"] = Accelerator(cpu=True)
    return train(model, data, settings(**options), seed=seed, **outside)  # type: ignore[arg-type]


def same(a: nn.Module, b: nn.Module) -> bool:
    """Whether two networks are equal in every bit."""
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
