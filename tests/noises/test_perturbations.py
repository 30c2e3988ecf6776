"""The ten sequences of ImageNet-P: their frames against torchvision, scikit-image and the formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from test_corruptions import picture

from bitproof.analysis.sequences import SEQUENCES
from bitproof.core import ShapeError, SpecError
from bitproof.noises import FRAMES, NOISES, expand, noise
from bitproof.noises.corruptions import moves, weather
from bitproof.noises.corruptions.frames import TABLE
from bitproof.noises.corruptions.table import SETS

functional = pytest.importorskip("torchvision.transforms.functional")
SIZES = [(64, 64), (61, 90), (33, 20)]
STILL = ("motion_blur_p", "zoom_blur_p", "brightness_p", "translate_p", "rotate_p", "tilt_p", "scale_p")


def apart(y, expected):
    assert y.shape == np.shape(expected)
    return float(np.abs(y.astype(float) - np.asarray(expected)).mean())


def affine(image, angle=0.0, scale=1.0, shift=0, mode="bilinear"):
    kind = functional.InterpolationMode(mode)
    return np.asarray(functional.affine(Pillow.fromarray(image), angle, [shift, 0], scale, [0.0], interpolation=kind))


def test_the_word_stands_for_all_frames():
    assert tuple(FRAMES) == tuple(TABLE)
    assert len(expand("perturbations")) == 9 * 31 + 41
    assert expand("perturbations")[:2] == ["gaussian_noise_p:0", "gaussian_noise_p:1"]
    assert (
        expand("perturbations:tilt_p,3") == expand("perturbations:frames=3,sequence=tilt_p") == ["tilt_p:0", "tilt_p:1", "tilt_p:2"]
    )
    assert expand("perturbations:constants=cifar")[-1] == "scale_p:30,constants=cifar"
    assert len(expand("perturbations:constants=cifar")) == 8 * 31 + 21 + 16
    assert all(noise(spec).family == "perturbation" for spec in expand("perturbations:constants=tiny"))


@pytest.mark.parametrize(("side", "chosen"), [(32, "cifar"), (64, "tiny"), (224, "imagenet"), (299, "imagenet-299")])
def test_the_models_input_chooses_the_constants(side, chosen):
    assert expand("perturbations", side=side) == expand(f"perturbations:constants={chosen}")
    assert expand("perturbations:constants=tiny", side=side) == expand("perturbations:constants=tiny")
    assert expand("fog:3", side=side) == ["fog:3"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("perturbations:frames=1", "Type 2 or more"),
        ("perturbations:sequence=spatter_p", "Unknown sequence 'spatter_p'. Allowed: gaussian_noise_p"),
        ("perturbations:constants=mine", "Allowed: imagenet, imagenet-299, tiny, cifar"),
        ("rotate_p:31", "rotate_p has no frame 31 with the constants 'imagenet'. Allowed: 0 to 30"),
        ("translate_p:16,constants=cifar", "Allowed: 0 to 15"),
        ("rotate_p:3,constants=auto", "Unknown constants 'auto'"),
    ],
)
def test_what_there_is_not_is_refused(text, message):
    with pytest.raises(SpecError, match=message):
        expand(text)


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(list(FRAMES)),
    share=st.floats(0, 1),
    constants=st.sampled_from(SETS),
    height=st.integers(2, 64),
    width=st.integers(2, 48),
    seed=st.integers(0, 2**63 - 1),
)
def test_any_size_and_the_same_bytes_again(name, share, constants, height, width, seed):
    frame = round(share * (FRAMES[name][SETS.index(constants)] - 1))
    image, shown = picture(height, width, seed % 83), noise(f"{name}:{frame},constants={constants}")
    before = image.copy()
    y = shown(image, seed)
    assert y.dtype == np.uint8 and y.shape == image.shape and y.flags.writeable
    assert np.array_equal(image, before) and not np.shares_memory(y, image)
    shown(picture(9, 7), seed + 1)
    assert np.array_equal(shown(image[:, :, :], seed), y)
    if name in STILL:
        assert np.array_equal(shown(image, seed ^ 1), y), "a sequence without chance"


@pytest.mark.parametrize("name", FRAMES)
def test_small_pictures(name):
    least = 2 if name == "snow_p" else 1
    assert noise(f"{name}:30")(picture(least, least), 0).shape == (least, least, 3)
    with pytest.raises(ShapeError, match=f"{name} takes pictures of at least {least}×{least} px and was given {least - 1}×9 px"):
        noise(f"{name}:30")(picture(least - 1, 9), 0)
    text = NOISES.load(name).__doc__
    assert all(part in text for part in ("Source: ", "Differs from the paper: ", "uint8 H×W×3 → uint8 H×W×3"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("frame", [0, 8, 15, 20, 24, 30])
def test_moves_are_torchvisions(frame, size):
    image = picture(*size)
    assert np.array_equal(noise(f"translate_p:{frame}")(image, 0), affine(image, shift=frame - 20, mode="nearest"))
    assert apart(noise(f"rotate_p:{frame}")(image, 0), affine(image, angle=frame - 15.0)) < 0.3
    assert apart(noise(f"scale_p:{frame}")(image, 0), affine(image, scale=(frame * 2.5 + 40) / 100)) < 0.3


def test_a_translation_beyond_the_picture_is_black():
    assert not noise("translate_p:0")(picture(12, 20), 0).any() and not noise("translate_p:40")(picture(12, 5), 0).any()


@pytest.mark.parametrize("frame", [0, 1, 5, 17, 30])
def test_zoom_blur_averages_torchvisions_copies(frame):
    image = picture(61, 90)
    copies = [image, *(affine(image, scale=1 + 0.004 * i) for i in range(1, frame + 1))]
    assert apart(noise(f"zoom_blur_p:{frame}")(image, 0), np.floor(np.mean(copies, axis=0) + 1e-6)) < 0.3
    assert (frame > 0) or np.array_equal(noise("zoom_blur_p:0")(image, 0), image)


@pytest.mark.parametrize(("y", "x"), [(0, 0), (10, 35), (47, 63), (23, 31)])
@pytest.mark.parametrize("degrees", [-15.0, 0.0, 7.0])
def test_tilt_projects_a_turned_point(degrees, y, x):
    height, width, a = 48, 64, np.deg2rad(degrees)
    p = np.array([x - 32.0, y - 24.0, 1.0])
    p = np.array([p[0] * np.cos(a) - p[2] * np.sin(a), p[1], p[0] * np.sin(a) + p[2] * np.cos(a)])  # about the axis y
    p = np.array([p[0], p[1] * np.cos(a) - p[2] * np.sin(a), p[1] * np.sin(a) + p[2] * np.cos(a)])  # about the axis x
    f = np.hypot(width, height)
    expected = 32 + f * p[0] / (p[2] + f), 24 + f * p[1] / (p[2] + f)
    u, v, w = moves.tilted(height, width, a) @ [x, y, 1]
    assert (u / w, v / w) == pytest.approx(expected)


def test_tilt_grows_from_the_middle():
    image = picture(64, 64)
    changes = [apart(noise(f"tilt_p:{frame}")(image, 0), image) for frame in (0, 8, 15, 22, 30)]
    assert changes[2] < changes[1] < changes[0] and changes[2] < changes[3] < changes[4]


@pytest.mark.parametrize("frame", [0, 7, 15, 23, 30])
def test_brightness_is_scikit_images(frame):
    color = pytest.importorskip("skimage.color")
    image = picture(40, 57)
    hsv = color.rgb2hsv(image)
    hsv[..., 2] = np.clip(hsv[..., 2] + (frame - 15) * 0.02, 0, 1)
    assert apart(noise(f"brightness_p:{frame}")(image, 0), np.uint8(color.hsv2rgb(hsv) * 255 + 1e-3)) < 0.05


def test_motion_blur_turns_a_step_a_frame(monkeypatch):
    angles = []
    module = "bitproof.noises.corruptions.blur.streak"
    monkeypatch.setattr(module, lambda x, radius, sigma, angle: angles.append((radius, sigma, angle)) or x.astype(np.float32))
    for spec in ("motion_blur_p:0", "motion_blur_p:1", "motion_blur_p:30", "motion_blur_p:2,constants=cifar"):
        noise(spec)(picture(), 0)
    assert angles == [(10, 3, -120), (10, 3, -116), (10, 3, 0), (6, 1.8, -162)]


@pytest.mark.parametrize(("name", "std"), [("gaussian_noise_p", 255 * 0.03), ("shot_noise_p", 255 * np.sqrt(128 / 255 / 300))])
def test_noise_starts_clean_and_is_drawn_anew(name, std):
    flat = np.full((120, 120, 3), 128, np.uint8)
    frames = [noise(f"{name}:{i}")(flat, 9).astype(float) for i in (0, 1, 2, 30)]
    assert np.array_equal(frames[0], flat)
    for one, other in ((1, 2), (2, 3)):
        assert frames[one].std() == pytest.approx(std, rel=0.03)
        assert abs(np.corrcoef(frames[one].ravel(), frames[other].ravel())[0, 1]) < 0.02


def test_snow_keeps_its_flakes_and_turns_them(monkeypatch):
    image = picture(80, 96)
    assert not np.array_equal(noise("snow_p:4")(image, 1), noise("snow_p:5")(image, 1))
    angles = []
    monkeypatch.setattr(weather, "streak", lambda x, radius, sigma, angle: angles.append(angle) or x.astype(np.float32))
    unblurred = [noise(f"snow_p:{frame}")(image, 1) for frame in (0, 5, 30)]
    assert all(np.array_equal(unblurred[0], other) for other in unblurred[1:]) and angles == [-150, -130, -30]
    assert not np.array_equal(unblurred[0], noise("snow_p:0")(image, 2)), "another sample has other flakes"


def test_analysis_knows_the_same_frames():
    assert {name: counts[0] for name, counts in FRAMES.items()} == SEQUENCES
