"""An encoder in one bit, MiniLM (6 layers, width 384), one text of 16, 64 and 128 tokens, one thread, against float32 and int8.

Ours is what `bitproof.deploy(model, sample)` returns of `bibert:w1a1`: linear layers and both products of an attention on packed
words, norms and GELU in float32 native code; looking words up is torch's. float32 is torch on the same network, as transformers
runs it; its target is 6 ×.
int8 is torch's dynamic quantization of the linear layers, and onnxruntime's where torch can write the network as ONNX here; these
have no target. All is measured in turns in one run, and the shortest processor time counts.

--quick repeats less.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from corruptions import cpu
from packed import shortest_ms
from torch import Tensor, nn

import bitproof
from bitproof import kernels
from bitproof.bench import keep_freed_memory
from bitproof.export import account, save_bits
from bitproof.models import load

TARGET, LENGTHS = 6.0, (16, 64, 128)


def text(length: int) -> Tensor:
    """Return one text of so many tokens."""
    x = torch.zeros(1, 3, length, dtype=torch.long)
    x[:, 0] = torch.randint(1000, 20000, (1, length), generator=torch.Generator().manual_seed(length))
    x[:, 1] = 1
    return x


def in_onnxruntime(net: nn.Module, x: Tensor) -> dict[str, Callable[[], Any]]:
    """Return sessions of the float network and of onnxruntime's dynamic int8; none where torch cannot write it as ONNX."""
    import onnxruntime
    from onnxruntime.quantization import quantize_dynamic

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    calls: dict[str, Callable[[], Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        plain, low = str(Path(folder) / "float32.onnx"), str(Path(folder) / "int8.onnx")
        try:
            torch.onnx.export(net, (x,), plain, input_names=["x"], dynamo=False)
        except Exception as error:  # the exporter needs packages that come and go
            print(f"onnxruntime is left out: {type(error).__name__}: {str(error).splitlines()[0]}")
            return calls
        quantize_dynamic(plain, low)
        for name, file in (("onnxruntime float32", plain), ("onnxruntime int8", low)):
            session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
            calls[name] = lambda session=session: session.run(None, {"x": x.numpy()})
    return calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    repeats = 3 if parser.parse_args().quick else 20
    torch.set_num_threads(1)
    keep_freed_memory()
    network = load("minilm-l6:classes=2,length=128")
    converted = bitproof.quantize(network.module, "bibert:w1a1", [text(64)])
    ours = bitproof.deploy(converted.model, torch.cat([text(64)] * 2)).model
    by_module = bitproof.deploy(converted.model).model
    int8 = torch.ao.quantization.quantize_dynamic(network.module, {nn.Linear}, dtype=torch.qint8)
    details, shown = {}, {}
    for length in LENGTHS:
        x = text(length)
        calls = {
            "ours": lambda x=x: ours(x),
            "ours module by module": lambda x=x: by_module(x),
            "torch float32": lambda x=x: network.module(x),
            "torch int8": lambda x=x: int8(x),
            **in_onnxruntime(network.module, x),
        }
        with torch.inference_mode():
            for call in calls.values():
                call()
            took = shortest_ms(calls, repeats)
        mine, peer = took["ours"], took["torch float32"]
        details[f"{length} tokens"] = {"ours": mine, "peer": peer, "ratio": peer / mine, "target": TARGET}
        shown[length] = took
        print(
            f"{length:4d} tokens  " + "  ".join(f"{name} {ms:.2f} ms" for name, ms in took.items()) + f"  ratio {peer / mine:.1f}×"
        )
    counted = account(network.module, converted.report, text(128))
    with tempfile.TemporaryDirectory() as folder:
        size = save_bits(converted.model, Path(folder) / "bits.safetensors")
    print(f"operations {counted.float_ops / 1e9:.2f} → {counted.ops / 1e9:.3f} G ({counted.ratio:.1f}×), file {size:,} bytes")
    result = {
        "name": "text",
        "ratio": min(case["ratio"] / case["target"] for case in details.values()),
        "peer": f"torch=={version('torch')}, onnxruntime=={version('onnxruntime')}, transformers=={version('transformers')}",
        "cpu": cpu(),
        "kernels": kernels.chosen(None),
        "details": details,
        "all_ms": shown,
        "ops": {"float": counted.float_ops, "bibert": counted.ops},
        "size_bytes": {"float": converted.report.float_bytes, "file": size},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
