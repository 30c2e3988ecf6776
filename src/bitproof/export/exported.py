"""What an export leaves: the file's bytes, and what became of each quantized layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Names of a file's input and output.
PICTURES, LOGITS = "pictures", "logits"


@dataclass(frozen=True)
class ExportedLayer:
    """A quantized layer of the file: the kernel that multiplies its codes, "" where they are multiplied as floats for a reason."""

    name: str
    kernel: str
    reason: str = ""


@dataclass(frozen=True)
class Codes:
    """The tensor of a layer's input codes u = q − low (uint8).

    ``lacking``: how many codes of 0 the simulation has around it, before and after along each axis; () where none.
    """

    tensor: str
    lacking: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Exported:
    """An ONNX file; ``codes`` finds the input codes of each quantized layer in it."""

    graph: bytes = field(repr=False)
    layers: tuple[ExportedLayer, ...]
    codes: Mapping[str, Codes] = field(repr=False)

    @property
    def size_bytes(self) -> int:
        """Bytes of the file."""
        return len(self.graph)
