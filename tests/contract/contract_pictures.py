"""What every noise of pictures promises: decoders, resizes, colour steps and corruptions. A check takes the registered class."""

import dataclasses
import io
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from contract_entries import pickled
from PIL import Image

from bitproof.core import SITES, DataError, Geometry, ShapeError, SpecError

Picture = np.ndarray
Check = Callable[[Any], None]

#: The corruptions that draw nothing.
WITHOUT_CHANCE = {
    *("DefocusBlur", "ZoomBlur", "GaussianBlur"),
    *("Brightness", "Contrast", "Saturate", "Pixelate", "JpegCompression"),
    *("MotionBlurP", "ZoomBlurP", "BrightnessP", "TranslateP", "RotateP", "TiltP", "ScaleP"),
}
GEOMETRIES = (Geometry(24, 32), Geometry(32, 32, "square"), Geometry(48, 64))
FAMILIES = ("natural", "perturbation", "system", "field", "adversarial")


def picture(height: int = 33, width: int = 47) -> Picture:
    """Smooth colours with some grain, odd sides."""
    rows, columns = np.mgrid[0:height, 0:width]
    smooth = np.stack([rows * 5, columns * 4, (rows + columns) * 2], axis=-1) % 256
    grain = np.random.default_rng(0).integers(-20, 21, smooth.shape)
    return np.clip(smooth + grain, 0, 255).astype(np.uint8)


def jpeg(image: Picture) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=90)
    return file.getvalue()


def build(noise: Any, severity: int = 3) -> Any:
    return noise(severity) if noise.site == "image" else noise()


def calls(noise: Any) -> list[Callable[[], Picture]]:
    """The noise at work: on what its site is given, a few times over."""
    built, image = build(noise), picture()
    if noise.site == "decode":
        return [lambda: built(jpeg(image)), lambda: built(jpeg(image[:16, :16]))]
    if noise.site == "resize":
        return [lambda g=g: built(image, g) for g in GEOMETRIES]
    if noise.site == "color":
        return [lambda: built(image), lambda: built(image[:1, :1])]
    return [lambda s=s, seed=seed: build(noise, s)(image, seed) for s in range(1, 6) for seed in (0, 2**63 - 1)]


def check_says_where_it_stands(noise: Any) -> None:
    assert set(noise.kinds) <= set(SITES) and noise.kinds
    assert all(noise.site in SITES[kind] for kind in noise.kinds)
    assert noise.family in FAMILIES


def check_same_call_same_bytes(noise: Any) -> None:
    for call, again in zip(calls(noise), calls(noise), strict=True):
        assert np.array_equal(call(), again())


def check_threads_change_nothing(noise: Any) -> None:
    alone = [call() for call in calls(noise)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda call: call(), calls(noise) * 4))
    assert all(np.array_equal(a, b) for a, b in zip(alone * 4, together, strict=True))


def check_pickled_it_is_the_same(noise: Any) -> None:
    given = {"decode": (jpeg(picture()),), "resize": (picture(), GEOMETRIES[0]), "color": (picture(),), "image": (picture(), 5)}
    built, arguments = build(noise), given[noise.site]
    assert np.array_equal(pickled(built)(*arguments), built(*arguments))


@contextmanager
def restored() -> Iterator[None]:
    """Give the tests that follow the global generators as they were."""
    state, python_state = np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        np.random.set_state(state)
        random.setstate(python_state)


def check_global_generators_are_left_alone(noise: Any) -> None:
    with restored():
        np.random.seed(1)
        random.seed(1)
        before = [call() for call in calls(noise)]
        assert np.random.randint(2**31) == np.random.RandomState(1).randint(2**31), "draws from NumPy's global generator"
        assert random.random() == random.Random(1).random(), "draws from Python's global generator"
        assert all(np.array_equal(a, call()) for a, call in zip(before, calls(noise), strict=True))


def check_gives_whole_pictures(noise: Any) -> None:
    for call in calls(noise):
        y = call()
        assert isinstance(y, np.ndarray) and y.dtype == np.uint8 and y.ndim == 3 and y.shape[2] == 3
        assert y.flags.writeable and y.flags.c_contiguous


def check_input_is_left_alone(noise: Any) -> None:
    """Not changed, and not handed back: whoever writes into the result does not write into the picture."""
    for image in (picture(), picture(32, 32)):
        before, built = image.copy(), build(noise)
        arguments = {"resize": (Geometry(32, 32),), "color": (), "image": (5,)}[noise.site]
        y = built(image, *arguments)
        assert np.array_equal(image, before) and not np.shares_memory(y, image)


def check_refuses_what_is_no_picture(noise: Any) -> None:
    built = build(noise)
    arguments = {"resize": (Geometry(32, 32),), "color": (), "image": (5,)}[noise.site]
    for wrong in (picture() / 255, picture()[..., 0], picture()[..., :2], picture().tolist(), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ShapeError):
            built(wrong, *arguments)


def check_reads_a_jpeg(noise: Any) -> None:
    """Within what JPEG itself loses; a decoder that swaps channels or turns the picture is far off."""
    image = np.asarray(Image.fromarray(picture()).resize((64, 48), Image.Resampling.BICUBIC))
    y = noise()(jpeg(image))
    assert y.shape == image.shape
    assert np.abs(y.astype(int) - image).mean() < 12


def check_refuses_what_is_no_file(noise: Any) -> None:
    whole = jpeg(picture())
    for wrong in (b"", b"no picture at all", whole[: len(whole) // 2], whole[:30]):
        with pytest.raises(DataError):
            noise()(wrong)


def check_brings_to_the_size(noise: Any) -> None:
    for geometry in GEOMETRIES:
        for image in (picture(), picture(47, 33), picture(geometry.resize, geometry.resize), picture(1, 1)):
            assert noise()(image, geometry).shape == (geometry.size, geometry.size, 3)


def check_keeps_the_shape(noise: Any) -> None:
    for height, width in ((33, 47), (32, 32), (64, 17)):
        image = picture(height, width)
        assert build(noise)(image, *((5,) if noise.site == "image" else ())).shape == image.shape


def check_does_something(noise: Any) -> None:
    for call in calls(noise)[:1] if noise.site == "color" else calls(noise):
        assert not np.array_equal(call(), picture())


def check_another_seed_is_another_draw(noise: Any) -> None:
    for severity in range(1, 6):
        one, other = (build(noise, severity)(picture(), seed) for seed in (1, 2))
        assert np.array_equal(one, other) == (noise.__name__ in WITHOUT_CHANCE)


#: The first word of a noise of pictures → what it must refuse.
REFUSED = {"severity": (-1, 0, 6), "frame": (-1, 41, 1000)}


def check_severity_is_the_first_word(noise: Any) -> None:
    """So that ``fog:3`` and ``fog:severity=3`` are one cell; of a sequence it is the frame."""
    assert dataclasses.fields(noise)[0].name in REFUSED


def check_other_severities_are_refused(noise: Any) -> None:
    for severity in REFUSED[dataclasses.fields(noise)[0].name]:
        with pytest.raises(SpecError, match=f"{severity}"):
            noise(severity)


_ALL: list[Check] = [
    check_says_where_it_stands,
    check_same_call_same_bytes,
    check_threads_change_nothing,
    check_pickled_it_is_the_same,
    check_global_generators_are_left_alone,
    check_gives_whole_pictures,
]
_AFTER_DECODING: list[Check] = [check_input_is_left_alone, check_refuses_what_is_no_picture]

#: Site → what a noise there promises.
CHECKS: dict[str, list[Check]] = {
    "decode": [*_ALL, check_reads_a_jpeg, check_refuses_what_is_no_file],
    "resize": [*_ALL, *_AFTER_DECODING, check_brings_to_the_size],
    "color": [*_ALL, *_AFTER_DECODING, check_keeps_the_shape, check_does_something],
    "image": [
        *(*_ALL, *_AFTER_DECODING, check_keeps_the_shape, check_does_something),
        *(check_another_seed_is_another_draw, check_severity_is_the_first_word, check_other_severities_are_refused),
    ],
}
