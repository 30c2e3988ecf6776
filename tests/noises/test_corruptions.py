"""What every corruption promises, whatever it does: a new picture that the seed alone determines, or a clear refusal."""

import pickle
import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from bitproof.core import DataError, ShapeError, SpecError
from bitproof.noises import BAR, BENCHMARK, EXTRA, NOISES, noise
from bitproof.noises.corruptions import weather

NAMES = (*BENCHMARK, *EXTRA, *BAR)
RANDOM = (
    *("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"),
    *("glass_blur", "motion_blur", "snow", "frost", "fog", "elastic_transform", "spatter"),
    *BAR,
)


def picture(height: int = 48, width: int = 40, seed: int = 0) -> np.ndarray:
    """A smooth coloured picture with some texture."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3))
    fine = np.kron(coarse, np.ones((8, 8, 1)))[:height, :width] + rng.normal(0, 12, (height, width, 3))
    return np.clip(fine, 0, 255).astype(np.uint8)


@settings(max_examples=120, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    severity=st.integers(1, 5),
    height=st.integers(16, 300),
    width=st.integers(16, 300),
    seed=st.integers(0, 2**63 - 1),
)
def test_keeps_shape_and_input_and_repeats(name, severity, height, width, seed):
    image = picture(height, width, seed % 97)
    before = image.copy()
    corruption = noise(f"{name}:{severity}")
    y = corruption(image, seed)
    assert y.dtype == np.uint8 and y.shape == image.shape
    assert np.array_equal(image, before) and not np.shares_memory(y, image)
    assert y.flags.writeable
    corruption(picture(33, 20), seed + 1)
    assert np.array_equal(corruption(image, seed), y), "another picture in between changed the draw"


@pytest.mark.parametrize("name", NAMES)
def test_changes_the_picture_and_follows_the_seed(name):
    image = picture(96, 97)
    y, other = (noise(f"{name}:3,constants=imagenet")(image, seed) for seed in (1, 2))
    assert not np.array_equal(y, image)
    assert np.array_equal(y, other) == (name not in RANDOM)


@pytest.mark.parametrize("name", NAMES)
def test_threads_do_not_show(name):
    image, corruption, threads = picture(130, 150), noise(f"{name}:3,constants=imagenet"), cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        alone = corruption(image, 5)
        cv2.setNumThreads(4)
        assert np.array_equal(corruption(image, 5), alone)
    finally:
        cv2.setNumThreads(threads)


@pytest.mark.parametrize("name", NAMES)
def test_takes_views_and_flat_pictures(name):
    image = picture(70, 80)
    corruption = noise(f"{name}:5")
    assert np.array_equal(corruption(image[::-1, ::2], 7), corruption(image[::-1, ::2].copy(), 7))
    for level in (0, 128, 255):
        assert corruption(np.full((40, 40, 3), level, np.uint8), 7).shape == (40, 40, 3)


@pytest.mark.parametrize("name", NAMES)
def test_refuses_what_it_cannot_take(name):
    corruption = noise(f"{name}:1")
    wrong = [np.zeros((40, 40)), np.zeros((40, 40, 3)), np.zeros((40, 40, 4), np.uint8), np.zeros((40, 40), np.uint8)]
    for image in (*wrong, [[1]], None):
        with pytest.raises(ShapeError, match=f"{name} takes a NumPy array uint8"):
            corruption(image, 0)
    with pytest.raises(ShapeError, match=rf"{name} takes pictures of at least \d+×\d+ px and was given 0×40 px"):
        corruption(np.zeros((0, 40, 3), np.uint8), 0)


#: Corruption → its shortest side in px at severity 5; all others take a single pixel.
SMALLEST = {
    **{"zoom_blur": 2, "snow": 2, "fog": 2, "pixelate": 2, "blue_noise_sample": 2, "brownish_noise": 2},
    **{"glass_blur": 3, "elastic_transform": 3},
}


@pytest.mark.parametrize("name", NAMES)
def test_the_smallest_picture_is_taken_and_the_next_smaller_one_refused(name):
    corruption, least = noise(f"{name}:5"), SMALLEST.get(name, 1)
    for size in ((least, least), (least, 48), (64, least)):
        assert corruption(picture(*size), 3).shape == (*size, 3)
    if least > 1:
        message = f"{name} takes pictures of at least {least}×{least} px and was given {least - 1}×40 px"
        with pytest.raises(ShapeError, match=message):
            corruption(picture(least - 1, 40), 0)


def test_the_smallest_picture_follows_the_constants():
    for spec, least in (("glass_blur:5,constants=imagenet", 9), ("pixelate:5,constants=imagenet-299", 5)):
        noise(spec)(picture(least, least), 0)
        with pytest.raises(ShapeError, match=f"at least {least}×{least} px"):
            noise(spec)(picture(least - 1, least), 0)


@settings(max_examples=250, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    severity=st.integers(1, 5),
    stored=st.booleans(),
    height=st.integers(3, 64),
    width=st.integers(3, 48),
    seed=st.integers(0, 2**63 - 1),
)
def test_small_pictures_of_any_shape(name, severity, stored, height, width, seed):
    image = picture(height, width, seed % 89)
    corruption = noise(f"{name}:{severity},stored={stored}")
    with np.errstate(all="raise", under="ignore"):
        y = corruption(image, seed)
    assert y.dtype == np.uint8 and y.shape == image.shape and y.flags.writeable
    assert np.array_equal(corruption(image, seed), y)


@pytest.mark.parametrize("name", NAMES)
def test_stored_is_a_jpeg_of_quality_85_behind_it(name, tmp_path):
    image, path = picture(60, 57), tmp_path / "stored.jpg"
    Pillow.fromarray(noise(f"{name}:4,constants=imagenet")(image, 5)).save(path, quality=85, optimize=True)
    assert np.array_equal(noise(f"{name}:4,constants=imagenet,stored=true")(image, 5), np.asarray(Pillow.open(path)))


@pytest.mark.parametrize("severity", ["0", "6", "-1", "2.5", "high"])
def test_refuses_other_severities(severity):
    with pytest.raises(SpecError):
        noise(f"fog:{severity}")


def test_refuses_other_constants():
    with pytest.raises(SpecError, match="imagenet, imagenet-299, tiny, cifar, auto"):
        noise("fog:1,constants=imagenet21k")
    with pytest.raises(SpecError, match="Allowed: imagenet, auto"):
        noise("plasma_noise:1,constants=cifar")
    with pytest.raises(SpecError, match="has no setting 'fixed'"):
        noise("fog:1,fixed=true")


@pytest.mark.parametrize(("side", "chosen"), [(32, "cifar"), (64, "tiny"), (224, "imagenet"), (299, "imagenet-299")])
def test_auto_takes_the_set_of_the_pictures_size(side, chosen):
    image = picture(side, side + 30)
    assert np.array_equal(noise("contrast:2")(image, 0), noise(f"contrast:2,constants={chosen}")(image, 0))
    assert np.array_equal(noise("gaussian_blur:2")(image, 0), noise(f"gaussian_blur:2,constants={chosen}")(image, 0))


@pytest.mark.parametrize("name", NAMES)
def test_is_a_frozen_documented_value(name):
    corruption = noise(f"{name}:2")
    assert pickle.loads(pickle.dumps(corruption)) == corruption == noise(f"{name}:severity=2")
    assert corruption.corrupt.__name__ == name
    assert (corruption.site, corruption.family, corruption.kinds) == ("image", "natural", ("image", "vqa"))
    text = NOISES.load(name).__doc__
    assert all(part in text for part in ("Source: ", "Differs from the paper: ", "uint8 H×W×3 → uint8 H×W×3"))
    with pytest.raises(AttributeError):
        corruption.severity = 3


def test_frost_says_when_a_texture_is_missing_or_altered(monkeypatch):
    image = picture()
    weather._texture.cache_clear()
    monkeypatch.setattr(weather, "TEXTURES", dict.fromkeys(weather.TEXTURES, "0" * 64))
    with pytest.raises(DataError, match="not the published one"):
        noise("frost:1")(image, 0)
    monkeypatch.setattr(weather, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"not installed\. Type: pip install"):
        noise("frost:1")(image, 0)
    monkeypatch.undo()
    monkeypatch.setattr(weather, "TEXTURES", {"frost7.png": ""})
    with pytest.raises(DataError, match=r"frost7\.png, which is missing"):
        noise("frost:1")(image, 0)


def test_door_and_corruptions_import_no_torch_and_no_texture_code():
    code = (
        "import sys, numpy; from bitproof.noises import noise, expand\n"
        "for spec in expand('corruptions:1'): noise(spec)(numpy.zeros((32, 32, 3), numpy.uint8), 0)\n"
        "print([m for m in ('torch', 'corrupt_tta', 'scipy', 'skimage', 'numba') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
