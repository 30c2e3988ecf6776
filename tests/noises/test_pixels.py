"""What a user may hand in as a picture, and what becomes of it."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pillow
from test_corruptions import picture

import bitproof
from bitproof.core import ShapeError, SpecError
from bitproof.noises import as_rgb, corrupt, noise

GREY = picture(40, 33)[..., 0]
RGB = picture(40, 33)


@settings(max_examples=60, deadline=None)
@given(
    image=st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([(), (1,), (2,), (3,), (4,)])).flatmap(
        lambda size: st.sampled_from([np.uint8, np.uint16, np.bool_, ">u2"]).flatmap(
            lambda kind: arrays(kind, (*size[:2], *size[2]))
        )
    )
)
def test_any_picture_becomes_rgb_bytes_of_its_size(image):
    y = as_rgb(image)
    assert y.dtype == np.uint8 and y.shape == (*image.shape[:2], 3) and y.flags.c_contiguous and y.flags.writeable
    assert not np.shares_memory(y, image)
    if image.ndim == 2 or image.shape[2] < 3:
        assert np.array_equal(y[..., 0], y[..., 1]) and np.array_equal(y[..., 0], y[..., 2])


def test_the_conversion_is_the_one_that_is_stated():
    alpha = np.full_like(GREY, 7)
    assert np.array_equal(as_rgb(RGB), RGB)
    assert np.array_equal(as_rgb(np.dstack([RGB, alpha])), RGB)
    for grey in (GREY, GREY[..., None], np.dstack([GREY, alpha])):
        assert np.array_equal(as_rgb(grey), np.dstack([GREY] * 3))
    assert np.array_equal(as_rgb(GREY.astype(np.uint16) * 256 + 255), np.dstack([GREY] * 3))
    assert np.array_equal(as_rgb(GREY > 99)[..., 0], np.where(GREY > 99, 255, 0))


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "I;16", "1"])
def test_it_is_what_the_decoder_makes_of_the_same_picture_in_a_file(mode):
    alpha = picture(40, 33, 5)[..., 0]
    given = {
        "L": GREY, "LA": np.dstack([GREY, alpha]), "RGBA": np.dstack([RGB, alpha]),
        "I;16": GREY.astype(np.uint16) * 251 + 3, "1": GREY > 120,
    }[mode]  # fmt: skip
    file = io.BytesIO()
    Pillow.fromarray(given).save(file, "PNG")
    assert np.array_equal(noise("decode-pil")(file.getvalue()), as_rgb(given))


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (RGB / 255, "float64 40×33×3"),
        (RGB.astype(np.int32), "int32 40×33×3"),
        (RGB[None], "uint8 1×40×33×3"),
        (np.zeros((4, 4, 5), np.uint8), "uint8 4×4×5"),
        (np.zeros((0, 4), np.uint8), "uint8 0×4"),
        (RGB.tolist(), "list"),
    ],
)
def test_all_else_is_refused_with_what_to_type(wrong, found):
    with pytest.raises(ShapeError, match=rf"found {found}\. Type for example"):
        as_rgb(wrong)


def test_a_picture_is_put_through_a_noise_of_its_site():
    assert bitproof.corrupt is corrupt
    expected = noise("fog:3")(as_rgb(GREY), 5)
    assert np.array_equal(corrupt(GREY, "fog:3", seed=5), expected)
    assert np.array_equal(corrupt(np.dstack([RGB, GREY]), "bgr"), RGB[..., ::-1])
    with pytest.raises(SpecError, match="'pil-box' stands at the site 'resize'"):
        corrupt(RGB, "pil-box")
    with pytest.raises(ShapeError, match="glass_blur takes pictures of at least 3×3 px and was given 2×9 px"):
        corrupt(np.zeros((2, 9), np.uint16), "glass_blur:1")
