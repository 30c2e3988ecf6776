"""What int8 gains in onnxruntime: bitproof's files against the float file of the same network, one picture, one thread.

EfficientNet-Lite0 and torchvision's ResNet-18 at 224² and ResNet-20 at 32², `minmax:w8a8` (U8S8, weights per channel), weights as
they come or random: the time does not depend on them. "integer" multiplies all codes as integers, "fast" (`bitproof export
--fast`, whose ratio has the target) all but those of convs of more than a pixel without a fused kernel. Beside them onnxruntime's
own quantizer, static, QDQ, per channel, which quantizes sums too and has no target. All are measured in turns in one run; the
shortest processor time counts. The target of 1.3 times is for processors that multiply and add bytes in one instruction (VNNI and
its like); on others the ratio is printed and no target stands.

--quick repeats less. -o FILE keeps the output.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from corruptions import cpu
from packed import in_onnxruntime, shortest_ms

import bitproof as bp
from bitproof.export import engine, to_onnx

TARGET = 1.3
NETWORKS = {
    "efficientnet-lite0 224²": "efficientnet-lite0",
    "resnet18 224²": "torchvision/resnet18:pretrained=false",
    "resnet20 32²": "resnet20",
}


def runner(graph: bytes, x: torch.Tensor) -> Callable[[], Any]:
    """Return a call of ``graph`` on ``x`` with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return functools.partial(session.run, None, {session.get_inputs()[0].name: x.numpy()})


def times(spec: str, repeats: int) -> dict[str, float]:
    """Return the milliseconds of one picture, by how the network is written."""
    network = bp.model(spec)
    size = network.geometry.size
    batch = torch.rand(8, 3, size, size, generator=torch.Generator().manual_seed(0))
    low_bit = bp.quantize(network.module, "minmax:w8a8", calibration=[batch]).model
    theirs = in_onnxruntime(network.module, batch[:1])
    files = {word: to_onnx(low_bit, batch[:2], fast=word == "fast").graph for word in ("fast", "integer")}
    calls = {"float": theirs["onnxruntime float32"], **{word: runner(file, batch[:1]) for word, file in files.items()}}
    return shortest_ms({**calls, "onnxruntime's own int8": theirs["onnxruntime int8"]}, repeats)


def main() -> None:
    """Measure, print a table, end with the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5 turns instead of 40")
    parser.add_argument("-o", "--out", type=Path, help="write the output here too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    dots = engine().exact
    told, details = [f"engine: {engine()}"], {}
    for name, spec in NETWORKS.items():
        found = times(spec, 5 if arguments.quick else 40)
        for word, ms in found.items():
            told.append(f"{name:26s} {word:24s} {ms:7.2f} ms  {found['float'] / ms:5.2f} times float")
        case = {
            "ours": round(found["fast"], 3),
            "peer": round(found["float"], 3),
            "ratio": round(found["float"] / found["fast"], 2),
        }
        more = {"integer_ms": round(found["integer"], 3), "onnxruntime_int8_ms": round(found["onnxruntime's own int8"], 3)}
        details[name] = {**case, "target": TARGET if dots else None, **more}
    worst = min(case["ratio"] for case in details.values())
    line = {
        "name": "export",
        "ratio": round(worst / (TARGET if dots else 1), 3),
        "peer": f"onnxruntime=={version('onnxruntime')}",
        "cpu": cpu(),
        "details": details,
    }
    told.append(json.dumps(line, ensure_ascii=False))
    print("\n".join(told))
    if arguments.out:
        arguments.out.write_text("\n".join(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
