"""What is done to pictures, waves and clouds in training; a sample's draw follows from its own seed, whatever its batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from bitproof.core import seed
from bitproof.training.photographs import jittered, resized_crops


def augmented(x: Tensor, kind: str, run_seed: int, epoch: int, indices: Sequence[int], jitter: float = 0.0) -> Tensor:
    """Return the batch augmented by kind, colours then by ``jitter``.

    Kinds: ``_flipped``, ``photographs.resized_crops``, of waves ``_disturbed``, of clouds ``_moved``.
    Shapes: N×C×H×W, waves N×L, clouds N×3×P → the same, any dtype. Sample i draws from seeds of its own, whatever batch it sits in.
    """
    if kind == "resized-crop-flip":
        x = resized_crops(x, [_generator(run_seed, "crop", epoch, index) for index in indices])
    elif kind == "wave":
        x = torch.stack([_disturbed(wave, seed(run_seed, "augment", epoch, i)) for wave, i in zip(x, indices, strict=True)])
    elif kind == "points":
        x = torch.stack([_moved(cloud, seed(run_seed, "augment", epoch, i)) for cloud, i in zip(x, indices, strict=True)])
    elif kind != "none":
        x = _flipped(x, kind, run_seed, epoch, indices)
    return jittered(x, jitter, [_generator(run_seed, "jitter", epoch, index) for index in indices]) if jitter else x


def _generator(run_seed: int, what: str, epoch: int, index: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed(run_seed, what, epoch, index))


def _flipped(x: Tensor, kind: str, run_seed: int, epoch: int, indices: Sequence[int]) -> Tensor:
    """Return a new batch: each picture flipped with probability 1/2, and with ``crop-flip`` moved by up to an eighth of its side.

    Shapes: N×C×H×W → the same, any dtype. Uncovered pixels are 0. Sample i draws from ``seed(run_seed, "augment", epoch, i)``:
    bit 0 flips, bits 1–20 and 21–40 modulo 2·pad + 1 are the row and column at which the crop starts in the padded picture.

    Source: arXiv 1512.03385, section 4.2 (pad 4, crop 32, flip on CIFAR-10).
    Differs from the paper: nothing at 32 px; other sizes pad by size // 8.
    """
    draws = torch.tensor([seed(run_seed, "augment", epoch, index) for index in indices])
    flip = (draws & 1).bool()
    height, width = x.shape[-2:]
    if kind == "flip":
        return _gather(x, torch.arange(height).expand(len(x), -1), _columns(torch.arange(width).expand(len(x), -1), flip))
    pad_y, pad_x = height // 8, width // 8
    top = (draws >> 1 & 0xFFFFF) % (2 * pad_y + 1)
    left = (draws >> 21 & 0xFFFFF) % (2 * pad_x + 1)
    columns = _columns(left[:, None] + torch.arange(width), flip)
    return _gather(functional.pad(x, (pad_x, pad_x, pad_y, pad_y)), top[:, None] + torch.arange(height), columns)


def _disturbed(wave: Tensor, drawn: int) -> Tensor:
    """Return a wave with, each by a chance of 1/2: a gain of 0.7–1.1, a pace of 0.8–1.2 (nearest sample), a shift of up to L/5.

    Source: BiFSMN (2202.06483), released code. Differs from the paper: background noise comes by ``mix``, not always.
    """
    gain, paced, moved, *amounts = torch.rand(6, generator=torch.Generator().manual_seed(drawn)).tolist()
    if paced < 0.5:
        places = (torch.arange(len(wave)) * (0.8 + 0.4 * amounts[1])).round().long()
        wave = torch.where(places < len(wave), wave[places.clamp_max(len(wave) - 1)], 0.0)
    if moved < 0.5:
        by = round((2 * amounts[2] - 1) * len(wave) / 5)
        wave = functional.pad(wave, (by, -by))
    return wave * (0.7 + 0.4 * amounts[0]) if gain < 0.5 else wave


def _moved(cloud: Tensor, drawn: int) -> Tensor:
    """Return a cloud 3×P, 0.8 to 1.25 times as large, moved by up to 0.1 along each axis, with noise of 0.01 on coordinates.

    The noise is normal and cut at 0.05. Source: PointNet++ (1706.02413), released code. Differs from the paper: no point is
    dropped and nothing is turned, as ModelNet's shapes stand upright.
    """
    generator = torch.Generator().manual_seed(drawn)
    size, *by = torch.rand(4, generator=generator).tolist()
    noise = (0.01 * torch.randn(cloud.shape, generator=generator)).clamp(-0.05, 0.05)
    moved: Tensor = cloud * (0.8 + 0.45 * size) + (0.2 * torch.tensor(by)[:, None] - 0.1) + noise
    return moved


def _columns(columns: Tensor, flip: Tensor) -> Tensor:
    return torch.where(flip[:, None], columns.flip(1), columns)


def _gather(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pick ``rows`` N×H and ``columns`` N×W of each picture: one copy for crop and flip together."""
    n, channels = x.shape[:2]
    return x[
        torch.arange(n)[:, None, None, None],
        torch.arange(channels)[None, :, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]
