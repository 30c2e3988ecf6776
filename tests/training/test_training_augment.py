"""Crops and flips against a loop over pictures; a sample's draw does not know its batch."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from bitproof.core import seed
from bitproof.training.augment import augmented


def pictures(n: int, height: int = 32, width: int = 24) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, height, width), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def by_hand(x: torch.Tensor, run_seed: int, epoch: int, index: int) -> torch.Tensor:
    draw, (height, width) = seed(run_seed, "augment", epoch, index), x.shape[-2:]
    pad_y, pad_x = height // 8, width // 8
    top, left = (draw // 2) % 2**20 % (2 * pad_y + 1), (draw // 2**21) % 2**20 % (2 * pad_x + 1)
    crop = functional.pad(x, (pad_x, pad_x, pad_y, pad_y))[:, top : top + height, left : left + width]
    return crop.flip(2) if draw % 2 else crop


@given(st.integers(0, 2**62), st.integers(0, 300), st.lists(st.integers(0, 10**6), min_size=1, max_size=9))
def test_crop_flip_is_the_loop_over_pictures(run_seed: int, epoch: int, indices: list[int]):
    x = pictures(len(indices))
    expected = torch.stack([by_hand(x[i], run_seed, epoch, index) for i, index in enumerate(indices)])
    assert torch.equal(augmented(x, "crop-flip", run_seed, epoch, indices), expected)


def test_flip_only_flips():
    x, indices = pictures(40), range(40)
    expected = torch.stack([x[i].flip(2) if seed(5, "augment", 1, i) % 2 else x[i] for i in indices])
    assert torch.equal(augmented(x, "flip", 5, 1, indices), expected)


def test_none_is_the_batch_itself():
    x = pictures(3)
    assert augmented(x, "none", 0, 0, range(3)) is x


def test_the_batch_does_not_matter_the_epoch_does():
    x, indices = pictures(20), list(range(100, 120))
    whole = augmented(x, "crop-flip", 1, 0, indices)
    parts = [augmented(x[i : i + 7], "crop-flip", 1, 0, indices[i : i + 7]) for i in range(0, 20, 7)]
    assert torch.equal(whole, torch.cat(parts))
    assert not torch.equal(whole, augmented(x, "crop-flip", 1, 1, indices))


def test_the_input_is_not_changed_and_floats_work():
    x = pictures(6)
    before, floats = x.clone(), x.float() / 255
    assert torch.equal(augmented(floats, "crop-flip", 1, 0, range(6)), augmented(x, "crop-flip", 1, 0, range(6)).float() / 255)
    assert torch.equal(x, before)


def test_draws_are_even():
    """Of 4,000 pictures half are flipped, and each of 9 starts has its ninth, within 4 standard deviations."""
    column = torch.arange(32, dtype=torch.float32).expand(4000, 1, 32, 32)
    found = augmented(column + 1, "crop-flip", 0, 0, range(4000))
    flipped = int((found[:, 0, 16, 15] > found[:, 0, 16, 16]).sum())
    assert abs(flipped - 2000) < 4 * 1000**0.5
    middle = torch.where(found[:, 0, 16, 15] > found[:, 0, 16, 16], found[:, 0, 16, 16], found[:, 0, 16, 15])
    counts = torch.bincount((middle - middle.min()).long())
    assert len(counts) == 9 and (counts - 4000 / 9).abs().max() < 4 * (4000 * 8 / 81) ** 0.5


def test_resized_crops_are_torchvisions_for_the_same_box():
    """A constant stays constant, a ramp stays a ramp whose ends lie inside the picture."""
    ramp = torch.arange(32, dtype=torch.float32).expand(1, 3, 32, 32) / 31
    seen = augmented(ramp.expand(200, -1, -1, -1), "resized-crop-flip", 3, 0, range(200))
    assert seen.shape == (200, 3, 32, 32) and 0 <= float(seen.min()) and float(seen.max()) <= 1
    width = (seen[..., 0] - seen[..., -1]).abs().mean((1, 2))  # the share of the side that a crop has
    assert 0.15 < float(width.min()) and float(width.max()) > 0.85
    rising = (seen[:, 0, 0, 0] < seen[:, 0, 0, -1]).float().mean()
    assert 0.35 < float(rising) < 0.65
    flat = torch.full((5, 3, 16, 24), 77, dtype=torch.uint8)
    assert torch.equal(augmented(flat, "resized-crop-flip", 3, 0, range(5)), flat)


def test_a_crop_and_a_jitter_do_not_know_their_batch():
    x, indices = pictures(12), list(range(50, 62))
    for kind, jitter in (("resized-crop-flip", 0.0), ("none", 0.2), ("resized-crop-flip", 0.2)):
        whole = augmented(x, kind, 1, 2, indices, jitter)
        assert whole.dtype == torch.uint8 and not torch.equal(whole, x)
        assert torch.equal(whole, torch.cat([augmented(x[i : i + 5], kind, 1, 2, indices[i : i + 5], jitter) for i in (0, 5, 10)]))
        assert not torch.equal(whole, augmented(x, kind, 1, 3, indices, jitter))


def test_a_jitter_is_no_larger_than_asked_and_0_is_none():
    x = torch.full((300, 3, 4, 4), 0.5)
    assert augmented(x, "none", 1, 0, range(300)) is x
    grey = augmented(x, "none", 1, 0, range(300), 0.2)
    assert 0.39 < float(grey.min()) < 0.42 and 0.58 < float(grey.max()) < 0.61  # a grey picture: brightness alone moves it
