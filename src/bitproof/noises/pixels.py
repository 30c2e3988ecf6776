"""How a picture that a user hands in becomes what the noises take."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bitproof.core import ShapeError


def as_rgb(image: Any) -> npt.NDArray[np.uint8]:
    """Return a picture as uint8 H×W×3 RGB, a new array: the same conversion that the decoders make of files.

    Channels: grey (H×W, H×W×1) becomes three equal ones; alpha (H×W×2, H×W×4) is dropped and the colour under it kept, nothing is
    blended; three are taken as RGB. Levels: uint8 as they are, of uint16 the high byte, of bool 0 and 255.
    Raises ShapeError for all else; floats are refused, since 0…1 and 0…255 cannot be told apart on a dark picture.
    """
    found = f"{image.dtype} {'×'.join(map(str, image.shape))}" if isinstance(image, np.ndarray) else type(image).__name__
    if not isinstance(image, np.ndarray) or image.dtype.name not in _LEVELS or not _is_picture(image.shape):
        raise ShapeError(
            f"A picture is a NumPy array H×W, or H×W×C with 1 to 4 channels, of uint8, uint16 or bool; found {found}. "
            "Type for example np.asarray(picture), and for floats from 0 to 1 (255 * x).round().astype(np.uint8)."
        )
    levels = _LEVELS[image.dtype.name](image if image.ndim == 3 else image[..., None])
    return np.ascontiguousarray(levels[..., :3] if levels.shape[2] >= 3 else np.repeat(levels[..., :1], 3, axis=2)).copy()


def _is_picture(shape: tuple[int, ...]) -> bool:
    return len(shape) in (2, 3) and min(shape) > 0 and (len(shape) == 2 or shape[2] <= 4)


_LEVELS = {
    "uint8": lambda x: x,
    "uint16": lambda x: (x >> 8).astype(np.uint8),
    "bool": lambda x: x.astype(np.uint8) * np.uint8(255),
}
