"""The corruptions of ImageNet-C̄ against their formulas, one pixel at a time."""

from math import atan2, cos, hypot, pi, sin

import numpy as np
import pytest
from test_corruptions import picture
from test_corruptions_oracle import Injected

from bitproof.noises import noise
from bitproof.noises.corruptions import bar

IMAGE = picture(40, 56)
PLACES = [(0, 0), (39, 55), (17, 3), (20, 28), (5, 51)]


def test_levels_go_up_and_small_pictures_take_cifars():
    for name, sets in bar.LEVELS.items():
        assert all(list(levels) == sorted(levels) and len(levels) == 5 for levels in sets.values())
        chosen = sets.get("cifar", sets["imagenet"])
        assert noise(f"{name}:4").settings(32, 300) == {"level": chosen[3]}
        assert noise(f"{name}:4").settings(49, 49) == noise(f"{name}:4,constants=imagenet").settings(32, 32)


@pytest.mark.parametrize(("y", "x"), PLACES)
def test_waves(y, x):
    grey = bar.single_frequency_greyscale(IMAGE, Injected(uniform=[2.0, -0.5, 1.2], permutation=[[2.0, -0.5]]), 1.5)
    expected = IMAGE[y, x] + 19.6 * 1.5 * sin(2.0 * x - 0.5 * y + 1.2)
    assert np.abs(grey[y, x] - np.clip(np.floor(expected), 0, 255)).max() <= 1

    rings = bar.cocentric_sine_waves(IMAGE, Injected(uniform=[20.0, 11.0, 4.5, 2.0, 3.3]), 8)
    radius = hypot(x - 20, y - 11) + 2.0 * sin(4.5 * atan2(x - 20, y - 11))
    expected = IMAGE[y, x] + 12.8 * 8 * (radius % 3.3 / 3.3 - 0.5)
    assert np.abs(rings[y, x] - np.clip(np.floor(expected), 0, 255)).max() <= 1


@pytest.mark.parametrize(("y", "x"), PLACES)
@pytest.mark.parametrize("turns", [4, 6])
def test_plasma_swirls(y, x, turns):
    swirls = bar.plasma_swirls(*np.ogrid[:40.0, :56.0], time=3.1, turns=turns, sharpness=0.7, scale=8.0)
    u, v = x / 8.0, y / 8.0
    for turn in range(turns):
        angle = 3.1 / 1.15**turn
        a, b = (f(w * 1.93**turn + angle) / 1.55**turn for f, w in ((cos, v), (sin, u)))
        u, v = u + a - 0.3 * b, v + b + 0.3 * a
    assert swirls[y, x] == pytest.approx([sin(u - 3.1), sin((u + v + sin(3.1)) / 2), sin(v + 3.1)], abs=1e-9)


@pytest.mark.parametrize(("y", "x"), PLACES)
def test_rays(y, x):
    lengths = np.random.default_rng(0).uniform(2, 9, 61)
    light = bar.rays(*(side - centre for side, centre in zip(np.ogrid[:40.0, :56.0], (17.5, 20.25), strict=True)), lengths, 0.6)
    dy, dx = y - 17.5, x - 20.25
    turn = (atan2(dx, dy) + pi) / (2 * pi) * 61
    t = turn - int(turn)
    length = lengths[int(turn) % 61] * (1 - t) + lengths[(int(turn) + 1) % 61] * t
    expected = (1 - (t - 0.5) ** 2) * (length / hypot(dy, dx)) ** 1.2
    assert light[y, x] == pytest.approx(min(1, expected), abs=1e-4)


def test_sparkles_only_brighten_and_their_inverse_whitens_far_away():
    assert (noise("sparkles:5")(IMAGE, 1) >= IMAGE).all()
    far = noise("inverse_sparkles:5,constants=imagenet")(np.zeros((200, 200, 3), np.uint8), 1)
    assert far[0, 0].min() > 150 and far.min() < 50


def test_checkerboard_greys_whole_fields():
    grid = np.random.default_rng(3).random((22, 22))
    y = bar.checkerboard_cutout(IMAGE, Injected(uniform=[0.0, 0.25], random=[grid]), 5)
    for row, column in PLACES:
        field = row // 10, column // 10
        cut = (field[0] - field[1]) % 2 == 0 and grid[field] < 0.5
        assert np.array_equal(y[row, column], (128, 128, 128) if cut else IMAGE[row, column])


@pytest.mark.parametrize(("slope", "power"), [(1, lambda f: f), (-2, lambda f: 1 / (f**2 + 1))])
def test_coloured_noise_has_its_spectrum(slope, power):
    rng, frequency = np.random.default_rng(0), bar._distance(64, 64)
    fields = [bar.coloured(64, 64, power(frequency), rng) for _ in range(20)]
    assert np.std(fields[0]) == pytest.approx(1)
    amplitude = np.mean([np.abs(np.fft.fftshift(np.fft.fft2(field))) for field in fields], axis=0)
    near, far = (amplitude[(frequency > f - 1) & (frequency < f + 1)].mean() for f in (6, 24))
    assert np.log(far / near) / np.log(24 / 6) == pytest.approx(slope, abs=0.15)


def test_blue_noise_keeps_the_share_of_a_normal_above_the_threshold():
    y = noise("blue_noise_sample:5,constants=imagenet")(np.full((200, 200, 3), 9, np.uint8), 0)
    assert set(np.unique(y)) == {0, 9}
    assert (y == 9).mean() == pytest.approx(0.5 * (1 + np.sign(2.5 - 1.68) * 0.5878), abs=0.02)  # Φ(0.82) = 0.794
