"""AutoAttack in ℓ∞ against pyautoattack: ResNet-20 on CIFAR-10-JPEG, as float and at 2 bits (LSQ w2a2), eps 0.5/255 and 1/255.

Target: 1.5 × on both networks, by the processor time of one thread, over both eps. Robust accuracies and how many samples the two
judge alike are printed too. 256 images take hours; --images takes fewer, --quick 16. Both sides keep freed memory, as a run
does, and take turns: the peer on the network as it is, bitproof on one with channels last and, if it is float, folded batch norms.

--w2a2 FILE is the ``model.safetensors`` of a run's variant of the recipe lsq:w2a2 (in its folder ``variants/``). Without it the
2-bit network is calibrated and not trained: it is right on few images, and the comparison is shorter than it should be.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pyautoattack import AutoAttack
from safetensors.torch import load_file
from torch import Tensor, nn

from bitproof.bench import keep_freed_memory
from bitproof.convert import fused, insert, quantize
from bitproof.models import TorchVictim
from bitproof.models import load as load_model
from bitproof.noises import noise
from bitproof.tasks import load as load_task

TARGET, BUDGETS = 1.5, {"0.5/255": 0.5 / 255, "1/255": 1 / 255}


def pictures(data: Path, name: str, count: int) -> tuple[Tensor, Tensor]:
    """The first ``count`` pictures that a run evaluates, in [0, 1], and their classes."""
    samples = load_task(f"parquet:{data / name}").data.evaluation(count, seed=0, exclude=0)
    arrays = [np.asarray(Image.open(io.BytesIO(sample.read())).convert("RGB")) for sample in samples]
    x = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous().float() / 255
    return x, torch.tensor([s.label for s in samples])


def networks(data: Path, weights: Path | None) -> dict[str, nn.Module]:
    """The float network, and the one at 2 bits."""
    plain = load_model(f"resnet20:weights={data / 'weights' / 'cifar10-resnet20.safetensors'}").module.eval()
    sample = pictures(data, "cifar10-jpeg-train.parquet", 256)[0]
    if weights is None:
        return {"float": plain, "w2a2": quantize(plain, "lsq:w2a2", [sample]).model.eval()}
    low_bit = insert(plain, "lsq:w2a2", sample[:2]).model
    low_bit.load_state_dict(load_file(weights))
    return {"float": plain, "w2a2": low_bit.eval()}


def theirs(model: nn.Module, x: Tensor, y: Tensor, eps: float) -> tuple[Tensor, float]:
    start = time.thread_time()
    attack = AutoAttack(model, norm="Linf", eps=eps, seed=0, version="standard")
    adversarial, _ = attack.run_standard_evaluation(x, y, batch_size=250)
    spent = time.thread_time() - start
    with torch.no_grad():
        return model(adversarial).argmax(1) == y, spent


def ours(model: nn.Module, x: Tensor, y: Tensor, eps: str) -> tuple[Tensor, float]:
    start = time.thread_time()
    victim = TorchVictim(fused(copy.deepcopy(model).to(memory_format=torch.channels_last), x[:2]))
    found = noise(f"autoattack-linf:eps={eps}")(victim, x, y, range(len(x)))
    spent = time.thread_time() - start
    with torch.no_grad():
        return model(found.x).argmax(1) == y, spent


def compare(nets: dict[str, nn.Module], x: Tensor, y: Tensor) -> dict[str, dict[str, float]]:
    """Both sides at both budgets on each network; seconds are summed over the budgets."""
    cases = [(name, text) for name in nets for text in BUDGETS]
    keep_freed_memory()
    spent = {name: [0.0, 0.0] for name in nets}
    for name, text in cases:
        (peer_stands, peer_s), (stands, time_s) = theirs(nets[name], x, y, BUDGETS[text]), ours(nets[name], x, y, text)
        spent[name] = [spent[name][0] + time_s, spent[name][1] + peer_s]
        alike = 100 * (stands == peer_stands).float().mean()
        robust = [100 * side.float().mean() for side in (stands, peer_stands)]
        print(f"{name:6s} eps {text:8s} {time_s:8.1f} s  peer {peer_s:8.1f} s  × {peer_s / time_s:.2f}", end="  ")
        print(f"robust accuracy {robust[0]:.2f} %, peer {robust[1]:.2f} %, alike {alike:.1f} %", flush=True)
    return {
        f"autoattack {name}": {"ours": round(a, 1), "peer": round(b, 1), "ratio": round(b / a, 2), "target": TARGET}
        for name, (a, b) in spent.items()
    }


def cpu() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Measure, print a line a budget, end with the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="16 images")
    parser.add_argument("--images", type=int, default=256, help="how many images")
    parser.add_argument("--w2a2", type=Path, help="weights of a trained lsq:w2a2 variant")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = Path(os.environ["BITPROOF_DATA"])
    x, y = pictures(data, "cifar10-jpeg-test.parquet", 16 if arguments.quick else arguments.images)
    details = compare(networks(data, arguments.w2a2), x, y)
    line = {
        "name": "attacks",
        "ratio": round(min(case["ratio"] / case["target"] for case in details.values()), 3),
        "peer": f"pyautoattack=={version('pyautoattack')}",
        "cpu": cpu(),
        "images": len(x),
        "details": details,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
