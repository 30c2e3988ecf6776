"""The door to finished networks: an ONNX file, run by onnxruntime on the CPU."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bitproof.core import MissingExtra, ModelError
from bitproof.models.network import Network, check_interpolation, wrap
from bitproof.models.pieces import in_pieces
from bitproof.models.python_file import taken
from bitproof.models.weights import located


class OnnxSession(nn.Module):
    """An ONNX graph as a module without parameters: float N×3×S×S → N×classes; carries no gradient.

    It runs with as many threads as torch has at that moment.
    """

    _session: tuple[int, Any] | None = None

    def __init__(self, graph: bytes) -> None:
        super().__init__()
        self.graph = graph
        self.batch = _batch(self._open())

    def _open(self) -> Any:
        """Return a session with as many threads as torch has now, the one before if that is the same."""
        threads = torch.get_num_threads()
        if self._session is not None and self._session[0] == threads:
            return self._session[1]
        try:
            import onnxruntime
        except ImportError:
            raise MissingExtra("onnxruntime", "onnx", "An ONNX model") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(self.graph, options, providers=["CPUExecutionProvider"])
        self._session = threads, session
        return session

    def forward(self, x: Tensor) -> Tensor:
        """Run all pictures, in pieces where the graph has a fixed batch size; the last piece is filled up with zeros."""
        return in_pieces(self._run, x, self.batch)

    def _run(self, x: Tensor) -> Tensor:
        session = self._open()
        name = session.get_inputs()[0].name
        return torch.from_numpy(session.run(None, {name: x.detach().numpy()})[0])

    def __getstate__(self) -> dict[str, Any]:
        """Sessions can be neither copied nor pickled: leave it out, and open it again from the bytes."""
        return {**self.__dict__, "_session": None}


def _batch(session: Any) -> int | None:
    """Check the graph's signature; return its batch size, None where it is free."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        names = f"{[i.name for i in inputs]} → {[o.name for o in outputs]}"
        raise ModelError(f"The ONNX graph must have one input and one output, found {names}.")
    shape = inputs[0].shape
    if inputs[0].type != "tensor(float)" or len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
        raise ModelError(f"The ONNX input must be float N×3×S×S (float32, channels first), found {inputs[0].type} {shape}.")
    return shape[0] if isinstance(shape[0], int) else None


@dataclass(frozen=True)
class OnnxFile:
    """An ONNX classifier run by onnxruntime on the CPU: onnx:FILE.onnx,size=S[,mean=imagenet,std=imagenet,resize=R,mode=shorter,…].

    The graph takes float32 N×3×S×S and returns logits N×classes; a fixed batch size is handled. Gradient attacks do not apply.
    ``mean``, ``std``, ``mode``, ``interpolation`` and ``resize`` as for ``python``.
    """

    file: str
    size: int
    mean: str | None = None
    std: str | None = None
    resize: int | None = None
    mode: str = "shorter"
    interpolation: str = "pil-bilinear"
    classes: int | None = None

    source: ClassVar[str] = "https://onnx.ai"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_interpolation(self.interpolation)

    def load(self, spec: str) -> Network:
        """Open a session. Raises ModelError where the file cannot be run, MissingExtra without onnxruntime."""
        path = located(self.file)
        if not path.is_file():
            raise ModelError(f"The file {self.file!r} does not exist.")
        session = _session(path)
        return wrap(
            session,
            **taken(self),
            spec=spec,
            differentiable=False,
            code=hashlib.sha256(session.graph).digest(),
            size_bytes=len(session.graph),
        )


def _session(path: Path) -> OnnxSession:
    try:
        return OnnxSession(path.read_bytes())
    except (ModelError, MissingExtra):
        raise
    except Exception as error:  # onnxruntime raises its own types, none of them public
        raise ModelError(f"{str(path)!r} cannot be run by onnxruntime: {error}") from error
