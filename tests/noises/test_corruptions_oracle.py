"""The corruptions against other people's code: imagecorruptions-imaug, SciPy, and plain loops.

Random corruptions are given the oracle's own draws where that is possible; else distributions are compared.
"""

import io
import os
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps
from scipy import ndimage
from test_corruptions import picture

from bitproof.noises import noise
from bitproof.noises.corruptions import blur, digital, filters, weather
from bitproof.noises.corruptions import noise as grain
from bitproof.noises.corruptions.table import TABLE, constants

oracle = pytest.importorskip("imagecorruptions.corruptions")
pytest.importorskip("skimage")

IMAGE = picture(224, 224)
SEVERITIES = (1, 2, 3, 4, 5)


def apart(y, expected) -> float:
    """Mean distance in grey levels."""
    return float(np.abs(y.astype(float) - np.asarray(expected, dtype=np.uint8)).mean())


class Injected:
    """A generator that gives prepared draws, in order, whatever it is asked for."""

    def __init__(self, **draws):
        self.draws = {name: list(values) for name, values in draws.items()}

    def __getattr__(self, name):
        return lambda *args, **kwargs: self.draws[name].pop(0)


DETERMINISTIC = (
    *("brightness", "contrast", "saturate", "pixelate", "jpeg_compression"),
    *("defocus_blur", "zoom_blur", "gaussian_blur"),
)


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_without_chance_it_is_the_oracle(name, severity):
    expected = getattr(oracle, name)(Pillow.fromarray(IMAGE), severity)
    assert apart(noise(f"{name}:{severity}")(IMAGE, 0), np.asarray(expected)) <= 0.5


@pytest.mark.parametrize("quality", [5, 25, 40, 80])
@pytest.mark.parametrize("size", [(16, 16), (57, 40), (224, 224)])
def test_jpeg_is_pillows_to_the_byte(quality, size, tmp_path):
    image, path = picture(*size), tmp_path / "x.jpg"
    Pillow.fromarray(image).save(path, "JPEG", quality=quality)
    assert np.array_equal(digital.jpeg_compression(image, None, quality), np.asarray(Pillow.open(path)))


@pytest.mark.parametrize("scale", sorted({s for five in TABLE["pixelate"]["scale"] for s in five}))
def test_pixelate_is_pillows_box_filter_at_any_size(scale):
    for height, width in ((16, 33), (60, 99), (224, 301)):
        small = Pillow.fromarray(picture(height, width)).resize((int(width * scale), int(height * scale)), Pillow.Resampling.BOX)
        expected = np.asarray(small.resize((width, height), Pillow.Resampling.BOX))
        assert np.array_equal(digital.pixelate(picture(height, width), None, scale), expected)


@pytest.mark.parametrize("factor", [1.0, 1.06, 1.25, 2.25, 4.5])
def test_magnify_is_scipys_zoom(factor):
    side = 60
    start, length = filters.central(side, factor)
    part = IMAGE[start : start + length, start : start + length, 0].astype(np.float32)
    zoomed = ndimage.zoom(part, factor, order=1)
    trim = (len(zoomed) - side) // 2
    expected = zoomed[trim : trim + side, trim : trim + side]
    assert np.abs(filters.magnify(part, factor, side, side) - expected).mean() < 0.3  # OpenCV 4 places to 1/32 px


@pytest.mark.parametrize("angle", [-135.0, -90.0, -45.0, -44.9, -7.3, 0.0, 12.5, 45.0])
@pytest.mark.parametrize(("radius", "sigma"), [(6, 1), (10, 3), (20, 15)])
def test_streak_is_the_oracles(radius, sigma, angle):
    expected = oracle._motion_blur(IMAGE.astype(np.float32), radius, sigma, angle)
    assert np.abs(filters.streak(IMAGE, radius, sigma, angle) - expected).max() < 0.01


@pytest.mark.parametrize("severity", SEVERITIES)
def test_motion_blur_at_the_oracles_angle(severity):
    np.random.seed(severity)
    expected = np.rint(oracle.motion_blur(Pillow.fromarray(IMAGE), severity))
    angle = np.random.RandomState(severity).uniform(-45, 45)
    y = blur.motion_blur(IMAGE, Injected(uniform=[angle]), **constants("motion_blur", "imagenet", severity))
    assert apart(y, expected) < 0.01


@pytest.mark.parametrize("decay", [1.4, 2, 3])
@pytest.mark.parametrize("side", [2, 32, 256])
def test_plasma_is_the_oracles(side, decay):
    np.random.seed(5)
    expected = oracle.plasma_fractal(side, decay)
    draws = np.random.RandomState(5)
    assert np.abs(weather.plasma(side, decay, lambda shape: draws.uniform(-1, 1, shape)) - expected).max() < 1e-5


@pytest.mark.parametrize("severity", SEVERITIES)
def test_fog_with_the_oracles_plasma(severity, monkeypatch):
    np.random.seed(severity)
    expected = oracle.fog(Pillow.fromarray(IMAGE), severity)
    np.random.seed(severity)
    monkeypatch.setattr(weather, "plasma", lambda side, decay, uniform: oracle.plasma_fractal(side, decay))
    assert apart(weather.fog(IMAGE, None, **constants("fog", "imagenet", severity)), expected) < 0.01


@pytest.mark.parametrize("severity", SEVERITIES)
def test_snow_with_the_oracles_flakes(severity):
    settings = constants("snow", "imagenet", severity)
    np.random.seed(severity)
    expected = oracle.snow(Pillow.fromarray(IMAGE), severity)
    draws = np.random.RandomState(severity)
    grains = draws.normal(settings["mean"], settings["std"], (224, 224))
    start, length = filters.central(224, settings["zoom"])
    part = ((grains - settings["mean"]) / settings["std"])[start : start + length, start : start + length].astype(np.float32)
    y = weather.snow(IMAGE, Injected(standard_normal=[part], uniform=[draws.uniform(-135, -45)]), **settings)
    assert apart(y, expected) < 1  # the fork cuts a flake to bytes after the motion, the reference before


@pytest.mark.parametrize("severity", SEVERITIES)
def test_spatter_with_the_oracles_drops(severity):
    settings = constants("spatter", "imagenet", severity)
    np.random.seed(severity)
    expected = oracle.spatter(Pillow.fromarray(IMAGE), severity)
    grains = np.random.RandomState(severity).normal(size=(224, 224)).astype(np.float32)
    y = weather.spatter(IMAGE, Injected(standard_normal=[grains]), **settings)
    assert apart(y, expected) < 0.5


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4])
def test_frost_is_the_weighted_sum_with_the_oracles_picture(number):
    path = files("imagecorruptions") / "frost" / list(weather.TEXTURES)[number]
    ice = cv2.imread(str(path))[91:315, 17:241, ::-1].astype(float)
    expected = np.clip(0.8 * IMAGE + 0.6 * ice, 0, 255)
    y = weather.frost(IMAGE, Injected(integers=[number, 91, 17]), 0.8, 0.6, 1)
    assert apart(y, expected) < 0.01  # whole levels that floats leave at …9999 are cut in the reference


@pytest.mark.parametrize(("set_name", "factor", "side"), [("tiny", 0.3, 64), ("cifar", 0.2, 32)])
def test_frost_shrinks_the_picture_for_small_sets(set_name, factor, side):
    image = picture(side, side)
    texture = cv2.imread(str(files("imagecorruptions") / "frost" / "frost4.jpg"))
    ice = cv2.resize(texture, (0, 0), fx=factor, fy=factor)[3 : 3 + side, 5 : 5 + side, ::-1]
    settings = constants("frost", set_name, 5)
    expected = np.clip(settings["image_weight"] * image + settings["frost_weight"] * ice.astype(float), 0, 255)
    assert apart(weather.frost(image, Injected(integers=[3, 3, 5]), **settings), expected) < 0.01


@pytest.mark.parametrize("sigma", [0, 0.96, 6.4, 10.5, 19.52, 170.8])
@pytest.mark.parametrize(("height", "width"), [(16, 20), (58, 32), (224, 224)])
def test_smooth_is_scipys_filter(height, width, sigma):
    x = np.random.default_rng(1).uniform(-1, 1, (height, width)).astype(np.float32)
    expected = ndimage.gaussian_filter(x, sigma, mode="reflect", truncate=3) if sigma else x
    assert np.abs(digital.smooth(x, sigma) - expected).max() < 1e-5


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("set_name", ["imagenet", "cifar"])
def test_elastic_is_scipys_map_coordinates(set_name, severity):
    settings = constants("elastic_transform", set_name, severity)
    amplitude, sigma, jitter = settings["amplitude_px"], settings["sigma_px"], settings["jitter_px"]
    image = IMAGE if set_name == "imagenet" else picture(32, 32)
    side, rng = len(image), np.random.default_rng(severity)
    corners = rng.uniform(-jitter, jitter, (3, 2))
    noises = rng.random((2, side, side), dtype=np.float32)
    y = digital.elastic_transform(image, Injected(uniform=[corners], random=[noises]), **settings)

    reach = side // 3
    before = side // 2 + np.array([[reach, reach], [reach, -reach], [-reach, -reach]])
    affine = np.linalg.solve(np.column_stack([before + corners, np.ones(3)]), before).T  # where an output point comes from
    columns, rows = (
        amplitude * (ndimage.gaussian_filter(2.0 * n - 1, sigma, mode="reflect", truncate=3) if sigma else 2.0 * n - 1)
        for n in noises
    )
    at_y, at_x = np.mgrid[:side, :side].astype(float)
    expected = np.empty(image.shape)
    for c in range(3):
        from_x, from_y = np.einsum("ij,jyx->iyx", affine, np.stack([at_x, at_y, np.ones_like(at_x)]))
        skewed = ndimage.map_coordinates(image[..., c].astype(float), [from_y, from_x], order=1, mode="mirror")
        expected[..., c] = ndimage.map_coordinates(skewed, [at_y + rows, at_x + columns], order=1, mode="reflect")
    assert apart(y, np.clip(expected, 0, 255)) < 0.6  # OpenCV 4 places to 1/32 px, and this picture is rough


@pytest.mark.parametrize(("delta", "iterations"), [(1, 1), (1, 3), (2, 2), (4, 2), (5, 1)])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (23, 40), (12, 8)])
def test_glass_moves_pixels_like_the_sequential_loop(height, width, delta, iterations):
    rng = np.random.default_rng(delta)
    shape = (iterations, 2, max(0, height - 2 * delta), max(0, width - 2 * delta))
    offsets = rng.integers(-delta, delta, shape, dtype=np.int8)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    copied, exchanged = image.copy(), image.copy()
    for dy, dx in offsets:
        for h in range(height - delta, delta, -1):
            for w in range(width - delta, delta, -1):
                at, to = (h, w), (h + dy[h - delta - 1, w - delta - 1], w + dx[h - delta - 1, w - delta - 1])
                copied[at], copied[to] = copied[to], copied[at]  # the reference's line: NumPy rows are views
                exchanged[at], exchanged[to] = exchanged[to].copy(), exchanged[at].copy()
    flat = image.reshape(-1, 3)
    assert np.array_equal(flat[blur.shuffled(height, width, offsets, delta)].reshape(image.shape), copied)
    swapped = blur.swapped(height, width, offsets, delta)
    assert np.array_equal(flat[swapped].reshape(image.shape), exchanged)
    assert sorted(swapped) == list(range(height * width)), "an exchange loses no pixel"


@pytest.mark.parametrize("severity", SEVERITIES)
def test_glass_blur_has_the_oracles_moments(severity):
    y = [noise(f"glass_blur:{severity}")(IMAGE, seed) for seed in range(4)]
    expected = [oracle.glass_blur(Pillow.fromarray(IMAGE), severity, seed) for seed in range(4)]
    step = [np.abs(np.diff(np.asarray(a, np.uint8).astype(float), axis=1)).mean() for a in (y, expected)]
    assert np.mean(y) == pytest.approx(np.uint8(expected).mean(), abs=0.3)
    assert np.std(y) == pytest.approx(np.uint8(expected).std(), rel=0.01)
    assert step[0] == pytest.approx(step[1], rel=0.05)


CHANCES = {
    "gaussian_noise": grain.gaussian_chances,
    "speckle_noise": grain.speckle_chances,
    "impulse_noise": grain.impulse_chances,
    "shot_noise": grain.shot_chances,
}


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", CHANCES)
def test_noise_has_the_oracles_distribution(name, severity):
    """Kolmogorov–Smirnov at 0.1 % for 5 grey levels."""
    constant = next(iter(constants(name, "imagenet", severity).values()))
    table = CHANCES[name](constant)
    levels = (0, 3, 90, 200, 255)
    np.random.seed(severity)
    for level in levels:
        flat = np.full((200, 200, 3), level, np.uint8)
        if name == "impulse_noise":
            expected = oracle.impulse_noise(Pillow.fromarray(flat), severity, seed=1)
        else:
            expected = getattr(oracle, name)(Pillow.fromarray(flat), severity)
        found = np.bincount(np.uint8(expected + 1e-6).ravel(), minlength=256) / flat.size
        assert np.abs(np.cumsum(found) - np.cumsum(table[level])).max() < 1.95 / np.sqrt(flat.size), level


@pytest.mark.parametrize("name", CHANCES)
def test_noise_draws_from_its_table(name):
    """χ² of 10⁶ draws from each of 5 grey levels, outcomes rarer than 10⁻⁵ pooled; 6 standard deviations."""
    settings = constants(name, "imagenet", 2)
    table = CHANCES[name](*settings.values())
    for level in (0, 3, 90, 200, 255):
        y = noise(f"{name}:2,constants=imagenet")(np.full((600, 556, 3), level, np.uint8), level)
        counts, expected = np.bincount(y.ravel(), minlength=256), table[level] * y.size
        likely = expected > 10
        cells = [*zip(counts[likely], expected[likely], strict=True), (counts[~likely].sum(), expected[~likely].sum())]
        chi2 = sum((n - e) ** 2 / e for n, e in cells if e > 0)
        assert chi2 < len(cells) + 6 * np.sqrt(2 * len(cells)) + 6, (level, chi2, len(cells))
        assert not counts[table[level] == 0].any(), "an impossible outcome was drawn"


def test_alias_table_keeps_the_probabilities():
    for chances in (grain.gaussian_chances(0.38), grain.shot_chances(3), grain.speckle_chances(0.06), grain.impulse_chances(0.01)):
        assert np.allclose(chances.sum(axis=1), 1) and (chances >= 0).all()
        cell = grain.alias_table(chances)
        kept, alias = (cell >> 8) / 2**24, cell & 255
        rebuilt = kept.copy()
        np.add.at(rebuilt, (np.arange(256)[:, None], alias), 1 - kept)
        assert np.abs(rebuilt / 256 - chances).max() < 256 / 2**24 / 256


def test_channels_flip_independently_in_impulse_noise():
    """Amount .3 touches 1 − .7³ = 66 % of the pixels."""
    flat = np.full((400, 400, 3), 100, np.uint8)
    touched = (grain.impulse_noise(flat, np.random.default_rng(0), 0.3) != flat).any(axis=2).mean()
    assert touched == pytest.approx(1 - 0.7**3, abs=0.006)


def photographs(count: int) -> list[np.ndarray]:
    data = os.environ.get("BITPROOF_DATA")
    path = Path(data, "imagenet-sample-500.parquet") if data else None
    if path is None or not path.is_file():
        pytest.skip("needs photographs: set BITPROOF_DATA to a folder with imagenet-sample-500.parquet")
    files_ = pytest.importorskip("polars").read_parquet(path, columns=["image"], n_rows=count)["image"]
    images = (Pillow.open(io.BytesIO(f if isinstance(f, bytes) else f["bytes"])).convert("RGB") for f in files_)
    return [np.asarray(ImageOps.fit(image, (224, 224))) for image in images]


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_without_chance_it_is_the_oracle_on_photographs(name):
    for image in photographs(3):
        for severity in (1, 3, 5):
            expected = getattr(oracle, name)(Pillow.fromarray(image), severity)
            assert apart(noise(f"{name}:{severity}")(image, 0), np.asarray(expected)) <= 0.5, severity
