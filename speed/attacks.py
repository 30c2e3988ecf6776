"""AutoAttack in ℓ∞ against pyautoattack: ResNet-20 on CIFAR-10-JPEG, as float and at 2 bits (LSQ w2a2), eps 0.5/255 and 1/255.

Target: 1.5 × on both networks, by processor time with one thread, over both eps; the ratio of time by the clock, robust accuracies
and how many samples the two judge alike are printed too. 256 images take hours; --images takes fewer, --quick 16. Both sides keep
freed memory, as a run does, and take turns: the peer on the network as it is, bitproof on one with channels last, and folded batch
norms or weights that are quantized once.

--w2a2 FILE is the ``model.safetensors`` of a run's variant of the recipe lsq:w2a2 (in its folder ``variants/``). Without it the
2-bit network is calibrated and not trained: it is right on few images, and the comparison is shorter than it should be.

--parity 256 -o FILE asks whether both find the same: it takes 16 images at a time, adds a line to FILE for each network, eps and
16 images, and goes on where it was when it is started again. --minutes ends it after so much time. It prints the share of images
that both judge alike, both robust accuracies, and the paired 95 % interval of their difference, which should be at most 1 point.
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
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
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

#: Seconds: of the processor, of the clock.
Spent = NDArray[np.float64]

#: Images of a line of --parity, and resamples of its interval.
PIECE, RESAMPLES = 16, 2000


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


def now() -> Spent:
    """Seconds of the processor and of the clock."""
    return np.array([time.process_time(), time.perf_counter()])


def theirs(model: nn.Module, x: Tensor, y: Tensor, eps: float) -> tuple[Tensor, Spent]:
    start = now()
    attack = AutoAttack(model, norm="Linf", eps=eps, seed=0, version="standard")
    adversarial, _ = attack.run_standard_evaluation(x, y, batch_size=250)
    spent = now() - start
    with torch.no_grad():
        return model(adversarial).argmax(1) == y, spent


def ours(model: nn.Module, x: Tensor, y: Tensor, eps: str) -> tuple[Tensor, Spent]:
    start = now()
    victim = TorchVictim(fused(copy.deepcopy(model).to(memory_format=torch.channels_last), x[:2]))
    found = noise(f"autoattack-linf:eps={eps}")(victim, x, y, range(len(x)))
    spent = now() - start
    with torch.no_grad():
        return model(found.x).argmax(1) == y, spent


def compare(nets: dict[str, nn.Module], x: Tensor, y: Tensor) -> dict[str, dict[str, float]]:
    """Both sides at both budgets on each network; seconds are summed over the budgets."""
    cases = [(name, text) for name in nets for text in BUDGETS]
    spent = {name: np.zeros((2, 2)) for name in nets}
    for name, text in cases:
        (peer_stands, peer_s), (stands, time_s) = theirs(nets[name], x, y, BUDGETS[text]), ours(nets[name], x, y, text)
        spent[name] += np.stack([time_s, peer_s])
        alike = 100 * (stands == peer_stands).float().mean()
        robust = [100 * side.float().mean() for side in (stands, peer_stands)]
        print(f"{name:6s} eps {text:8s} {time_s[0]:8.1f} s  peer {peer_s[0]:8.1f} s  × {peer_s[0] / time_s[0]:.2f}", end="  ")
        print(f"robust accuracy {robust[0]:.2f} %, peer {robust[1]:.2f} %, alike {alike:.1f} %", flush=True)
    return {f"autoattack {name}": _case(*seconds) for name, seconds in spent.items()}


def _case(own: Spent, peer: Spent) -> dict[str, float]:
    ratio, by_clock = (peer / own).round(2).tolist()
    return {"ours": round(own[0], 1), "peer": round(peer[0], 1), "ratio": ratio, "ratio by the clock": by_clock, "target": TARGET}


def parity(nets: dict[str, nn.Module], x: Tensor, y: Tensor, path: Path, minutes: float) -> None:
    """Judge the images by both sides, piece by piece, beginning with the first that ``path`` does not hold; then compare."""
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known, end = {(line["network"], line["eps"], line["first"]) for line in done}, time.monotonic() + 60 * minutes
    pieces = [(name, eps, first) for first in range(0, len(x), PIECE) for name in nets for eps in BUDGETS]
    for name, eps, first in pieces:
        if (name, eps, first) in known or time.monotonic() > end:
            continue
        model, at = nets[name], slice(first, first + PIECE)
        (peer, peer_s), (own, own_s) = theirs(model, x[at], y[at], BUDGETS[eps]), ours(model, x[at], y[at], eps)
        line = {"network": name, "eps": eps, "first": first, "ours": own.int().tolist(), "peer": peer.int().tolist()}
        done.append({**line, "ours_s": round(own_s[0], 1), "peer_s": round(peer_s[0], 1)})
        with path.open("a") as file:
            print(json.dumps(done[-1]), file=file)
    for name, eps in ((name, eps) for name in nets for eps in BUDGETS):
        lines = [line for line in done if (line["network"], line["eps"]) == (name, eps) and line["first"] < len(x)]
        if lines:
            print(f"{name:6s} eps {eps:8s} {judged(lines)}")


def judged(lines: list[dict[str, Any]]) -> str:
    """What the pieces say of one network and eps."""
    own, peer = (np.concatenate([line[side] for line in lines]).astype(float) for side in ("ours", "peer"))
    drawn = np.random.default_rng(0).integers(0, len(own), (RESAMPLES, len(own)))
    low, high = np.quantile(100 * (own - peer)[drawn].mean(axis=1), [0.025, 0.975])
    ratio = sum(line["peer_s"] for line in lines) / sum(line["ours_s"] for line in lines)
    accuracies = f"robust accuracy {100 * own.mean():.2f} %, peer {100 * peer.mean():.2f} %"
    apart = f"apart {100 * (own - peer).mean():+.2f} [{low:+.2f}, {high:+.2f}] points"
    return f"{len(own)} images  {accuracies}  {apart}  alike {100 * (own == peer).mean():.1f} %  × {ratio:.2f}"


def cpu() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Measure, print a line a budget, end with the line of JSON; or compare what is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="16 images")
    parser.add_argument("--images", type=int, default=256, help="how many images")
    parser.add_argument("--parity", type=int, metavar="N", help="compare what both find on N images, in place of speed")
    parser.add_argument("-o", type=Path, default=Path("parity.jsonl"), help="where --parity keeps what it has, %(default)s")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="when --parity begins no further piece")
    parser.add_argument("--w2a2", type=Path, help="weights of a trained lsq:w2a2 variant")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = Path(os.environ["BITPROOF_DATA"])
    count = arguments.parity or (16 if arguments.quick else arguments.images)
    x, y = pictures(data, "cifar10-jpeg-test.parquet", count)
    nets = networks(data, arguments.w2a2)
    keep_freed_memory()
    if arguments.parity:
        parity(nets, x, y, arguments.o, arguments.minutes)
        return
    details = compare(nets, x, y)
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
