"""What every decoder asks of a file, and every later step of a picture, so that all of them refuse the same things."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitproof.core import DataError, ShapeError

#: uint8 H×W×3, RGB.
Picture = NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "BMP", "WEBP")

#: The size in pixels above which Pillow refuses a file as a decompression bomb; here it holds for every decoder.
MAX_PIXELS = 178_956_970

_SCAN, _END, _TRAILER = b"\xff\xda", b"\xff\xd9", b"IEND"


def check_file(data: bytes) -> str:
    """Return the format of an encoded picture, one of ``FORMATS``, from its header.

    Raises DataError for an empty file, another format, a picture above ``MAX_PIXELS``, and a JPEG or PNG without its end marker.
    """
    if not data:
        raise DataError("The file is empty.")
    kind, width, height = _header(data)
    if width * height > MAX_PIXELS:
        raise _too_large(f"{width} × {height} pixels")
    if _is_cut(data, kind):
        raise DataError(f"The {kind} file of {len(data)} bytes is truncated: its end marker is missing.")
    return kind


def _header(data: bytes) -> tuple[str, int, int]:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            # A camera's MPO is a JPEG with further pictures behind the first.
            return "JPEG" if picture.format == "MPO" else str(picture.format), picture.width, picture.height
    except Image.DecompressionBombError as error:
        raise _too_large(str(error)) from None
    except (OSError, SyntaxError, ValueError):
        start = data[:8].hex(" ")
        raise DataError(f"The file is no readable {', '.join(FORMATS)}: {len(data)} bytes that start with {start}.") from None


def _too_large(found: str) -> DataError:
    return DataError(f"The picture is too large to be opened safely: {found}. Allowed are {MAX_PIXELS} pixels.")


def _is_cut(data: bytes, kind: str) -> bool:
    # Some decoders fill what is missing with grey and say nothing. A thumbnail has markers of its own, but before the scan.
    if kind == "JPEG":
        return data.rfind(_END) < data.rfind(_SCAN)
    return kind == "PNG" and _TRAILER not in data


def check_picture(image: Any) -> Picture:
    """Return ``image`` if it is uint8 H×W×3 with at least one pixel. Raises ShapeError."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ShapeError(f"A picture is a NumPy array uint8 H×W×3 with H, W ≥ 1; found {found}.")
    return image
