"""Colour steps against the formulas in floating point, and against OpenCV's BT.601."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bitproof.core import ShapeError
from bitproof.noises.system.color import Bgr, Yuv420, Yuv444, share_chroma, to_rgb, to_yuv

ALL = [Bgr(), Yuv444(), Yuv420()]
pictures = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


def every_level():
    """All combinations of eighteen levels a channel, 0 and 255 among them."""
    levels = np.linspace(0, 255, 18).round().astype(np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(54, 108, 3)


def test_forward_is_the_published_matrix():
    matrix = np.array([[0.256788, 0.504129, 0.097906], [-0.148223, -0.290993, 0.439216], [0.439216, -0.367788, -0.071427]])
    exact = every_level().astype(float) @ matrix.T + [16, 128, 128]
    assert np.abs(np.stack(to_yuv(every_level()), axis=-1) - exact).max() <= 0.5 + 1e-9


def test_limited_range():
    y, u, v = to_yuv(every_level())
    assert (y.min(), y.max()) == (16, 235)
    assert (min(u.min(), v.min()), max(u.max(), v.max())) == (16, 240)


def test_backward_is_the_real_valued_matrix_within_its_rounding():
    y, u, v = to_yuv(every_level())
    c, d, e = y - 16.0, u - 128.0, v - 128.0
    r, g, b = 1.164383 * c + 1.596027 * e, 1.164383 * c - 0.391762 * d - 0.812968 * e, 1.164383 * c + 2.017232 * d
    exact = np.clip(np.stack([r, g, b], axis=-1), 0, 255)
    assert np.abs(to_rgb(y, u, v) - exact).max() < 1.0


def test_opencv_reads_our_planes_back_to_the_same_picture():
    image = every_level()
    y, u, v = to_yuv(image)
    half = share_chroma(u)[::2, ::2], share_chroma(v)[::2, ::2]
    i420 = np.concatenate([plane.reshape(-1) for plane in (y, *half)]).astype(np.uint8).reshape(-1, image.shape[1])
    theirs = cv2.cvtColor(i420, cv2.COLOR_YUV2RGB_I420)
    assert np.abs(theirs.astype(int) - Yuv420()(image)).max() <= 2


@given(pictures)
def test_full_chroma_moves_no_value_by_more_than_three(image):
    assert np.abs(Yuv444()(image).astype(int) - image).max() <= 3


@given(st.integers(0, 255), st.integers(1, 7), st.integers(1, 7))
def test_flat_pictures_do_not_depend_on_subsampling(level, height, width):
    image = np.full((height, width, 3), [level, 255 - level, level // 2], np.uint8)
    np.testing.assert_array_equal(Yuv420()(image), Yuv444()(image))


def test_chroma_is_the_mean_of_two_by_two():
    plane = np.array([[0, 1, 10], [2, 4, 21], [7, 9, 5]], np.int32)
    # Means 1.75, 15.5, 8 and 5, halves up.
    np.testing.assert_array_equal(share_chroma(plane), [[2, 2, 16], [2, 2, 16], [8, 8, 5]])


@given(pictures)
def test_bgr_is_its_own_inverse(image):
    np.testing.assert_array_equal(Bgr()(image), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    np.testing.assert_array_equal(Bgr()(Bgr()(image)), image)


@pytest.mark.parametrize("step", ALL, ids=lambda step: type(step).__name__)
@given(image=pictures)
def test_a_new_array_and_an_untouched_input(step, image):
    before = image.copy()
    out = step(image)
    assert (out.shape, out.dtype) == (image.shape, np.uint8)
    assert not np.shares_memory(out, image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("step", ALL, ids=lambda step: type(step).__name__)
def test_other_arrays_are_refused(step):
    with pytest.raises(ShapeError, match="uint8 H×W×3"):
        step(np.zeros((4, 4, 3), np.float32))
