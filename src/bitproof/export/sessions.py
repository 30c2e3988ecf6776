"""onnxruntime on this machine: sessions, which layers it really multiplies as integers, and with which instructions."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bitproof.core import MissingExtra, ModelError
from bitproof.export.exported import Exported, ExportedLayer
from bitproof.export.numbers import low_bit_layers
from bitproof.export.onnx_file import to_onnx
from bitproof.models import OnnxSession

PROVIDER = "CPUExecutionProvider"

#: Processor features that decide which low-bit arithmetic is fast, and what int8 products do.
FEATURES = ("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_vpopcntdq", "amx_int8", "asimd", "asimddp", "i8mm")

#: Those of them that multiply and add bytes in one instruction, without a 16-bit step between.
_DOT = ("amx_int8", "avx512_vnni", "avx_vnni", "i8mm", "asimddp")

_INTEGER = (
    "QLinearConv",
    "QGemm",
    "QLinearMatMul",
    "ConvInteger",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
)


def cpuinfo() -> list[str]:
    """The lines of /proc/cpuinfo; none where the system has no such file."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def features() -> list[str]:
    """Those of ``FEATURES`` that this processor has; empty where the system does not tell."""
    words = {word for line in cpuinfo() if line.startswith(("flags", "Features")) for word in line.partition(":")[2].split()}
    return [name for name in FEATURES if name in words]


@dataclass(frozen=True)
class Engine:
    """What an integer figure depends on: engine, provider, byte-product instructions, and whether sums of products are exact."""

    version: str
    provider: str
    instructions: str
    exact: bool

    def __str__(self) -> str:
        sums = "exact" if self.exact else "NOT exact: pairs of products saturate at 16 bits"
        return f"onnxruntime {self.version}, {self.provider}, {self.instructions}, sums of U8S8 products {sums}"


@cache
def engine() -> Engine:
    """Describe onnxruntime here. Raises MissingExtra without it."""
    version = _runtime().__version__
    found = features()
    instructions = next(
        (name for name in _DOT if name in found), f"{found[0]} without byte products" if found else "instructions unknown"
    )
    return Engine(version, PROVIDER, instructions, _sums_exactly())


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra("onnxruntime", "onnx", "Integers in onnxruntime") from None
    return onnxruntime


def opened(graph: bytes) -> Any:
    """Return an onnxruntime session of ``graph`` with as many threads as torch has now."""
    options = _runtime().SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return _runtime().InferenceSession(graph, options, providers=[PROVIDER])


def _sums_exactly() -> bool:
    """Multiply the largest codes: 64 products of 255 × 127; without a dot-product instruction x86 saturates them in pairs."""
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise MissingExtra("onnx", "onnx", "Integers in onnxruntime") from None
    w = numpy_helper.from_array(np.full((64, 64), 127, np.int8), "w")
    ends = [helper.make_tensor_value_info(n, kind, [4, 64]) for n, kind in (("x", TensorProto.UINT8), ("y", TensorProto.INT32))]
    graph = helper.make_graph([helper.make_node("MatMulInteger", ["x", "w"], ["y"])], "probe", ends[:1], ends[1:], [w])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (y,) = opened(model.SerializeToString()).run(None, {"x": np.full((4, 64), 255, np.uint8)})
    return bool((y == 64 * 255 * 127).all())


def settled(exported: Exported) -> Exported:
    """Return ``exported`` with the kernels that onnxruntime really runs: a layer that it left float loses its kernel."""
    import onnx

    runtime = _runtime()
    with tempfile.TemporaryDirectory() as folder:
        options = runtime.SessionOptions()
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED  # the next level renames weights
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        options.log_severity_level = 3  # that such a file is not portable
        runtime.InferenceSession(exported.graph, options, providers=[PROVIDER])
        nodes = onnx.load(options.optimized_model_filepath).graph.node
    multiplied = {name for node in nodes if node.op_type in _INTEGER for name in node.input}
    return replace(exported, layers=tuple(_settled(layer, multiplied) for layer in exported.layers))


def _settled(layer: ExportedLayer, multiplied: set[str]) -> ExportedLayer:
    names = {f"{layer.name}.weight_codes", f"{layer.name}.weight_codes.turned"}
    if not layer.kernel or names & multiplied:
        return layer
    return ExportedLayer(layer.name, "", f"onnxruntime made no {layer.kernel} of it")


class Deployment:
    """Runs a network in another engine: the protocol ``bitproof.core.Deploy``.

    Args:
        network: float N×3×S×S in [0, 1] → logits N×classes, in evaluation mode.
        sample: pictures that it takes, their values do not matter.
        finished: whether it is a session already, which has no layers to read.
    """

    def __init__(self, network: nn.Module, sample: Tensor, finished: bool = False) -> None:
        self.network, self.sample, self.finished = network, sample, finished

    def integers(self, engine: str, bias: str = "int32") -> nn.Module:
        """Return a session of ``engine`` that multiplies codes. Raises ModelError for a float network or another engine."""
        if engine != "onnxruntime":
            raise ModelError(f"There is no engine {engine!r} for integers: 'onnxruntime'.")
        if self.finished:
            raise ModelError(
                "A finished session cannot be put into integers. Give the network as a torch module and a low-bit recipe."
            )
        if not low_bit_layers(self.network):
            raise ModelError("The network is float, so it has no integers to run. Give it a low-bit recipe, such as minmax:w8a8.")
        _runtime()
        return session(to_onnx(self.network, self.sample, bias), self.sample)


def session(exported: Exported, sample: Tensor) -> OnnxSession:
    """Open ``exported`` and try it at batch sizes other than that of ``sample``. Raises ModelError where it fails."""
    try:
        opened = OnnxSession(exported.graph)
        for n in (1, 3):
            opened(sample[:1].expand(n, *sample.shape[1:]).contiguous())
    except Exception as error:  # onnxruntime raises its own types, none of them public
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"onnxruntime cannot run the exported network: {reason}") from error
    return opened
