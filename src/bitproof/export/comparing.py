"""The gap between a simulated low-bit network and the same one on integers: layer by layer, in logits, in predictions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bitproof.export.exported import PICTURES, Codes, Exported
from bitproof.export.numbers import low_bit_layers
from bitproof.export.sessions import opened


@dataclass
class Difference:
    """How far b is from a over all values told: in steps, as a share of values that differ, and as signal to noise.

    mean|a − b| and max|a − b|; the share of a ≠ b; SQNR = 10·log10(Σa² / Σ(a − b)²) dB, infinite where none differs.
    """

    count: int = 0
    total: float = 0.0
    largest: float = 0.0
    differing: int = 0
    signal: float = 0.0
    noise: float = 0.0

    def tell(self, a: Tensor, b: Tensor) -> None:
        """Count the values of ``a`` and ``b``, of one shape."""
        delta = (a.double() - b.double()).abs()
        self.count += delta.numel()
        self.total += float(delta.sum())
        self.largest = max(self.largest, float(delta.max()))
        self.differing += int((delta > 0).sum())
        self.signal += float(a.double().square().sum())
        self.noise += float(delta.square().sum())

    @property
    def mean(self) -> float:
        """mean|a − b|."""
        return self.total / max(1, self.count)

    @property
    def share(self) -> float:
        """Share of values that differ, in [0, 1]."""
        return self.differing / max(1, self.count)

    @property
    def sqnr_db(self) -> float:
        """Signal to noise in dB; infinite where nothing differs."""
        return float(10 * np.log10(self.signal / self.noise)) if self.noise else float("inf")


@dataclass
class Gap:
    """``layers``: of each quantized layer the difference of its input's codes, so the unit is that input's scale.

    ``logits``: of the logits, in their own unit. ``flipped`` of ``n`` pictures are predicted differently.
    """

    layers: dict[str, Difference] = field(default_factory=dict)
    logits: Difference = field(default_factory=Difference)
    n: int = 0
    flipped: int = 0


@torch.inference_mode()
def gap(simulated: nn.Module, exported: Exported, batches: Iterable[Tensor]) -> Gap:
    """Run ``simulated`` and its ``exported`` file in onnxruntime on the same pictures and compare.

    The codes of a layer's input are the output of the layer before it, after activation: where onnxruntime fuses, no other
    number ever exists. They are read as further outputs of the session, which runs the same kernels as without; of a layer
    that runs several times the first call is compared.
    Shapes: batches float N×3×S×S in [0, 1]. Raises MissingExtra without onnxruntime.
    """
    layers = low_bit_layers(simulated)
    quantizers = {name: q for name in exported.codes if (q := layers[name].input_quantizer) is not None}
    names = list(dict.fromkeys(codes.tensor for codes in exported.codes.values()))
    integer = opened(_exposed(exported.graph, names))
    found = Gap({name: Difference() for name in exported.codes})
    seen: dict[str, Tensor] = {}
    hooks = [quantizer.register_forward_hook(partial(_keep, seen, name)) for name, quantizer in quantizers.items()]
    try:
        for x in batches:
            seen.clear()
            logits = simulated(x)
            outputs = [torch.from_numpy(value) for value in integer.run(None, {PICTURES: x.numpy()})]
            _tell(found, logits, outputs[0])
            integers = dict(zip(names, outputs[1:], strict=True))
            for name, codes in exported.codes.items():
                info = quantizers[name].info()
                found.layers[name].tell(_within(seen[name], codes), integers[codes.tensor].int() + info.low - info.zero_point)
    finally:
        for hook in hooks:
            hook.remove()
    return found


@torch.inference_mode()
def gap_between(simulated: nn.Module, other: nn.Module, batches: Iterable[Tensor]) -> Gap:
    """Compare the logits and predictions of two networks on the same pictures, N×3×S×S in [0, 1]."""
    found = Gap()
    for x in batches:
        _tell(found, simulated(x), other(x))
    return found


def _tell(found: Gap, logits: Tensor, integer: Tensor) -> None:
    found.n += len(logits)
    found.flipped += int((logits.argmax(1) != integer.argmax(1)).sum())
    found.logits.tell(logits, integer)


def _within(codes: Tensor, where: Codes) -> Tensor:
    """Cut off the codes of 0 that the file puts on later."""
    return codes[tuple(slice(before, size - after) for (before, after), size in zip(where.lacking, codes.shape, strict=False))]


def _keep(seen: dict[str, Tensor], name: str, quantizer: Any, inputs: tuple[Tensor, ...], output: Any) -> None:
    """Keep the codes q − z of a layer's first call."""
    if name not in seen:
        seen[name] = quantizer.codes(inputs[0]) - quantizer.info().zero_point


def _exposed(graph: bytes, names: Iterable[str]) -> bytes:
    """Return the file with the tensors ``names``, uint8, as further outputs."""
    import onnx

    model = onnx.load_from_string(graph)
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, None) for name in names)
    return bytes(model.SerializeToString())
