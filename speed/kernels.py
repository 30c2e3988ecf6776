"""Packed 1-bit products against torch in float32, torch and onnxruntime in int8, and Larq Compute Engine: one thread.

Ours is float32 in, float32 out, packing and the scale included; int8 likewise, with its quantization. Everything is measured in
turns in one run, freed memory is kept as in `bitproof run`, and the shortest processor time counts. Targets:
10 × float32 on BERT-base's products and 8 × on ResNet-18's convolutions, 2 × the better int8, 40 × Larq Compute Engine (in an
environment of its own that this script makes), 60 % of the processor's peak, and 1.8 × with two threads (wall time: it needs a
quiet machine). `ratio` is of calls in a row, `ratio_cold`, which has no target, of the first call after the others' have filled
the caches.

--quick repeats less and leaves Larq Compute Engine out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import venv
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from corruptions import cpu

from bitproof import kernels
from bitproof.bench.memory import keep_freed_memory

HERE = Path(__file__).parent
#: [m, k, n] of BERT-base at 128 tokens; channels and size of ResNet-18's 3 × 3 convolutions.
PRODUCTS = {"bert qkv": (128, 768, 768), "bert ffn1": (128, 768, 3072), "bert ffn2": (128, 3072, 768)}
CONVOLUTIONS = {"resnet18 56²": (64, 56), "resnet18 28²": (128, 28), "resnet18 14²": (256, 14)}
BIG = (1024, 4608, 1024)
FLOAT_PRODUCT, FLOAT_CONVOLUTION, INT8, LARQ, PEAK, THREADS = 10.0, 8.0, 2.0, 40.0, 0.6, 1.8
LARQ_NEEDS = ["larq-compute-engine==0.16.0", "larq", "tensorflow-cpu==2.16.2", "tf-keras==2.16.0", "numpy<2"]

Calls = dict[str, Callable[[], Any]]
Times = dict[str, float]


def shortest_us(calls: Calls, repeats: int, clock: Callable[[], float] = time.thread_time) -> tuple[Times, Times]:
    """Return for each the shortest time of a call, in ``repeats`` turns of five in a row, and the shortest of the turns' first.

    The first call of a turn finds caches full of the other libraries' data.
    """
    best, first = dict.fromkeys(calls, float("inf")), dict.fromkeys(calls, float("inf"))
    for _ in range(repeats):
        for name, call in calls.items():
            for i in range(5):
                start = clock()
                call()
                taken = 1e6 * (clock() - start)
                best[name] = min(best[name], taken)
                if i == 0:
                    first[name] = min(first[name], taken)
    return best, first


def ours(x: np.ndarray, w: np.ndarray, threads: int = 1) -> Callable[[], Any]:
    """Return the call that packs x, multiplies, scales."""
    weight, then = kernels.pack_weight(w), kernels.Affine(np.full(len(w), 0.1, np.float32), np.ones(len(w), np.float32))
    if w.ndim == 2:
        return lambda: kernels.gemm(kernels.pack(x, threads=threads), weight, then, threads=threads)
    return lambda: kernels.conv2d(kernels.pack(x, axis=1, threads=threads), weight, then, padding=1, threads=threads)


def torch_float(x: np.ndarray, w: np.ndarray) -> Calls:
    a, b, bias = (torch.from_numpy(v) for v in (x, w, np.ones(len(w), np.float32)))
    if w.ndim == 2:
        return {"torch float32": lambda: torch.nn.functional.linear(a, b, bias)}
    last = [v.contiguous(memory_format=torch.channels_last) for v in (a, b)]
    conv = torch.nn.functional.conv2d
    return {"torch float32": lambda: conv(a, b, bias, padding=1), "torch float32 last": lambda: conv(*last, bias, padding=1)}


def torch_int8(x: np.ndarray, w: np.ndarray) -> Calls:
    """Return torch's own int8 layer, the quantization of its input included."""
    nq, a = torch.ao.nn.quantized, torch.from_numpy(x)
    weight = torch.quantize_per_tensor(torch.from_numpy(w), 0.02, 0, torch.qint8)
    if w.ndim == 2:
        layer = nq.dynamic.Linear(w.shape[1], w.shape[0])
        layer.set_weight_bias(weight, torch.ones(len(w)))
        return {"torch int8": lambda: layer(a)}
    a = a.contiguous(memory_format=torch.channels_last)
    layer = nq.Conv2d(w.shape[1], w.shape[0], 3, padding=1)
    layer.set_weight_bias(weight, torch.ones(len(w)))
    layer.scale, layer.zero_point = 1.0, 128
    return {"torch int8": lambda: layer(torch.quantize_per_tensor(a, 0.02, 128, torch.quint8)).dequantize()}


def onnx_int8(x: np.ndarray, w: np.ndarray) -> Calls:
    """Return an onnxruntime session: quantize, integer layer, dequantize; unsigned input, signed weight."""
    helper, tensor = onnx.helper, onnx.numpy_helper.from_array
    codes = np.clip(np.rint(w / 0.02), -127, 127).astype(np.int8)
    values = {
        "s": np.float32(0.02),
        "z": np.uint8(128),
        "ws": np.float32(0.02),
        "wz": np.int8(0),
        "ys": np.float32(1),
        "yz": np.uint8(128),
    }
    values |= {"w": codes.T.copy() if w.ndim == 2 else codes}
    node, names = helper.make_node, ["q", "s", "z", "w", "ws", "wz", "ys", "yz"]
    layer = node("QLinearMatMul", names, ["p"]) if w.ndim == 2 else node("QLinearConv", names, ["p"], pads=[1, 1, 1, 1])
    nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), layer, node("DequantizeLinear", ["p", "ys", "yz"], ["y"])]
    floats = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("x", "y")]
    floats[0] = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)
    graph = helper.make_graph(nodes, "int8", floats[:1], floats[1:], [tensor(np.asarray(v), k) for k, v in values.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return {"onnxruntime int8": lambda: session.run(None, {"x": x})}


def case(mine: float, peer: float, target: float) -> dict[str, float]:
    return {"ours": round(mine, 1), "peer": round(peer, 1), "ratio": round(peer / mine, 2), "target": target}


def layers() -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
    """Return input, weight and target of every layer."""
    draw = np.random.default_rng(0).standard_normal
    cases = {name: (draw((m, k), np.float32), draw((n, k), np.float32), FLOAT_PRODUCT) for name, (m, k, n) in PRODUCTS.items()}
    for name, (c, size) in CONVOLUTIONS.items():
        cases[name] = (draw((1, c, size, size), np.float32), draw((c, c, 3, 3), np.float32), FLOAT_CONVOLUTION)
    return cases


def against_torch_and_onnxruntime(repeats: int) -> dict[str, dict[str, float]]:
    details = {}
    for name, (x, w, target) in layers().items():
        calls = {"ours": ours(x, w), **torch_float(x, w), **torch_int8(x, w), **onnx_int8(x, w)}
        warm, cold = shortest_us(calls, repeats)
        for word, least in (("float32", target), ("int8", INT8)):
            peer, peer_cold = (min(t for key, t in times.items() if word in key) for times in (warm, cold))
            details[f"{name} {word}"] = case(warm["ours"], peer, least) | {"ratio_cold": round(peer_cold / cold["ours"], 2)}
        print(f"{name:14s}", *(f"{key} {warm[key]:.0f} (cold {cold[key]:.0f}) µs" for key in calls), sep="  ", flush=True)
    return details


def share_of_peak(repeats: int) -> dict[str, dict[str, float]]:
    """Return giga-products a second of a large product and of a loop that only xors and counts, which g++ builds here."""
    compiler = shutil.which("g++")
    if not compiler:
        print("no g++: the peak is not measured")
        return {}
    m, k, n = BIG
    draw = np.random.default_rng(0).standard_normal
    x, w = kernels.pack(draw((m, k), np.float32)), kernels.pack_weight(draw((n, k), np.float32))
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "peak"
        subprocess.run([compiler, "-O3", "-march=native", HERE / "peak.cpp", "-o", program], check=True)
        rates = []
        best = float("inf")
        for _ in range(5):
            rates.append(float(subprocess.run([program], check=True, capture_output=True, text=True).stdout))
            best = min(best, shortest_us({"ours": lambda: kernels.gemm(x, w)}, repeats // 5)[0]["ours"])
    rate, peak = m * k * n / best / 1e3, max(rates)
    print(f"{m} × {k} × {n}: {rate:.0f} of {peak:.0f} GMAC/s")
    return {"share of the peak, GMAC/s": {"ours": round(rate), "peer": round(peak), "ratio": round(rate / peak, 3), "target": PEAK}}


def two_threads(repeats: int) -> dict[str, dict[str, float]]:
    m, k, n = BIG
    draw = np.random.default_rng(0).standard_normal
    x, w = draw((m, k), np.float32), draw((n, k), np.float32)
    times, _ = shortest_us({"two": ours(x, w, 2), "one": ours(x, w)}, repeats, time.perf_counter)
    print("two threads", *(f"{key} {taken:.0f} µs" for key, taken in times.items()), sep="  ")
    return {"two threads": case(times["two"], times["one"], THREADS)}


def against_larq(repeats: int) -> dict[str, dict[str, float]]:
    """Return the same convolutions in Larq Compute Engine, float32 in and out as ours."""
    folder = Path.home() / ".cache" / "bitproof" / "larq-compute-engine-0.16.0"
    python, complete = folder / "bin" / "python", folder / "complete"
    if not complete.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *LARQ_NEEDS], check=True)
        complete.touch()
    details = {}
    for name, (x, w, _) in layers().items():
        if w.ndim == 2:
            continue
        command = [python, "-E", HERE / "larq_conv.py", str(w.shape[0]), str(x.shape[-1]), str(repeats)]
        mine = shortest_us({"ours": ours(x, w)}, repeats)[0]["ours"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        details[f"{name} larq"] = case(mine, float(done.stdout.splitlines()[-1]), LARQ)
        print(f"{name:14s}  ours {mine:.0f} µs  larq-compute-engine {details[f'{name} larq']['peer']:.0f} µs", flush=True)
    return details


def main() -> None:
    """Measure, print a table, end with the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 repeats, no Larq Compute Engine")
    quick = parser.parse_args().quick
    repeats, peers = 20 if quick else 200, ["torch", "onnxruntime"]
    warnings.simplefilter("ignore")  # torch announces the end of its own int8 layers
    torch.set_num_threads(1)
    keep_freed_memory()
    print(f"1-bit kernels: {kernels.status()}")
    with torch.inference_mode():
        details = against_torch_and_onnxruntime(repeats)
    details |= share_of_peak(repeats) | two_threads(repeats // 4)
    named = [f"{name}=={version(name)}" for name in peers]
    if not quick:
        try:
            details |= against_larq(repeats // 10)
            named.append(LARQ_NEEDS[0])
        except subprocess.CalledProcessError as error:
            print(f"Larq Compute Engine was not measured: {error}\n{error.stderr or ''}", file=sys.stderr)
    line = {
        "name": "kernels",
        "ratio": round(min(row["ratio"] / row["target"] for row in details.values()), 3),
        "peer": ", ".join(named),
        "cpu": cpu(),
        "set": kernels.chosen(),
        "details": details,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
