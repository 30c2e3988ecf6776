"""D-FSMN for keywords: a stem of two convolutions, blocks with a memory along time, a linear layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from bitproof.core import Clip, SpecError
from bitproof.models.network import Network, Normalized, of_form, seeded
from bitproof.models.weights import load_weights

#: Width of a block, of its inside, and frames behind the stem, which takes 32 bands × 32 frames.
WIDTH, HIDDEN, FRAMES = 128, 256, 8

#: How many blocks of 8 may run. Source: BiFSMN (2202.06483), released code.
DEPTHS = (8, 4, 2, 1)

#: Mean and deviation of the log-mel spectrum of Speech Commands, dB, roughly: they only bring it near 0 and 1.
MEAN_DB, STD_DB = -30.0, 25.0

Activation = Callable[[], nn.Module]


class Norms(nn.Module):
    """A batch norm and an activation for each depth; the one of ``depth`` runs. N×C×1×T → the same."""

    def __init__(self, channels: int, depths: Sequence[int], activation: Activation) -> None:
        super().__init__()
        self.norms = nn.ModuleDict({str(depth): nn.BatchNorm2d(channels) for depth in depths})
        self.activations = nn.ModuleDict({str(depth): activation() for depth in depths})
        self.depth = str(max(depths))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise and bend."""
        y: Tensor = self.activations[self.depth](self.norms[self.depth](x))
        return y


class Block(nn.Module):
    """m = f(norm(memory(x))) + x; y = f(norm(down(g(norm(up(m)))))) + m. N×128×1×T → the same.

    The memory is a convolution along time, each channel by itself. The axis of 1 makes all of them convolutions over two axes,
    which every kernel and runtime has.
    """

    def __init__(self, depths: Sequence[int], outer: Activation, inner: Activation, dropout: float) -> None:
        super().__init__()
        self.memory = nn.Conv2d(WIDTH, WIDTH, (1, 5), padding=(0, 2), groups=WIDTH)
        self.memory_norm = Norms(WIDTH, depths, outer)
        self.up = nn.Conv2d(WIDTH, HIDDEN, 1)
        self.up_norm = Norms(HIDDEN, depths, inner)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Conv2d(HIDDEN, WIDTH, 1)
        self.down_norm = Norms(WIDTH, depths, outer)

    def forward(self, x: Tensor) -> Tensor:
        """Remember, transform."""
        m = self.memory_norm(self.memory(x)) + x
        y: Tensor = self.down_norm(self.down(self.dropout(self.up_norm(self.up(m))))) + m
        return y


class DFsmnNet(nn.Module):
    """N×1×32×32 → N×classes. With several ``depths`` it is thinnable: ``set_depth`` says how many blocks run."""

    def __init__(self, classes: int, depths: Sequence[int], outer: Activation, inner: Activation, dropout: float) -> None:
        super().__init__()
        self.depths, self.depth = tuple(depths), max(depths)
        self.stem = nn.Sequential(
            *(nn.Conv2d(1, 16, 5, 2, 2), nn.BatchNorm2d(16), inner()),
            *(nn.Conv2d(16, 32, 5, 2, 2), nn.BatchNorm2d(32), inner()),
        )
        self.project = nn.Linear(32 * FRAMES, WIDTH)
        self.act = inner()
        self.blocks = nn.ModuleList(Block(self._running(i), outer, inner, dropout) for i in range(max(depths)))
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(WIDTH * FRAMES, classes)

    def _running(self, block: int) -> list[int]:
        """The depths at which a block runs."""
        return [depth for depth in self.depths if block in self.at(depth)]

    def at(self, depth: int) -> tuple[int, ...]:
        """Return which blocks run at a depth: spread over all, the last one always."""
        step = max(self.depths) // depth
        return tuple(range(step - 1, max(self.depths), step))

    def set_depth(self, depth: int) -> None:
        """Run ``depth`` blocks from now on. Raises SpecError for a depth that it does not have."""
        if depth not in self.depths:
            raise SpecError(f"The network has no depth {depth}: {', '.join(map(str, self.depths))}.")
        self.depth = depth
        for i in self.at(depth):
            for module in self.blocks[i].modules():
                if isinstance(module, Norms):
                    module.depth = str(depth)

    def forward(self, x: Tensor) -> Tensor:
        """N×1×32×32 → N×classes."""
        x = self.stem(x).permute(0, 3, 1, 2).flatten(2)  # N × frames × (channels · bands)
        x = self.act(self.project(x)).transpose(1, 2)[:, :, None]
        for i in self.at(self.depth):
            x = self.blocks[i](x)
        logits: Tensor = self.linear(self.dropout(x.flatten(1)))
        return logits


def on_logmel(net: nn.Module, spec: str) -> Network:
    """Return ``net``, N×1×32×32 → N×classes, as a network of clips behind ``logmel-32``, with its normalisation."""
    probe = torch.linspace(-80, 10, 2 * 1024).view(2, 1, 32, 32)
    return of_form(Normalized((MEAN_DB,), (STD_DB,), net), Clip("logmel-32"), probe, spec=spec)


@dataclass(frozen=True)
class DFsmn:
    """D-FSMN for keywords, log-mel 32×32: d-fsmn[:weights=FILE,classes=12,depth=8,seed=0]. 0.60 M parameters at 8 blocks.

    ReLU, PReLU behind the memory and at a block's end, dropout 0.2. ``depth``: blocks, 8, 4, 2 or 1. Without ``weights`` its layers
    are drawn from ``seed``. Source: arXiv 2202.06483, released code (the teacher). Differs from the paper: nothing.
    """

    weights: str | None = None
    classes: int = 12
    depth: int = 8
    seed: int = 0

    source: ClassVar[str] = "arXiv 2202.06483"
    version: ClassVar[int] = 1

    def load(self, spec: str) -> Network:
        """Build the network and fill it."""
        check_depth(self.depth)
        with seeded(self.seed):
            net = DFsmnNet(self.classes, (self.depth,), nn.PReLU, nn.ReLU, 0.2)
        if self.weights is not None:
            load_weights(net, self.weights)
        return on_logmel(net, spec)


@dataclass(frozen=True)
class BiFsmn:
    """The thinnable D-FSMN that BiFSMN makes 1-bit: bifsmn[:weights=FILE,classes=12,depth=8,seed=0].

    It is float until a recipe. PReLU throughout, no dropout. ``depth`` of its 8 blocks run: 8, 4 (every second), 2 or 1 (the last);
    the noise ``thin:4`` changes that in a trained network. training.depths trains all depths together.
    Source: arXiv 2202.06483 and 2211.06987, released code. Differs from the paper: every norm and activation inside a block is a
    depth's own; there those of memory and inside are shared, which mixes the sub-networks' statistics.
    """

    weights: str | None = None
    classes: int = 12
    depth: int = 8
    seed: int = 0

    source: ClassVar[str] = "arXiv 2202.06483; arXiv 2211.06987"
    version: ClassVar[int] = 1

    def load(self, spec: str) -> Network:
        """Build the network and fill it."""
        check_depth(self.depth)
        with seeded(self.seed):
            net = DFsmnNet(self.classes, DEPTHS, nn.PReLU, nn.PReLU, 0.0)
        if self.weights is not None:
            load_weights(net, self.weights)
        net.set_depth(self.depth)
        return on_logmel(net, spec)


def check_depth(depth: int) -> None:
    """Raise SpecError for a depth that no such network has."""
    if depth not in DEPTHS:
        raise SpecError(f"depth={depth} is not possible: {', '.join(map(str, DEPTHS))}.")
