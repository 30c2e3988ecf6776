"""The printed and photographed picture, step by step."""

import numpy as np
import pytest

from bitproof.core import BitproofError
from bitproof.noises import corrupt, noise
from bitproof.noises.corruptions.printed import LEVELS, lit, on_paper, seen_askew


@pytest.fixture
def x():
    return np.random.default_rng(0).uniform(0, 255, (24, 32, 3)).astype(np.float32)


def test_ink_has_no_black_no_white_and_paler_colours(x):
    ends = on_paper(np.array([[[0, 0, 0], [255, 255, 255]]], np.float32), 0.1, 0.9, 0.5)
    np.testing.assert_allclose(ends, [[[25.5] * 3, [229.5] * 3]], rtol=1e-5)
    pale = on_paper(x, 0, 1, 1)
    np.testing.assert_allclose(pale[..., 0], pale[..., 2], atol=1e-3)
    np.testing.assert_allclose(on_paper(x, 0, 1, 0), x, atol=1e-3)


def test_a_sheet_that_is_not_turned_is_as_it_was_and_a_shift_is_a_shift(x):
    np.testing.assert_allclose(seen_askew(x, np.zeros((4, 2), np.float32)), x, atol=1e-2)
    shifted = seen_askew(x, np.tile(np.array([2, 0], np.float32), (4, 1)))
    np.testing.assert_allclose(shifted[:, 2:], x[:, :-2], atol=1e-2)


def test_light_slopes_along_its_angle_and_is_the_gain_in_the_middle():
    flat = np.full((9, 9, 3), 100, np.float32)
    light = lit(flat, 1.1, 0.4, 0.0)
    assert light[4, 4, 0] == pytest.approx(110)
    assert light[4, 8, 0] == pytest.approx(132)
    assert light[4, 0, 0] == pytest.approx(88)
    np.testing.assert_allclose(light[0], light[8])


def test_more_is_worse_at_every_size():
    for side in (8, 32, 96):
        y, z = np.mgrid[:side, :side] / side
        picture = (np.dstack([y, z, (y + z) / 2]) * 200 + 20 * ((8 * y + 8 * z).astype(int) % 2)[..., None]).astype(np.uint8)
        harm = [
            np.mean([np.abs(corrupt(picture, f"printed:{s}", seed).astype(int) - picture).mean() for seed in range(8)])
            for s in range(1, 6)
        ]
        assert harm == sorted(harm)
    assert all(len(levels) == 5 for levels in LEVELS.values())


def test_it_has_one_set_of_levels():
    with pytest.raises(BitproofError, match="one set"):
        noise("printed:3,constants=imagenet")
    with pytest.raises(BitproofError, match="printed"):
        noise("printed")
