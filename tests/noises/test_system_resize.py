"""Resizes against the libraries called directly, and against torchvision's own pipeline."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize
from torchvision.transforms import functional as TF

from bitproof.core import DataError, Geometry, ShapeError, SpecError
from bitproof.noises import noise
from bitproof.noises.system import resize
from bitproof.noises.system.resize import (
    CvArea,
    CvBilinear,
    CvCubic,
    CvLanczos,
    CvNearest,
    PilBilinear,
    PilBox,
    PilCubic,
    PilHamming,
    PilLanczos,
    PilNearest,
    TorchBilinear,
    TorchCubic,
    center_crop,
)

PILLOW = {
    PilNearest(): Image.NEAREST,
    PilBox(): Image.BOX,
    PilBilinear(): Image.BILINEAR,
    PilHamming(): Image.HAMMING,
    PilCubic(): Image.BICUBIC,
    PilLanczos(): Image.LANCZOS,
}
OPENCV = {
    CvNearest(): cv2.INTER_NEAREST,
    CvBilinear(): cv2.INTER_LINEAR,
    CvArea(): cv2.INTER_AREA,
    CvCubic(): cv2.INTER_CUBIC,
    CvLanczos(): cv2.INTER_LANCZOS4,
}
TORCH = {
    TorchBilinear(): (InterpolationMode.BILINEAR, True),
    TorchCubic(): (InterpolationMode.BICUBIC, True),
    TorchBilinear(antialias=False): (InterpolationMode.BILINEAR, False),
    TorchCubic(antialias=False): (InterpolationMode.BICUBIC, False),
}
ALL = [*PILLOW, *OPENCV, *TORCH]
TORCHVISION = {PilBilinear(): InterpolationMode.BILINEAR, PilCubic(): InterpolationMode.BICUBIC}


def name(resizer):
    return type(resizer).__name__


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("resizer", PILLOW, ids=name)
@pytest.mark.parametrize(("mode", "scaled"), [("square", (40, 40)), ("shorter", (40, 69))])
def test_pillow_called_directly(resizer, mode, scaled):
    image = picture(53, 92)
    expected = np.asarray(Image.fromarray(image).resize(scaled[::-1], PILLOW[resizer]))
    top, left = (scaled[0] - 32) // 2, round((scaled[1] - 32) / 2)
    actual = resizer(image, Geometry(32, 40, mode))
    np.testing.assert_array_equal(actual, expected[top : top + 32, left : left + 32])


@pytest.mark.parametrize("resizer", OPENCV, ids=name)
@pytest.mark.parametrize(("mode", "scaled"), [("square", (40, 40)), ("shorter", (69, 40))])
def test_opencv_called_directly(resizer, mode, scaled):
    image = picture(92, 53)
    expected = cv2.resize(image, scaled[::-1], interpolation=OPENCV[resizer])
    top, left = round((scaled[0] - 32) / 2), (scaled[1] - 32) // 2
    actual = resizer(image, Geometry(32, 40, mode))
    np.testing.assert_array_equal(actual, expected[top : top + 32, left : left + 32])


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 130), width=st.integers(1, 130), size=st.integers(1, 40), more=st.integers(0, 20), which=st.integers(0, 1)
)
def test_torchvision_bit_for_bit(height, width, size, more, which):
    resizer = list(TORCHVISION)[which]
    image = picture(height, width)
    torchvision = Compose([Resize(size + more, TORCHVISION[resizer]), CenterCrop(size)])
    np.testing.assert_array_equal(resizer(image, Geometry(size, size + more)), np.asarray(torchvision(Image.fromarray(image))))


@pytest.mark.parametrize("resizer", ALL, ids=name)
@pytest.mark.parametrize("shape", [(224, 224), (17, 500), (300, 301), (1, 1)])
def test_shape_dtype_and_an_untouched_input(resizer, shape):
    image = picture(*shape)
    before = image.copy()
    out = resizer(image, Geometry(24, 32))
    assert out.shape == (24, 24, 3)
    assert out.dtype == np.uint8
    assert out.flags.c_contiguous
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("resizer", ALL, ids=name)
def test_nothing_to_do_returns_a_copy(resizer):
    image = picture(32, 32)
    out = resizer(image, Geometry(32, 32))
    np.testing.assert_array_equal(out, image)
    assert not np.shares_memory(out, image)
    out[:] = 0
    assert image.any()


@pytest.mark.parametrize("resizer", ALL, ids=name)
def test_read_only_pictures_are_taken_and_the_result_is_writeable(resizer):
    image = picture(40, 50)
    image.flags.writeable = False
    assert resizer(image, Geometry(32, 40)).flags.writeable


def test_all_differ():
    image, geometry = picture(131, 207), Geometry(32, 40)
    assert len({resizer(image, geometry).tobytes() for resizer in ALL}) == len(ALL)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), size=st.integers(1, 40), square=st.booleans(), which=st.integers(0, 3))
def test_torch_is_torchvision_on_tensors(height, width, size, square, which):
    """At most one level apart: torchvision may sum an uint8 tensor in integers, by what the processor offers."""
    resizer = list(TORCH)[which]
    image, geometry = picture(height, width), Geometry(size, size, "square" if square else "shorter")
    mode, antialias = TORCH[resizer]
    x = torch.from_numpy(image).permute(2, 0, 1)
    expected = TF.resize(x, list(geometry.scaled(height, width)), mode, antialias=antialias).permute(1, 2, 0).numpy()
    assert np.abs(center_crop(expected, size).astype(int) - resizer(image, geometry)).max() <= 1


def test_antialias_is_what_pillow_and_opencv_differ_by():
    image, geometry = picture(200, 300), Geometry(32, 40)

    def far(one, other):
        return np.abs(one(image, geometry).astype(int) - other(image, geometry)).max()

    assert far(TorchBilinear(), PilBilinear()) <= 1
    assert far(TorchBilinear(antialias=False), CvBilinear()) <= 1
    assert far(TorchCubic(), PilCubic()) <= 1
    assert far(TorchCubic(antialias=False), CvCubic()) <= 2
    assert far(TorchBilinear(), TorchBilinear(antialias=False)) > 30


@pytest.mark.parametrize("resizer", ["pil-bilinear", "cv-area", "torch-cubic"])
def test_a_geometry_of_its_own_replaces_the_models(resizer):
    image, own = picture(60, 90), Geometry(32, 40)
    for words, same in [("mode=square", Geometry(32, 40, "square")), ("resize=50", Geometry(32, 50))]:
        np.testing.assert_array_equal(noise(f"{resizer}:{words}")(image, own), noise(resizer)(image, same))
    np.testing.assert_array_equal(noise(f"{resizer}:mode=shorter,resize=40")(image, own), noise(resizer)(image, own))


def test_an_offset_of_whole_pixels_moves_the_picture():
    image = picture(40, 40)
    for offset in (-3, 2):
        moved = PilBox(offset=offset)(image, Geometry(40, 40)).astype(int)
        rows, columns = (np.clip(np.arange(40) + offset, 0, 39) for _ in range(2))
        np.testing.assert_array_equal(moved, image[rows][:, columns])


@settings(max_examples=30, deadline=None)
@given(offset=st.floats(-2, 2, allow_nan=False), height=st.integers(30, 60), width=st.integers(30, 60))
def test_an_offset_is_pillows_box_away_from_the_edges(offset, height, width):
    """A picture cut out of a larger one, shifted, is the larger one's box where no edge is near."""
    large = np.asarray(Image.fromarray(picture(8, 8)).resize((100, 100), Image.BICUBIC))
    cut = large[20 : 20 + height, 20 : 20 + width]
    box = (20 + offset, 20 + offset, 20 + width + offset, 20 + height + offset)
    expected = np.asarray(Image.fromarray(large).resize((24, 24), Image.BILINEAR, box=box))
    actual = PilBilinear(offset=offset)(cut, Geometry(24, 24, "square"))
    assert np.abs(actual.astype(int) - expected)[4:-4, 4:-4].max() <= 1


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        ("pil-bilinear:mode=long", "shorter or square"),
        ("pil-bilinear:resize=0", "1 or more"),
        ("pil-bilinear:offset=99", "−16 to 16"),
        ("pil-bilinear:offset=nan", "−16 to 16"),
        ("cv-area:offset=1", "no setting 'offset'"),
        ("cv-area:antialias=true", "no setting 'antialias'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(spec, match):
    with pytest.raises(SpecError, match=match):
        noise(spec)


def test_a_side_smaller_than_the_crop_is_refused():
    with pytest.raises(SpecError, match="size ≤ resize"):
        PilBilinear(resize=20)(picture(40, 40), Geometry(32, 40))


@given(height=st.integers(5, 40), width=st.integers(5, 40), size=st.integers(1, 5))
def test_the_crop_is_torchvisions(height, width, size):
    image = picture(height, width)
    np.testing.assert_array_equal(center_crop(image, size), np.asarray(CenterCrop(size)(Image.fromarray(image))))


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8), "x"])
def test_other_arrays_are_refused(image):
    with pytest.raises(ShapeError, match="uint8 H×W×3"):
        PilBilinear()(image, Geometry(4, 4))


def test_a_needle_is_refused_instead_of_filling_the_memory(monkeypatch):
    monkeypatch.setattr(resize, "MAX_PIXELS", 5000)
    with pytest.raises(DataError, match=r"1 × 30 pixels .* would be scaled to 16 × 480"):
        PilBilinear()(picture(1, 30), Geometry(16, 16))
