"""The user's own way from a file's bytes to the network's picture, in the place of the clean decoder and resizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from bitproof.core import DataError
from bitproof.models import user_function


@dataclass(frozen=True)
class Preprocess:
    """``function``: bytes → uint8 size×size×3 RGB, as ``spec`` names it."""

    spec: str
    size: int
    function: Callable[[bytes], Any]

    def __call__(self, data: bytes) -> Any:
        """Make one picture, a new array. Raises DataError naming file and function where it fails, and what came back instead."""
        file, _, name = self.spec.partition(":")[2].partition("#")
        try:
            image = self.function(data)
        except Exception as error:  # the user's own code
            raise DataError(f"{name}() of {file!r} failed: {type(error).__name__}: {error}") from error
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape != (self.size, self.size, 3):
            found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
            wanted = f"a NumPy array uint8 ({self.size}, {self.size}, 3), RGB"
            raise DataError(f"{name}() of {file!r} must return {wanted}; found {found}.")
        return np.array(image, order="C")


def preprocess(spec: str, size: int) -> Preprocess:
    """Return the function that ``python:FILE.py#FUNCTION`` names. Raises SpecError or ModelError where there is none."""
    return Preprocess(spec, size, _opened(spec)[0])


def preprocess_digest(spec: str) -> str:
    """Run the file anew, and return 64 hex digits of the function's name and source, its neighbours' included.

    A run reads it once, when it is planned: what is written into the file later changes no cell of that run.
    """
    _opened.cache_clear()
    return _opened(spec)[1]


@lru_cache(maxsize=4)
def _opened(spec: str) -> tuple[Callable[[bytes], Any], str]:
    return user_function(spec)
