"""Corruptions unlike those of ImageNet-C: eight of ImageNet-C̄, five of which CIFAR-10-C̄ holds too, at their published levels."""

from __future__ import annotations

from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from bitproof.noises.corruptions.base import Image, ImageCorruption
from bitproof.noises.corruptions.filters import truncate
from bitproof.noises.corruptions.table import CIFAR_LIMIT_PX

Doubles = npt.NDArray[np.float64]

#: Corruption → set → its level at severities 1 to 5.
#: Source: facebookresearch/augmentation-corruption, imagenet_c_bar/{imagenet,cifar10}_c_bar.csv.
LEVELS: dict[str, dict[str, tuple[float, float, float, float, float]]] = {
    "single_frequency_greyscale": {"imagenet": (1, 1.5, 2, 4.5, 5)},
    "cocentric_sine_waves": {"imagenet": (3, 5, 8, 9, 10)},
    "plasma_noise": {"imagenet": (4.75, 7, 8.5, 9.25, 10)},
    "blue_noise_sample": {"imagenet": (0.8, 1.6, 2.4, 4, 5.6), "cifar": (0.7, 1.4, 2.1, 3.5, 4.2)},
    "brownish_noise": {"imagenet": (1, 2, 3, 4, 5), "cifar": (2.5, 4, 5.5, 6.5, 7)},
    "checkerboard_cutout": {"imagenet": (2, 3, 4, 5, 6), "cifar": (1, 2, 3, 4, 5)},
    "sparkles": {"imagenet": (1, 2, 3, 5, 6), "cifar": (0.7, 3.5, 5.6, 6.3, 7)},
    "inverse_sparkles": {"imagenet": (1, 2, 4, 9, 10), "cifar": (1, 1.5, 2.5, 4.5, 5)},
}


def single_frequency_greyscale(image: Image, rng: np.random.Generator, level: float) -> Image:
    """Add one wave: 19.6·level·sin(fx·x + fy·y + φ)."""
    high = rng.uniform(-np.pi, np.pi)
    frequency = rng.permutation([high, rng.uniform(-abs(high), abs(high))])
    y, x = _places(image)
    wave = np.sin(x * frequency[0] + y * frequency[1] + rng.uniform(0, 2 * np.pi))
    return _add(image, 19.6 * level * wave)


def cocentric_sine_waves(image: Image, rng: np.random.Generator, level: float) -> Image:
    """Add rings whose radius waves with the angle: 12.8·level·(r mod ring / ring − ½), r = distance + a·sin(f·angle)."""
    height, width = image.shape[:2]
    size = min(height, width)
    y, x = _places(image)
    x, y = x - rng.uniform(0, width), y - rng.uniform(0, height)
    waves, amplitude, ring = rng.uniform(0, 10), rng.uniform(0, size / 10), rng.uniform(0, size / 10)
    radius = np.hypot(x, y) + amplitude * np.sin(waves * np.arctan2(x, y))
    return _add(image, 12.8 * level * (radius / ring % 1 - 0.5))


def plasma_noise(image: Image, rng: np.random.Generator, level: float) -> Image:
    """Blend with coloured swirls, by 6.4·level of 255."""
    size = min(image.shape[:2])
    time, turns = rng.uniform(0, 6 * np.pi), rng.integers(4, 7)
    swirls = plasma_swirls(*_places(image), time, int(turns), rng.uniform(0.5, 1), rng.uniform(0.075, 0.2) * size)
    amount = 6.4 * level
    return truncate(((1 - amount / 255) * image + amount * swirls).astype(np.float32))


def plasma_swirls(y: Doubles, x: Doubles, time: float, turns: int, sharpness: float, scale: float) -> Doubles:
    """Return three waves, H×W×3, −1 to 1, on coordinates that ``turns`` waves have bent, each finer than the one before."""
    x, y = np.broadcast_arrays(x / scale, y / scale)
    frequency, drift, damping = 1.0, 1.0, 1.0
    for _ in range(turns):
        a = np.cos(y * frequency + time / drift) / damping
        b = np.sin(x * frequency + time / drift) / damping
        x, y = x + a - 0.3 * b, y + b + 0.3 * a
        frequency, drift, damping = frequency * 1.93, drift * 1.15, damping * (2.25 - sharpness)
    return np.dstack([np.sin(x - time), np.sin((x + y + np.sin(time)) * 0.5), np.sin(y + time)])


def coloured(height: int, width: int, power: Doubles, rng: np.random.Generator) -> Doubles:
    """Return noise of unit deviation whose spectrum has the amplitudes ``power`` (zero frequency in the middle), H×W."""
    phases = np.exp(2j * np.pi * rng.random((height, width)))
    noise = np.real(np.fft.ifft2(np.fft.ifftshift(power * phases)))
    return np.asarray(noise / noise.std())


def _distance(height: int, width: int) -> Doubles:
    y, x = np.ogrid[:height, :width]
    size = min(height, width)  # cycles are counted along the shorter side, so that no direction is favoured
    return np.hypot((y - height // 2) * size / height, (x - width // 2) * size / width)


def blue_noise_sample(image: Image, rng: np.random.Generator, level: float) -> Image:
    """Blacken pixels where blue noise (amplitude ∝ frequency) is at most 0.3·level − 2.5 deviations."""
    height, width = image.shape[:2]
    kept = coloured(height, width, _distance(height, width), rng) > 0.3 * level - 2.5
    return np.asarray(image * kept[..., None])


def brownish_noise(image: Image, rng: np.random.Generator, level: float) -> Image:
    """Add brownish noise (amplitude ∝ 1/(frequency² + 1)) of 6.4·level grey levels to each channel."""
    height, width = image.shape[:2]
    power = 1 / (_distance(height, width) ** 2 + 1)
    noise = np.dstack([coloured(height, width, power, rng) for _ in range(3)])
    return truncate((image + 6.4 * level * noise).astype(np.float32))


def checkerboard_cutout(image: Image, rng: np.random.Generator, level: float) -> Image:
    """Grey out a share of 0.1·level of the fields of one colour of a turned chessboard."""
    height, width = image.shape[:2]
    angle, field = rng.uniform(0, 2 * np.pi), max(rng.uniform(0.1, 0.25) * min(height, width), 1)
    side = int(4 * max(height, width) // field)
    chosen = rng.random((side, side)) < 0.1 * level
    y, x = _places(image)
    row = (np.cos(angle) * y + np.sin(angle) * x) / field
    column = (np.cos(angle) * x - np.sin(angle) * y) / field
    cut = (row % 2 // 1 == column % 2 // 1) & chosen[row.astype(int), column.astype(int)]
    return np.where(cut[..., None], np.uint8(128), image)


def rays(y: Doubles, x: Doubles, lengths: Doubles, power: float) -> Doubles:
    """Return the light of a star at (0, 0), H×W: (1 − (t − ½)²)·(length/r)^(2·power), clipped to 0…1.

    ``lengths`` of its rays, px; ``t`` is the place between two rays, 0 to 1, and ``length`` is interpolated there.
    """
    turn = (np.arctan2(x, y) + np.pi) / (2 * np.pi) * len(lengths)
    first = turn.astype(int)
    t = turn - first
    start, end = lengths[first % len(lengths)], lengths[(first + 1) % len(lengths)]
    glow = ((start + t * (end - start)) ** 2 / (x**2 + y**2 + 1e-4)) ** power
    return np.asarray(np.clip((1 - (t - 0.5) ** 2) * glow, 0, 1))


def sparkles(image: Image, rng: np.random.Generator, level: float) -> Image:
    """Light five white stars of radius 0.01·level of the shorter side."""
    height, width = image.shape[:2]
    radius = 0.01 * level * min(height, width)
    kept = np.ones((height, width))
    y, x = _places(image)
    for _ in range(5):
        centre = rng.uniform(0, height), rng.uniform(0, width)
        lengths = np.maximum(1, radius * (1 + 0.25 * rng.standard_normal(rng.integers(50, 200))))
        kept *= 1 - rays(y - centre[0], x - centre[1], lengths, 1)
    return truncate((255 - kept[..., None] * (255 - image.astype(np.float32))).astype(np.float32))


def inverse_sparkles(image: Image, rng: np.random.Generator, level: float) -> Image:
    """Leave the picture in a star of a quarter of the shorter side, and white around it; the fall is steeper by level."""
    height, width = image.shape[:2]
    centre = rng.uniform(0.25, 0.75) * height, rng.uniform(0.25, 0.75) * width
    lengths = min(height, width) / 4 * (1 + 0.25 * rng.standard_normal(rng.integers(50, 200)))
    y, x = _places(image)
    seen = rays(y - centre[0], x - centre[1], lengths, 0.13 * level)
    return truncate((255 - seen[..., None] * (255 - image.astype(np.float32))).astype(np.float32))


def _places(image: Image) -> tuple[Doubles, Doubles]:
    y, x = np.ogrid[: image.shape[0], : image.shape[1]]
    return y.astype(float), x.astype(float)


def _add(image: Image, grey: Doubles) -> Image:
    return truncate(image.astype(np.float32) + cv2.merge([grey.astype(np.float32)] * 3))


class BarCorruption(ImageCorruption):
    """A corruption with one constant, the level, of the sets that its authors published."""

    source: ClassVar[str] = "arXiv 2102.11273; facebookresearch/augmentation-corruption imagenet_c_bar"

    def __init_subclass__(cls) -> None:
        cls.sets = tuple(LEVELS[cls.corrupt.__name__])

    def settings(self, height: int, width: int) -> dict[str, Any]:
        """Return the level; ``auto`` takes cifar's up to 48 px, where it was published."""
        small = "cifar" in self.sets and min(height, width) <= CIFAR_LIMIT_PX
        name = ("cifar" if small else "imagenet") if self.constants == "auto" else self.constants
        return {"level": LEVELS[self.corrupt.__name__][name][self.severity - 1]}


class SingleFrequencyGreyscale(BarCorruption):
    """A grey wave of one frequency over the whole picture.

    y = ⌊clip(x + 19.6·level·sin(f·p + φ))⌋, f in ±π a pixel, φ ~ U(0, 2π). uint8 H×W×3 → uint8 H×W×3.
    Source: 2102.11273 and its code.
    Differs from the paper: nothing.
    """

    corrupt = staticmethod(single_frequency_greyscale)


class CocentricSineWaves(BarCorruption):
    """Grey rings around a random place, their edge a wave.

    y = ⌊clip(x + 12.8·level·(r mod ring/ring − ½))⌋. uint8 H×W×3 → uint8 H×W×3.
    Source: 2102.11273 and its code.
    Differs from the paper: nothing on square pictures; elsewhere lengths follow the shorter side.
    """

    corrupt = staticmethod(cocentric_sine_waves)


class PlasmaNoise(BarCorruption):
    """Coloured swirls blended in.

    y = ⌊(1 − a)·x + 255·a·swirls⌋, a = 6.4·level/255, swirls −1 to 1. uint8 H×W×3 → uint8 H×W×3.
    Source: 2102.11273 and its code.
    Differs from the paper: nothing on square pictures; elsewhere lengths follow the shorter side.
    """

    corrupt = staticmethod(plasma_noise)


class BlueNoiseSample(BarCorruption):
    """Pixels blackened where blue noise is low.

    y = x where b > 0.3·level − 2.5, else 0. uint8 H×W×3 → uint8 H×W×3.
    Source: 2102.11273 and its code.
    Differs from the paper: all phases are independent; the reference repeats half of them, a pixel off their mirror image.
    """

    min_side_px: ClassVar[int] = 2

    corrupt = staticmethod(blue_noise_sample)


class BrownishNoise(BarCorruption):
    """Low-frequency noise in each channel.

    y = ⌊clip(x + 6.4·level·b)⌋, b of unit deviation. uint8 H×W×3 → uint8 H×W×3.
    Source: 2102.11273 and its code.
    Differs from the paper: phases as in ``BlueNoiseSample``.
    """

    min_side_px: ClassVar[int] = 2

    corrupt = staticmethod(brownish_noise)


class CheckerboardCutout(BarCorruption):
    """Fields of a turned chessboard greyed out.

    y = 128 in a share 0.1·level of the fields of one colour, else x. uint8 H×W×3 → uint8 H×W×3.
    Source: 2102.11273 and its code.
    Differs from the paper: nothing on square pictures; elsewhere the field follows the shorter side.
    """

    corrupt = staticmethod(checkerboard_cutout)


class Sparkles(BarCorruption):
    """Five white stars.

    y = ⌊x + l·(255 − x)⌋ for each star's light l. uint8 H×W×3 → uint8 H×W×3.
    Source: 2102.11273 and its code.
    Differs from the paper: nothing on square pictures; elsewhere the radius follows the shorter side.
    """

    corrupt = staticmethod(sparkles)


class InverseSparkles(BarCorruption):
    """The picture seen through a star, white around it.

    y = ⌊255 + l·(x − 255)⌋, l the star's light. uint8 H×W×3 → uint8 H×W×3.
    Source: 2102.11273 and its code.
    Differs from the paper: nothing on square pictures; elsewhere the radius follows the shorter side.
    """

    corrupt = staticmethod(inverse_sparkles)
