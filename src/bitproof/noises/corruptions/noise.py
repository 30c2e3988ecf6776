"""Noises that change every element by itself: a 256 × 256 table of probabilities from grey level to grey level.

Drawing from the exact distribution of the *stored* byte costs one random word and one look-up an element, by Walker's alias
method: each row is cut into 256 columns of equal mass that hold at most two outcomes each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import erf, lgamma, sqrt
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from bitproof.noises.corruptions.base import Image, ImageCorruption
from bitproof.noises.corruptions.sequence import Frame

Floats = npt.NDArray[np.float64]

_erf = np.frompyfunc(erf, 1, 1)
_log_factorial = np.frompyfunc(lambda k: lgamma(k + 1), 1, 1)
_GREY = np.arange(256.0)

#: Elements drawn at a time, few enough for all temporary arrays to stay in the cache. It does not change what is drawn.
_CHUNK = 2**15


def gaussian_chances(sigma: float | Floats) -> Floats:
    """P(y | x) for y = ⌊clip(x + 255·σ·n, 0, 255)⌋, n ~ N(0, 1); a σ for all x, or one for each. 256 × 256, rows x."""
    spread = 255 * np.broadcast_to(np.asarray(sigma, float), 256)[:, None]
    distance = _GREY[None, 1:] - _GREY[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(spread > 0, distance / spread, np.where(distance > 0, np.inf, -np.inf))
    below = 0.5 * (1 + np.asarray(_erf(z / sqrt(2)), float))
    return np.diff(below, axis=1, prepend=0, append=1)


def speckle_chances(sigma: float) -> Floats:
    """P(y | x) for y = ⌊clip(x + x·σ·n, 0, 255)⌋, n ~ N(0, 1)."""
    return gaussian_chances(sigma * _GREY / 255)


def shot_chances(photons: float) -> Floats:
    """P(y | x) for y = ⌊255 · min(k/λ, 1)⌋, k ~ Poisson(λ·x/255), λ = ``photons``."""
    counts = np.arange(int(photons))
    rate = photons * _GREY[1:, None] / 255
    mass = np.zeros((256, len(counts)))
    mass[0, 0] = 1
    mass[1:] = np.exp(counts * np.log(rate) - rate - np.asarray(_log_factorial(counts), float))
    chances = np.zeros((256, 256))
    np.add.at(chances.T, (counts * 255 // int(photons)), mass.T)
    chances[:, 255] = np.maximum(0, 1 - mass.sum(axis=1))
    return chances


def impulse_chances(amount: float) -> Floats:
    """P(y | x): x with 1 − ``amount``, else 0 or 255, one as likely as the other."""
    chances = np.eye(256) * (1 - amount)
    chances[:, [0, 255]] += amount / 2
    return chances


def alias_table(chances: Floats) -> npt.NDArray[np.uint32]:
    """Cut each row of probabilities into 256 columns of mass 1/256: (24-bit threshold) · 256 + alias.

    The poorest outcome is filled up by the richest, over and over. Source: Walker 1977, doi:10.1145/355744.355749.
    """
    rows, full = np.arange(256), 2**24 - 1
    rest = chances * 256
    threshold, alias = np.full((256, 256), full, np.uint32), np.tile(np.arange(256, dtype=np.uint32), (256, 1))
    for _ in range(255):
        poor, rich = rest.argmin(axis=1), np.where(np.isinf(rest), -1, rest).argmax(axis=1)
        share = np.clip(rest[rows, poor], 0, 1)
        threshold[rows, poor] = np.minimum(np.rint(share * 2**24), full)
        alias[rows, poor] = np.where(threshold[rows, poor] < full, rich, poor)
        rest[rows, rich] -= 1 - share
        rest[rows, poor] = np.inf
    return threshold << np.uint32(8) | alias


@lru_cache(maxsize=32)
def _table(chances: Callable[[float], Floats], constant: float) -> npt.NDArray[np.uint32]:
    return alias_table(chances(constant))


def draw(image: Image, rng: np.random.Generator, table: npt.NDArray[np.uint32]) -> Image:
    """Draw each element's new level: its top 8 random bits choose the column, the other 24 between the column's two outcomes."""
    drawn = np.empty(image.size, np.uint8)
    for start in range(0, image.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        level = image.reshape(-1)[part]
        word = rng.integers(0, 2**32, level.size, dtype=np.uint32)
        column = word >> np.uint32(24)
        cell = np.take(table, level.astype(np.intp) << 8 | column)
        alias, kept = cell.astype(np.uint8), (word & np.uint32(0xFFFFFF)) < (cell >> np.uint32(8))
        drawn[part] = alias + (column.astype(np.uint8) - alias) * kept  # modulo 256; a branch on a random bit costs ten times more
    return drawn.reshape(image.shape)


def gaussian_noise(image: Image, rng: np.random.Generator, sigma: float) -> Image:
    """⌊clip(x + 255·σ·n)⌋, n ~ N(0, 1)."""
    return draw(image, rng, _table(gaussian_chances, sigma))


def shot_noise(image: Image, rng: np.random.Generator, photons: float) -> Image:
    """⌊255·clip(k/λ)⌋, k ~ Poisson(λ·x/255)."""
    return draw(image, rng, _table(shot_chances, photons))


def impulse_noise(image: Image, rng: np.random.Generator, amount: float) -> Image:
    """Salt and pepper in each channel by itself, on a share ``amount`` of the elements."""
    return draw(image, rng, _table(impulse_chances, amount))


def speckle_noise(image: Image, rng: np.random.Generator, sigma: float) -> Image:
    """⌊clip(x + x·σ·n)⌋, n ~ N(0, 1)."""
    return draw(image, rng, _table(speckle_chances, sigma))


def gaussian_noise_p(image: Image, rng: np.random.Generator, frame: int, sigma: float) -> Image:
    """``gaussian_noise`` in every frame but the first."""
    return gaussian_noise(image, rng, sigma) if frame else image.copy()


def shot_noise_p(image: Image, rng: np.random.Generator, frame: int, photons: float) -> Image:
    """``shot_noise`` in every frame but the first."""
    return shot_noise(image, rng, photons) if frame else image.copy()


class GaussianNoise(ImageCorruption):
    """Gaussian noise, as in low light.

    y = ⌊clip(x + 255·σ·n, 0, 255)⌋, n ~ N(0, 1) for each element. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: the byte is drawn from its exact distribution, to 2⁻²⁴, and not through a normal number.
    """

    corrupt = staticmethod(gaussian_noise)


class ShotNoise(ImageCorruption):
    """Shot noise: the light comes in too few photons.

    y = ⌊255·min(k/λ, 1)⌋, k ~ Poisson(λ·x/255) for each element. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: drawn as in ``GaussianNoise``; 255·k/λ is exact, where floats lose a level at a few k.
    """

    corrupt = staticmethod(shot_noise)


class ImpulseNoise(ImageCorruption):
    """Impulse noise: salt and pepper, as from bit errors.

    y = 0 or 255 with probability ``amount``/2 each, else x; channels fall independently. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: drawn as in ``GaussianNoise``.
    """

    corrupt = staticmethod(impulse_noise)


class SpeckleNoise(ImageCorruption):
    """Speckle noise: Gaussian noise in proportion to the brightness.

    y = ⌊clip(x + x·σ·n, 0, 255)⌋, n ~ N(0, 1) for each element. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: drawn as in ``GaussianNoise``.
    """

    corrupt = staticmethod(speckle_noise)


class GaussianNoiseP(Frame):
    """Gaussian noise, drawn anew in every frame after a clean first one.

    y = ⌊clip(x + 255·0.03·n, 0, 255)⌋, n ~ N(0, 1); frame 0: y = x. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: drawn as in ``GaussianNoise``.
    """

    show = staticmethod(gaussian_noise_p)
    redrawn: ClassVar[bool] = True


class ShotNoiseP(Frame):
    """Shot noise, drawn anew in every frame after a clean first one.

    y = ⌊255·min(k/300, 1)⌋, k ~ Poisson(300·x/255); frame 0: y = x. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: drawn as in ``ShotNoise``.
    """

    show = staticmethod(shot_noise_p)
    redrawn: ClassVar[bool] = True
