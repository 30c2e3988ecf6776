"""The door to programs of torch.export."""

from __future__ import annotations

import hashlib
import importlib
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bitproof.core import ModelError, SpecError
from bitproof.models.network import Network, check_interpolation, wrap
from bitproof.models.pieces import in_pieces
from bitproof.models.python_file import taken
from bitproof.models.weights import located

#: What a program's text holds → the modules of which one makes these operations known to torch.
_OPERATIONS = {
    b"quantized_decomposed": ("torch.ao.quantization.fx._decomposed", "torchao.quantization.pt2e"),
    b"torchao": ("torchao",),
}


class ExportedProgram(nn.Module):
    """A program of ``torch.export.save`` as a module, N×3×S×S → N×classes: one mode, the one that it was exported in.

    A fixed batch size is met in pieces. Opening it runs what the bytes say. Raises ModelError where its logits of one picture
    depend on the others, as in training mode.
    """

    made_by: ClassVar[str] = "torch.export"

    def __init__(self, program: bytes) -> None:
        super().__init__()
        self.program = program
        opened = _opened(program)
        self.batch = _batch(opened)
        self.graph = opened.module()
        for module in self.modules():
            module.training = False

    def train(self, mode: bool = True) -> ExportedProgram:
        """Nothing: the mode is part of the program."""
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Run all pictures."""
        return in_pieces(self.graph, x, self.batch)

    def __reduce__(self) -> tuple[Any, ...]:
        """A graph's code cannot be pickled whole: open it again."""
        return type(self), (self.program,)


def _opened(program: bytes) -> Any:
    for marker, modules in _OPERATIONS.items():
        if marker in program:
            _import_first(modules)
    with _quiet():
        return torch.export.load(io.BytesIO(program))


def _import_first(modules: tuple[str, ...]) -> None:
    for name in modules:
        with suppress(ImportError):
            importlib.import_module(name)
            return


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from logging, over pages, what the error says as well."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _batch(program: Any) -> int | None:
    """Check the program's signature; return its batch size, None where it is free."""
    inputs = program.graph_signature.user_inputs
    if len(inputs) != 1 or len(program.graph_signature.user_outputs) != 1:
        raise ModelError(
            f"The program must have one input and one output, found {list(inputs)} → {list(program.graph_signature.user_outputs)}."
        )
    shape = next(node.meta["val"].shape for node in program.graph.nodes if node.name == inputs[0])
    return shape[0] if isinstance(shape[0], int) else None


@dataclass(frozen=True)
class ExportedFile:
    """A program of torch.export: exported:FILE.pt2,size=S,trust=true[,mean=imagenet,std=imagenet,resize=R,mode=shorter,…].

    The program takes float32 N×3×S×S and returns logits N×classes; a fixed batch size is handled. Opening a .pt2 file can run code
    that it holds, so that is only done where ``trust=true`` says so. It is evaluated as it is: no recipe changes it; gradient
    attacks apply where a gradient comes through its operations, which those of quantized programs mostly do not let.
    ``mean``, ``std``, ``mode``, ``interpolation`` and ``resize`` as for ``python``.
    """

    file: str
    size: int
    trust: bool = False
    mean: str | None = None
    std: str | None = None
    resize: int | None = None
    mode: str = "shorter"
    interpolation: str = "pil-bilinear"
    classes: int | None = None

    source: ClassVar[str] = "torch.export"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_interpolation(self.interpolation)

    def load(self, spec: str) -> Network:
        """Open the program. Raises SpecError without trust, ModelError where it cannot be run."""
        path = located(self.file)
        if not path.is_file():
            raise ModelError(f"The file {self.file!r} does not exist.")
        if not self.trust:
            raise SpecError(
                f"{self.file!r} was not opened: a program of torch.export can run any code while it is opened. "
                f"Where you trust the file, type: exported:{self.file},size={self.size},trust=true"
            )
        program = path.read_bytes()
        return wrap(
            _checked(program, self.file, self.size),
            **taken(self),
            spec=spec,
            differentiable=None,
            code=hashlib.sha256(program).digest(),
            size_bytes=len(program),
        )


def _checked(program: bytes, file: str, size: int) -> ExportedProgram:
    """Open a program and see that a picture's logits are its own. Raises ModelError."""
    x = torch.linspace(0, 1, 2 * 3 * size * size).view(2, 3, size, size)
    try:
        opened = ExportedProgram(program)
        with torch.no_grad():
            pair, alone = opened(x), opened(x[:1])
    except ModelError:
        raise
    except Exception as error:  # whatever a program, or torch about a file that is none, raises
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{file!r} cannot be run as a program of torch.export: {type(error).__name__}: {reason}") from error
    if isinstance(pair, Tensor) and not torch.allclose(pair[:1], alone, rtol=1e-2, atol=1e-3):
        raise ModelError(
            f"{file!r} answers for a picture by what stands beside it, so it was exported in training mode. Export model.eval()."
        )
    return opened
