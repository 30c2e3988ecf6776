"""Colour steps against the formulas in floating point, and against OpenCV's BT.601."""

import itertools

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bitproof.core import ShapeError, SpecError
from bitproof.noises import expand, noise
from bitproof.noises.system.color import Bgr, Yuv420, Yuv444, share_chroma, to_rgb, to_rgb_float, to_yuv, to_yuv_float

WAYS = list(itertools.product(("bt601", "bt709"), ("limited", "full"), ("integer", "float")))
ALL = [Bgr(), *(step(*way) for step in (Yuv444, Yuv420) for way in WAYS)]

#: FFmpeg's words for a matrix and a range.
FFMPEG = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709, "limited": ColorRange.MPEG, "full": ColorRange.JPEG}
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


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_ffmpegs_scaler_gives_the_same_planes_and_reads_them_back_the_same(way):
    """Within one level each way: swscale has coefficients of fewer bits."""
    matrix, span, arithmetic = way
    there, back = (to_yuv, to_rgb) if arithmetic == "integer" else (to_yuv_float, to_rgb_float)
    space, levels = FFMPEG[matrix], FFMPEG[span]
    frame = av.VideoFrame.from_ndarray(every_level(), "rgb24")
    yuv = frame.reformat(
        format="yuv444p", src_colorspace=space, dst_colorspace=space, src_color_range=ColorRange.JPEG, dst_color_range=levels
    )
    planes = yuv.to_ndarray().astype(np.int32)
    assert np.abs(planes - np.stack(there(every_level(), matrix, span))).max() <= 1
    rgb = yuv.reformat(
        format="rgb24", src_colorspace=space, dst_colorspace=space, src_color_range=levels, dst_color_range=ColorRange.JPEG
    )
    assert np.abs(rgb.to_ndarray().astype(int) - back(*planes, matrix, span)).max() <= 1


@pytest.mark.parametrize("arithmetic", ["integer", "float"])
def test_full_range_bt601_is_opencvs_ycrcb(arithmetic):
    image = every_level()
    theirs = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb), cv2.COLOR_YCrCb2RGB)
    assert np.abs(theirs.astype(int) - Yuv444("bt601", "full", arithmetic)(image)).max() <= 2


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_integers_and_floats_round_the_same_numbers(way):
    matrix, span, _ = way
    exact = Yuv444(matrix, span, "float")(every_level()).astype(int)
    assert np.abs(exact - Yuv444(matrix, span, "integer")(every_level())).max() <= 2


def test_every_way_is_another_picture():
    assert len({step(every_level()).tobytes() for step in ALL}) == len(ALL)


def test_the_defaults_have_the_name_that_they_always_had():
    assert expand("yuv-444:matrix=bt601,range=limited,arithmetic=integer") == ["yuv-444"]
    assert expand("yuv-420:bt709,full") == ["yuv-420:matrix=bt709,range=full"]


@pytest.mark.parametrize("setting", ["matrix=bt2020", "range=tv", "arithmetic=int8"])
def test_other_words_are_refused(setting):
    with pytest.raises(SpecError, match=f"{setting} is unknown: .* or "):
        noise(f"yuv-420:{setting}")


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


@pytest.mark.parametrize("step", ALL, ids=repr)
@given(image=pictures)
def test_a_new_array_and_an_untouched_input(step, image):
    before = image.copy()
    out = step(image)
    assert (out.shape, out.dtype) == (image.shape, np.uint8)
    assert not np.shares_memory(out, image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("step", ALL, ids=repr)
def test_other_arrays_are_refused(step):
    with pytest.raises(ShapeError, match="uint8 H×W×3"):
        step(np.zeros((4, 4, 3), np.float32))
