"""Site ``decode``: file bytes → Shape.

Source: the OFF files of ModelNet (Geomview's object file format), NumPy's format. Differs from the paper: nothing, there is none.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitproof.core import DataError
from bitproof.noises.points.shape import Floats, OfPoints, Shape, checked

_NUMPY = b"\x93NUMPY"


def read_off(data: bytes) -> Shape:
    """Return the shape of a plain OFF file; polygons become fans of triangles.

    The counts may follow the word OFF without a line between, as in some files of ModelNet. Raises DataError.
    """
    text = re.sub(r"#.*", "", data.decode("ascii", errors="replace")).lstrip()
    if not text.startswith("OFF"):
        raise DataError(f"The file is no plain OFF file: it begins with {text[:12]!r} where OFF was expected.")
    try:
        numbers = np.array(text[3:].split(), np.float64)
        count, faces = (_whole(number) for number in numbers[:2])
        vertices, rest = numbers[3 : 3 + 3 * count], numbers[3 + 3 * count :]
        return checked(vertices.reshape(count, 3), _triangles(rest, faces))
    except (ValueError, OverflowError) as error:
        raise DataError(f"The OFF file is broken: {error}.") from None


def _whole(number: float) -> int:
    if number != int(number) or number < 0:
        raise ValueError(f"{number:g} stands where a count was expected")
    return int(number)


def _triangles(rest: Floats, faces: int) -> NDArray[np.int64]:
    if len(rest) == 4 * faces and (rest[::4] == 3).all():
        corners = rest.reshape(faces, 4)[:, 1:]
    else:
        corners = np.array(_fans(rest, faces)).reshape(-1, 3)
    if (corners != np.rint(corners)).any():
        raise ValueError("a face names a vertex by a number that is not whole")
    return corners.astype(np.int64)


def _fans(rest: Floats, faces: int) -> list[tuple[float, float, float]]:
    found, at = [], 0
    for _ in range(faces):
        n = _whole(rest[at]) if at < len(rest) else 0
        corners = rest[at + 1 : at + 1 + n].tolist()
        if not n or len(corners) < n:
            raise ValueError(f"it ends before its {faces} faces")
        found += [(corners[0], corners[i], corners[i + 1]) for i in range(1, n - 1)]
        at += n + 1
    if at != len(rest):
        raise ValueError(f"{len(rest) - at} numbers stand behind its {faces} faces; faces with colours are not read")
    return found


def _read_cloud(data: bytes) -> Shape:
    try:
        points = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"The cloud is no readable NumPy file: {error}.") from None
    if points.ndim != 2 or points.shape[1:] != (3,) or not np.issubdtype(points.dtype, np.floating):
        raise DataError(f"A cloud is N×3 numbers, found {points.dtype} {'×'.join(map(str, points.shape))}.")
    return checked(points, ())


@dataclass(frozen=True)
class DecodeShape(OfPoints):
    """Decode an OFF file into vertices and triangles, or a NumPy file N×3 into a cloud."""

    site: ClassVar[str] = "decode"
    source: ClassVar[str] = "ModelNet (arXiv 1406.5670)"

    def __call__(self, data: bytes) -> Shape:
        """Decode a file. Raises DataError where it cannot be read or is empty."""
        if not data:
            raise DataError("The file is empty.")
        return _read_cloud(data) if data.startswith(_NUMPY) else read_off(data)
