"""Resizes against the libraries called directly, and against torchvision's own pipeline."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from bitproof.core import DataError, Geometry, ShapeError
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
ALL = [*PILLOW, *OPENCV]
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


def test_all_eleven_differ():
    image, geometry = picture(120, 200), Geometry(32, 40)
    assert len({resizer(image, geometry).tobytes() for resizer in ALL}) == 11


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
