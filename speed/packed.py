"""A whole network on packed bits, Bi-Real's ResNet-18 at 224², one picture, one thread, against float32 and int8.

Ours is what `bitproof.deploy(model, sample)` returns: float32 picture in, logits out; the stem, the shortcuts' 1×1 convolutions
and the last layer are float32. float32 is the fastest of torch on the same network and on ResNet-18, batch norms folded or not,
channels first or last; its target is 4 ×. int8 is ResNet-18 as onnxruntime's own quantizer makes it, static and per channel;
that and its float32 have no target. Everything is measured in turns in one run, freed memory is kept as in `bitproof run`, and
the shortest processor time counts. Then every step of ours is measured alone, which says where its time goes.

--quick repeats less.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
import torchvision
from corruptions import cpu
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

import bitproof
from bitproof import kernels
from bitproof.bench import keep_freed_memory
from bitproof.convert import fused
from bitproof.export import OPERATIONS, PRODUCT, Named, Program, Ref, mapped, to_onnx

TARGET, CLASSES, SIDE = 4.0, 1000, 224


def shortest_ms(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Return for each the shortest processor time of a call, in turns of three."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(repeats):
        for name, call in calls.items():
            for _ in range(3):
                start = time.thread_time()
                call()
                best[name] = min(best[name], 1e3 * (time.thread_time() - start))
    return best


def in_torch(name: str, net: torch.nn.Module, x: torch.Tensor) -> dict[str, Callable[[], Any]]:
    """Return the ways in which torch may run ``net``."""
    folded = fused(net, x)
    last = folded.to(memory_format=torch.channels_last)
    x_last = x.contiguous(memory_format=torch.channels_last)
    return {f"torch float32 {name}": lambda: net(x), f"torch float32 {name} folded, last": lambda: last(x_last)}


class Pictures(CalibrationDataReader):
    """What onnxruntime's own quantizer takes its ranges from."""

    def __init__(self, name: str, x: torch.Tensor) -> None:
        self.rest = iter([{name: x.numpy()}])

    def get_next(self) -> Any:
        """Return the next input, None at the end."""
        return next(self.rest, None)


def in_onnxruntime(net: torch.nn.Module, x: torch.Tensor) -> dict[str, Callable[[], Any]]:
    """Return sessions of the float network, and of it as onnxruntime itself makes it int8: static, per channel."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    calls: dict[str, Callable[[], Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        plain, low = str(Path(folder) / "float32.onnx"), str(Path(folder) / "int8.onnx")
        Path(plain).write_bytes(to_onnx(net, x).graph)
        name = onnxruntime.InferenceSession(plain, options).get_inputs()[0].name
        quantize_static(plain, low, Pictures(name, x), quant_format=QuantFormat.QDQ, per_channel=True)
        for word, path in (("float32", plain), ("int8", low)):
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            calls[f"onnxruntime {word}"] = functools.partial(session.run, None, {name: x.numpy()})
    return calls


def kind(program: Program, op: str, args: tuple[Any, ...]) -> str:
    """Say what a step belongs to."""
    if op == PRODUCT:
        return "packed products"
    if op == "aten.conv2d.default":
        return "float stem" if program.tensors[args[1].name].shape[-1] > 1 else "float shortcuts' 1×1"
    names = {
        "aten.add.Tensor": "sums with shortcuts",
        "aten.linear.default": "float last layer",
        "aten.max_pool2d.default": "max pool",
    }
    return names.get(op, "means and the rest")


@torch.inference_mode()
def shares(program: Program, x: torch.Tensor, repeats: int) -> dict[str, float]:
    """Return the shortest processor time in ms of every step, summed by kind."""
    best: dict[int, float] = defaultdict(lambda: float("inf"))
    for _ in range(repeats):
        values: dict[int, Any] = {0: x.contiguous(memory_format=torch.channels_last)}

        def given(leaf: Any, values: dict[int, Any] = values) -> Any:
            return values[leaf.id] if isinstance(leaf, Ref) else program.tensors[leaf.name] if isinstance(leaf, Named) else leaf

        for step in program.steps:
            args = mapped(step.args, given)
            call = program.products[step.args[1]] if step.op == PRODUCT else OPERATIONS[step.op]
            args = (args[0], 1) if step.op == PRODUCT else args
            start = time.thread_time()
            values[step.id] = call(*args, **step.kwargs)
            best[step.id] = min(best[step.id], 1e3 * (time.thread_time() - start))
    found: dict[str, float] = defaultdict(float)
    for step in program.steps:
        found[kind(program, step.op, step.args)] += best[step.id]
    return dict(found)


def macs(program: Program, x: torch.Tensor) -> int:
    """Return the products of signs of one picture, counted from the outputs' sizes."""
    count, run = 0, type(next(iter(program.products.values()))).__call__

    def counted(product: Any, value: Any, threads: int) -> Any:
        nonlocal count
        y = run(product, value, threads)
        count += product.signs.weight.terms * int(np.prod(y.shape))
        return y

    cls = type(next(iter(program.products.values())))
    cls.__call__ = counted
    try:
        program(x)
    finally:
        cls.__call__ = run
    return count


def main() -> None:
    """Measure, print a table, end with the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5 turns instead of 40")
    repeats = 5 if parser.parse_args().quick else 40
    torch.set_num_threads(1)
    keep_freed_memory()
    torch.manual_seed(0)
    x, pair = torch.randn(1, 3, SIDE, SIDE), torch.randn(2, 3, SIDE, SIDE)
    plain = torchvision.models.resnet18(num_classes=CLASSES).eval()
    binary = bitproof.model("bireal-resnet18").module.net
    made = bitproof.deploy(bitproof.quantize(binary, "bireal:w1a1", [pair]).model, pair)
    program = made.model
    if not isinstance(program, Program):
        sys.exit("the network was not captured")
    calls: dict[str, Callable[[], Any]] = {
        "ours": lambda: program(x),
        **in_torch("bireal-resnet18", binary, x),
        **in_torch("resnet18", plain, x),
    }
    calls |= in_onnxruntime(plain, x)
    with torch.inference_mode():
        best = shortest_ms(calls, repeats)
        parts = shares(program, x, repeats)
    print(f"1-bit kernels: {kernels.status()}")
    print(str(made.report).splitlines()[-1])
    for name, taken in best.items():
        print(f"{name:45s} {taken:6.2f} ms  {taken / best['ours']:5.2f} ×")
    total, rate = sum(parts.values()), macs(program, x) / parts["packed products"] / 1e6
    print(f"its steps alone: {total:.2f} ms, of which")
    for name, taken in sorted(parts.items(), key=lambda part: -part[1]):
        print(f"  {name:25s} {taken:6.2f} ms  {100 * taken / total:4.0f} %")
    print(f"packed products: {rate:.0f} GMAC/s, packing and scales included")
    peer = min(taken for name, taken in best.items() if "torch float32" in name)
    case = {"ours": round(best["ours"], 2), "peer": round(peer, 2), "ratio": round(peer / best["ours"], 2), "target": TARGET}
    case |= {f"ratio_{name.replace(' ', '_')}": round(taken / best["ours"], 2) for name, taken in best.items() if "onnx" in name}
    named = [f"{name}=={version(name)}" for name in ("torch", "torchvision", "onnxruntime")]
    line = {
        "name": "packed",
        "ratio": round(case["ratio"] / TARGET, 3),
        "peer": ", ".join(named),
        "cpu": cpu(),
        "set": kernels.chosen(),
        "parts_ms": {name: round(taken, 2) for name, taken in parts.items()},
        "details": {"bireal resnet18 224², ms": case},
    }
    print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main()
