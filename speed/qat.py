"""A training step with LSQ at 4 bits against the float step, and against brevitas at the same bits, on one thread.

A step is forward, cross-entropy, backward and SGD with Nesterov momentum. Both quantize inputs and weights of every conv and
linear layer per tensor, first and last layer at 8 bits, batch norms as they are. Everything is measured in turns in one run, freed
memory is kept as in `bitproof run`, and the shortest processor time of a step counts.

Targets: ours at most 1.3 × the float step, brevitas at least 1.6 × ours. brevitas is what its own defaults are, during the
300 steps in which they collect statistics. Without a target: the same afterwards, and brevitas with scales that are parameters
from the start, its fastest form. --quick repeats less.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Callable
from importlib.metadata import version

import brevitas.nn as qnn
import torch
import torchvision
from brevitas.inject.enum import ScalingImplType
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8ActPerTensorFloatMinMaxInit,
    Int8WeightPerTensorFloat,
    Uint8ActPerTensorFloat,
    Uint8ActPerTensorFloatMaxInit,
)
from corruptions import cpu
from torch import Tensor, nn

import bitproof
from bitproof.bench import keep_freed_memory

FLOAT_TARGET, PEER_TARGET = 1.3, 1.6

#: brevitas' defaults in the first 300 steps; afterwards; and learned scales from the start.
FORMS = ("default", "settled", "learned")


def in_brevitas(net: nn.Module, form: str) -> nn.Module:
    """Put brevitas' layers in the place of all convs and linears, at 4 bits, the first and last at 8."""
    layers = [(name, module) for name, module in net.named_modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    for i, (name, layer) in enumerate(layers):
        bits = 8 if i in (0, len(layers) - 1) else 4
        settings = {
            "weight_bit_width": bits,
            "input_bit_width": bits,
            **(learned(i == 0) if form == "learned" else default(i == 0)),
        }
        if form == "settled":
            settings["input_collect_stats_steps"] = 1
        parent, _, child = name.rpartition(".")
        setattr(net.get_submodule(parent), child, _replaced(layer, settings))
    return net


def default(first: bool) -> dict[str, object]:
    """Weights by their maximum; inputs by a percentile of the first 300 batches, then learned."""
    return {"weight_quant": Int8WeightPerTensorFloat, "input_quant": Int8ActPerTensorFloat if first else Uint8ActPerTensorFloat}


def learned(first: bool) -> dict[str, object]:
    """Scales are parameters from the first step on, as LSQ's are."""
    signed = {"input_quant": Int8ActPerTensorFloatMinMaxInit, "input_min_val": -3.0}
    return {
        "weight_quant": Int8WeightPerTensorFloat,
        "weight_scaling_impl_type": ScalingImplType.PARAMETER_FROM_STATS,
        "weight_narrow_range": False,
        "input_max_val": 3.0,
        **(signed if first else {"input_quant": Uint8ActPerTensorFloatMaxInit}),
    }


def _replaced(layer: nn.Module, settings: dict[str, object]) -> nn.Module:
    if isinstance(layer, nn.Linear):
        new = qnn.QuantLinear(layer.in_features, layer.out_features, bias=layer.bias is not None, **settings)
    else:
        words = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
        new = qnn.QuantConv2d(*(getattr(layer, word) for word in words), bias=layer.bias is not None, **settings)
    new.load_state_dict(layer.state_dict(), strict=False)
    return new


def stepper(net: nn.Module, x: Tensor, y: Tensor) -> Callable[[], None]:
    """Return one step of training ``net``."""
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, nesterov=True)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    return step


def shortest_ms(steps: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Return for each the shortest processor time of a step, in turns."""
    best = dict.fromkeys(steps, float("inf"))
    for _ in range(repeats):
        for name, step in steps.items():
            start = time.thread_time()
            step()
            best[name] = min(best[name], 1e3 * (time.thread_time() - start))
    return best


def measure(make: Callable[[], nn.Module], batch: int, side: int, classes: int, repeats: int) -> dict[str, float]:
    """Return the step times of float, ours and brevitas' networks, ms."""
    torch.manual_seed(0)
    x, y = torch.randn(batch, 3, side, side), torch.randint(classes, (batch,))
    ours = bitproof.quantize(make(), "lsq:w4a4", [x[:4]]).model
    nets = {"float": make(), "ours": ours, **{f"brevitas {form}": in_brevitas(make(), form) for form in FORMS}}
    return shortest_ms({name: stepper(net, x, y) for name, net in nets.items()}, repeats)


def cases(name: str, best: dict[str, float]) -> dict[str, dict[str, float]]:
    """Return the two ratios that have a target, with those that have none beside them."""

    def case(peer: str, target: float) -> dict[str, float]:
        ratio = round(best[peer] / best["ours"], 3)
        return {"ours": round(best["ours"], 1), "peer": round(best[peer], 1), "ratio": ratio, "target": target}

    others = {f"ratio_{form}": round(best[f"brevitas {form}"] / best["ours"], 3) for form in FORMS[1:]}
    return {
        f"{name}, ms, float step over ours": case("float", round(1 / FLOAT_TARGET, 4)),
        f"{name}, ms, brevitas over ours": {**case(f"brevitas {FORMS[0]}", PEER_TARGET), **others},
    }


def main() -> None:
    """Measure, print a table, end with the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a quarter of the turns")
    share = 4 if parser.parse_args().quick else 1
    torch.set_num_threads(1)
    keep_freed_memory()
    networks = {
        "resnet20 32², batch 64": (lambda: bitproof.model("resnet20").module.net, 64, 32, 10, 20 // share),
        "resnet18 224², batch 16": (functools.partial(torchvision.models.resnet18, num_classes=1000), 16, 224, 1000, 8 // share),
    }
    details = {}
    for name, network in networks.items():
        best = measure(*network)
        print(name)
        for net, taken in best.items():
            print(f"  {net:17s} {taken:8.1f} ms  {taken / best['float']:5.2f} × the float step")
        details |= cases(name, best)
    line = {
        "name": "qat",
        "ratio": round(min(case["ratio"] / case["target"] for case in details.values()), 3),
        "peer": f"brevitas=={version('brevitas')}, torch=={version('torch')}, torchvision=={version('torchvision')}",
        "cpu": cpu(),
        "details": details,
    }
    print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main()
