"""The door to packed networks: a file that ``bitproof export --packed`` wrote."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from bitproof.core import Clip, Cloud, ModelError, SpecError, Words, digest
from bitproof.export.depths import PackedDepths
from bitproof.export.packed_file import read_packed
from bitproof.models import MASK, Network, of_form, wrap
from bitproof.noises import noise


@dataclass(frozen=True)
class PackedFile:
    """A packed 1-bit network of 'bitproof export --packed', run by bitproof's kernels on the CPU: packed:FILE[,classes=N,depth=N].

    ``depth``: of a file that holds several. How a picture, a recording, a shape or a text becomes its input is in the file, a
    tokenizer too. It is a finished session: no recipe changes it, and gradient attacks do not apply. Reading it runs nothing that
    it holds.
    """

    file: str
    classes: int | None = None
    depth: int | None = None

    source: ClassVar[str] = "bitproof.export.save_packed"
    version: ClassVar[int] = 1

    def load(self, spec: str) -> Network:
        """Read the file. Raises ModelError where it is no packed network that says what it takes."""
        path = Path(os.path.expandvars(self.file)).expanduser()
        program, about = read_packed(path)
        if self.depth is not None:
            _at(program, self.depth, path)
        code, weight = hashlib.sha256(path.read_bytes()).digest(), path.stat().st_size
        code += b"" if self.depth is None else str(self.depth).encode()
        kind = about.get("kind", "image")
        if kind == "keyword":
            return self._of_clips(program, about, spec, code, weight)
        if kind == "points":
            return self._of_clouds(program, about, spec, code, weight)
        if kind == "text":
            return self._of_texts(program, about, spec, code, weight)
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
            code=code,
            size_bytes=weight,
        )

    def _of_clips(self, program: nn.Module, about: Mapping[str, Any], spec: str, code: bytes, weight: int) -> Network:
        try:
            clip = Clip(**{key: value for key, value in about.items() if key != "kind"})
        except TypeError:
            raise ModelError(
                f"{self.file!r} does not say how a recording becomes its input; 'bitproof export --packed' does."
            ) from None
        probe = torch.linspace(-80, 10, 2 * math.prod(shape := noise(clip.features).shape)).view(2, *shape)
        return of_form(program, clip, probe, spec=spec, classes=self.classes, differentiable=False, code=code, size_bytes=weight)

    def _of_clouds(self, program: nn.Module, about: Mapping[str, Any], spec: str, code: bytes, weight: int) -> Network:
        try:
            form = Cloud(**{key: value for key, value in about.items() if key != "kind"})
            whole = isinstance(form.points, int)
        except (TypeError, SpecError):
            whole = False
        if not whole:
            raise ModelError(f"{self.file!r} does not say how a shape becomes its input; 'bitproof export --packed' does.")
        probe = torch.linspace(-1, 1, 6 * form.points).view(2, 3, form.points)
        return of_form(program, form, probe, spec=spec, classes=self.classes, differentiable=False, code=code, size_bytes=weight)

    def _of_texts(self, program: nn.Module, about: Mapping[str, Any], spec: str, code: bytes, weight: int) -> Network:
        try:
            form = Words(**{key: value for key, value in about.items() if key != "kind"})
            whole = isinstance(form.length, int) and not form.in_file and digest(form.tokenizer) == form.digest
        except (TypeError, AttributeError, SpecError):
            whole = False
        if not whole:
            raise ModelError(f"{self.file!r} does not hold its whole tokenizer; 'bitproof export --packed' keeps it.")
        probe = torch.zeros(2, 3, min(8, form.length), dtype=torch.long)
        probe[:, MASK] = 1
        return of_form(program, form, probe, spec=spec, classes=self.classes, differentiable=False, code=code, size_bytes=weight)


def _at(program: nn.Module, depth: int, path: Path) -> None:
    if not isinstance(program, PackedDepths):
        raise SpecError(f"{str(path)!r} holds one depth alone. 'bitproof export … --packed --depths 8,4,2,1' writes several.")
    program.set_depth(depth)
