"""The door to packed networks: a file that ``bitproof export --packed`` wrote."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bitproof.core import ModelError
from bitproof.export.packed_file import read_packed
from bitproof.models import Network, wrap


@dataclass(frozen=True)
class PackedFile:
    """A packed 1-bit network of 'bitproof export --packed', run by bitproof's kernels on the CPU: packed:FILE[,classes=N].

    How a picture becomes its input is in the file. It is a finished session: no recipe changes it, and gradient attacks do not
    apply. Reading it runs nothing that it holds.
    """

    file: str
    classes: int | None = None

    source: ClassVar[str] = "bitproof.export.save_packed"
    version: ClassVar[int] = 1

    def load(self, spec: str) -> Network:
        """Read the file. Raises ModelError where it is no packed network for pictures."""
        path = Path(os.path.expandvars(self.file)).expanduser()
        program, about = read_packed(path)
        try:
            size, resize = int(about["size"]), int(about["resize"])
            mode, interpolation = str(about["mode"]), str(about["interpolation"])
        except (KeyError, TypeError, ValueError):
            raise ModelError(
                f"{str(path)!r} does not say how a picture becomes its input; 'bitproof export --packed' does."
            ) from None
        return wrap(
            program,
            size=size,
            resize=resize,
            mode=mode,
            interpolation=interpolation,
            classes=self.classes,
            spec=spec,
            differentiable=False,
            code=hashlib.sha256(path.read_bytes()).digest(),
        )
