"""What a run costs beside its arithmetic: two Ray workers against one, a cell on Ray, a run and a bare loop, 10,032 empty cells.

The first two start a cluster of raylets on loopback and run the real thing; a machine that does other work spoils them. The third
is ResNet-18 at 224 px: seconds of the processor a picture, of a run against a loop of Pillow, torchvision's transforms and torch
(channels last, as the run has it).
The fourth plans 10,032 cells, stores a few rows for each as a run does, then reads, sums up and draws them, and says seconds of
the processor, memory and files; from its rows a run of 10,000 cells with 50,000 pictures each is worked out. --quick takes a
twentieth. Names of cases after the options choose some. -o FILE keeps the output.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import polars as pl
import torch
from PIL import Image
from torchvision.transforms import v2

import bitproof as bp
from bitproof.bench import Plan, parse_grids
from bitproof.bench.environment import cpu
from bitproof.bench.networks import NetworkEvaluator
from bitproof.core import SampleRow
from bitproof.results import load
from bitproof.results.cells import encode

T = TypeVar("T")

#: Targets: times as fast with two workers, seconds a cell may cost beside its work, and what a bare loop may save.
FASTER, OVERHEAD_S, BARE = 1.8, 0.05, 1.1

MODEL = """
from torch import nn


def build(width):
    return nn.Sequential(nn.Conv2d(3, width, 3, 2), nn.ReLU(), nn.Conv2d(width, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(width, 4))


def large():
    return build(96)


def small():
    return build(2)


def resnet():
    from torchvision.models import resnet18

    return resnet18(num_classes=4)
"""

GRID = """
tasks: ["parquet:{folder}/pictures.parquet,classes=4"]
models: ["python:{folder}/net.py#{model},size={size},classes=4"]
recipes: {recipes}
calibration: {{n: 8}}
noises: {noises}
limit: {limit}
seeds: {seeds}
batch_size: {batch}
threads: 1
"""


def write_data(folder: Path, count: int, size: int) -> None:
    """Write pictures and networks into ``folder``."""
    rng = np.random.default_rng(0)
    files = [cv2.imencode(".jpg", rng.integers(0, 256, (size, size, 3), dtype=np.uint8))[1].tobytes() for _ in range(64)]
    columns = {"image": [files[i % 64] for i in range(count)], "label": [i % 4 for i in range(count)]}
    pl.DataFrame(columns).write_parquet(folder / "pictures.parquet", row_group_size=100)
    (folder / "net.py").write_text(MODEL)


class Meter:
    """A reporter that keeps when how much of the work was done."""

    def __init__(self) -> None:
        self.found: list[tuple[float, float]] = []

    def begin(self, total: float) -> None:
        """Nothing is done yet."""

    def advance(self, seconds: float) -> None:
        """Keep the moment."""
        done = self.found[-1][1] if self.found else 0.0
        self.found.append((time.monotonic(), done + seconds))

    def say(self, text: str) -> None:
        """Show what is being done."""
        print(text, file=sys.stderr)

    def rate(self, first: int) -> float:
        """Work a second after the first pieces, before which workers start and networks travel."""
        (begun, before), (ended, after) = self.found[first], self.found[-1]
        return (after - before) / (ended - begun)


def on_cluster(grid: str, out: Path, workers: int) -> Meter:
    """Run ``grid`` on a cluster of so many processors."""
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # its own half a minute is short on a busy machine
    from ray.cluster_utils import Cluster

    cluster, meter = Cluster(initialize_head=True, head_node_args={"num_cpus": workers, "include_dashboard": False}), Meter()
    try:
        if bp.run(grid, out, meter, device="cpu", executor=f"ray:address={cluster.address}").failed:
            raise SystemExit("a cell failed")
    finally:
        cluster.shutdown()
    return meter


def workers(folder: Path, quick: bool, tell: Callable[[str], None]) -> dict[str, Any]:
    """Two workers against one on cells of seconds each."""
    write_data(folder, 1_100, 96)
    noises = json.dumps(
        ["clean", *(f"gaussian_noise:{s}" for s in range(1, 3 if quick else 6)), *([] if quick else ["shot_noise:3"])]
    )
    grid = GRID.format(
        folder=folder,
        model="large",
        size=96,
        recipes='[fp32, "mse:w8a8"]',
        noises=noises,
        limit=400 if quick else 1_000,
        seeds=[0],
        batch=50,
    )
    rates = {count: on_cluster(grid, folder / f"run{count}", count).rate(4) for count in (1, 2)}
    key = ["variant", "noise", "sample"]
    if not load(folder / "run1").sort(key).equals(load(folder / "run2").sort(key)):
        raise SystemExit("two workers gave other rows than one")
    ratio = rates[2] / rates[1]
    tell(f"two workers are {ratio:.2f} times as fast as one (target {FASTER}); their rows are the same")
    return {"ours": rates[2], "peer": rates[1], "ratio": ratio, "target": FASTER}


def overhead(folder: Path, quick: bool, tell: Callable[[str], None]) -> dict[str, Any]:
    """Seconds of a cell with hardly any work, on a cluster of one worker, less those of a local run."""
    write_data(folder, 64, 32)
    noises = json.dumps([f"{name}:{s}" for name in ("contrast", "brightness", "pixelate", "saturate") for s in range(1, 6)])
    recipes = json.dumps(["fp32", *(f"mse:w{bits}a8" for bits in range(2, 4 if quick else 9))])
    grid = GRID.format(folder=folder, model="small", size=32, recipes=recipes, noises=noises, limit=4, seeds=[0], batch=4)
    local = Meter()
    bp.run(grid, folder / "local", local)
    remote, first = on_cluster(grid, folder / "remote", 1), len(local.found) // 3
    here, there = (seconds_each(meter, first) for meter in (local, remote))
    more = there - here
    tell(f"a cell of 4 pictures takes {1e3 * here:.1f} ms here and {1e3 * more:.1f} ms more on Ray (target {1e3 * OVERHEAD_S:.0f})")
    return {"ours": more, "peer": OVERHEAD_S, "ratio": OVERHEAD_S / max(more, 1e-4), "target": 1.0}


def loop(folder: Path, quick: bool, tell: Callable[[str], None]) -> dict[str, Any]:
    """Seconds of the processor that a picture takes in a run and in a bare loop, ResNet-18 at 224 px."""
    few, many, batch = 32, 96 if quick else 352, 32
    write_data(folder, many, 256)
    limits = {"noises": "[clean]", "recipes": "[fp32]", "model": "resnet", "size": 224, "seeds": [0], "batch": batch}
    grids = {n: GRID.format(folder=folder, limit=n, **limits) + "cache_mb: 0\n" for n in (few, many)}
    net = bp.model(f"python:{folder}/net.py#resnet,size=224,classes=4")
    files = pl.read_parquet(folder / "pictures.parquet")
    best = {"run": float("inf"), "loop": float("inf")}
    for turn in range(1 if quick else 3):
        took = {n: processor(bp.run, grids[n], folder / f"loop{n}-{turn}", device="cpu") for n in grids}
        each = {"run": (took[many] - took[few]) / (many - few), "loop": processor(bare, net, files, batch) / many}
        best = {name: min(best[name], each[name]) for name in best}
    ratio = best["run"] / best["loop"]
    tell(f"a picture takes {1e3 * best['run']:.1f} ms in a run, {ratio:.3f} times those of a bare loop (at most {BARE})")
    return {"ours": best["run"], "peer": best["loop"], "ratio": 1 / ratio, "target": 1 / BARE}


def processor(call: Callable[..., Any], *given: Any, **named: Any) -> float:
    """Seconds of the processor that a call takes, those of all threads."""
    begun = time.process_time()
    call(*given, **named)
    return time.process_time() - begun


def bare(net: Any, files: pl.DataFrame, batch: int) -> float:
    """The share of right answers, as one would write it down for once."""
    module = copy.deepcopy(net.module).to(memory_format=torch.channels_last)
    bytes_of, labels, right = files["image"].to_list(), torch.tensor(files["label"].to_list()), 0
    seen = v2.Compose(
        [v2.Resize(net.geometry.resize), v2.CenterCrop(net.geometry.size), v2.ToImage(), v2.ToDtype(torch.float32, True)]
    )
    with torch.inference_mode():
        for i in range(0, len(labels), batch):
            x = torch.stack([seen(Image.open(io.BytesIO(data)).convert("RGB")) for data in bytes_of[i : i + batch]])
            right += int((module(x.contiguous(memory_format=torch.channels_last)).argmax(1) == labels[i : i + batch]).sum())
    return right / len(labels)


def seconds_each(meter: Meter, first: int) -> float:
    """Seconds of a cell after the ``first`` ones."""
    return (meter.found[-1][0] - meter.found[first][0]) / (len(meter.found) - first - 1)


def rows_of(cell: Any, samples: int) -> list[SampleRow]:
    """Rows as a cell has them, of nothing that was computed."""
    severity, drawn = cell.noise.partition(":")[2], np.random.default_rng(int(cell.id, 16)).random((3, samples))
    return [
        SampleRow(
            cell=cell.id,
            variant=cell.variant.id,
            task=cell.variant.task,
            model=cell.variant.model,
            recipe=str(cell.variant.recipe),
            noise=cell.noise,
            name=cell.name,
            family=cell.family,
            severity=int(severity) if severity.isdigit() else None,
            gradient=None,
            defense="none",
            seed=cell.variant.seed,
            sample=f"ILSVRC2012_val_{i:08d}.JPEG",
            label=i % 1000,
            prediction=int(1000 * drawn[2, i]) if i % 4 else i % 1000,
            correct=i % 4 == 0,
            margin=float(np.float32(drawn[0, i])) * (1 if i % 4 == 0 else -1),
            loss=float(np.float32(drawn[1, i])),
            confidence=float(np.float32(drawn[2, i])),
            success=None,
            queries=None,
            gradients=None,
        )
        for i in range(samples)
    ]


class Account:
    """Says of each step how much of the processor's time and of the memory it took."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell, self.seconds, self.memory_mb = tell, {}, {}  # type: ignore[var-annotated]

    def __call__(self, name: str, step: Callable[[], T]) -> T:
        """Do ``step``."""
        begun = time.process_time()
        found = step()
        self.seconds[name] = time.process_time() - begun
        self.memory_mb[name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.tell(f"  {name:34} {self.seconds[name]:8.2f} s   {self.memory_mb[name]:6.0f} MB at most so far")
        return found


def empty(folder: Path, quick: bool, tell: Callable[[str], None]) -> dict[str, Any]:
    """10,032 cells without arithmetic: planned, run, resumed, read, summed up, drawn."""
    write_data(folder, 64, 32)
    bits = range(2, 9)
    recipes = ["fp32", *(f"mse:w{w}a{a}" for w in bits for a in bits), *(f"minmax:w{w}a8" for w in bits)]
    text = GRID.format(
        folder=folder, model="small", size=32, recipes=json.dumps(recipes), noises="[clean, corruptions, system]", limit=4, batch=4,
        seeds=[0, 1],
    )  # fmt: skip
    if quick:
        text = text.replace(json.dumps(recipes), json.dumps(recipes[:5])).replace("[0, 1]", "[0]")
    out, took = folder / "run", Account(tell)
    kept = NetworkEvaluator.rows, NetworkEvaluator.made, NetworkEvaluator.finish
    NetworkEvaluator.rows = lambda self, cell, then, times, advance: rows_of(cell, 4)  # type: ignore[method-assign]
    NetworkEvaluator.made = lambda self, variant: True  # type: ignore[method-assign]
    NetworkEvaluator.finish = lambda self: None  # type: ignore[method-assign]
    try:
        plan = took("planned", lambda: Plan(parse_grids(text)[0]))
        cells = len(plan.cells)
        tell(f"{cells:,} cells of {len(plan.variants)} networks; seconds of the processor")
        took("run, with its plan", lambda: bp.run(text, out))
        outcome = took("resumed with nothing left to do", lambda: bp.run(text, out))
    finally:
        NetworkEvaluator.rows, NetworkEvaluator.made, NetworkEvaluator.finish = kept  # type: ignore[method-assign]
    if (outcome.already, outcome.failed) != (cells, 0):
        raise SystemExit(f"{cells - outcome.already} cells were not kept")
    files = [path for path in out.rglob("*") if path.is_file()]
    tell(f"  {len(files):,} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB")
    rows = took("read", lambda: load(out))
    took("summed up", lambda: bp.analysis.summary(rows))
    took("drawn as a page", lambda: bp.report.write(out))
    large(plan, tell)
    more = (took.seconds["run, with its plan"] - took.seconds["planned"]) / cells
    tell(f"a local cell costs {1e3 * more:.1f} ms beside its arithmetic (target {1e3 * OVERHEAD_S:.0f})")
    return {
        "ours": more,
        "peer": OVERHEAD_S,
        "ratio": OVERHEAD_S / more,
        "target": 1.0,
        "seconds": took.seconds,
        "mb": took.memory_mb,
    }


def large(plan: Plan, tell: Callable[[str], None], samples: int = 50_000, cells: int = 10_000) -> None:
    """Say what 10,000 cells of 50,000 pictures would be, from the rows of one."""
    frame = pl.DataFrame(rows_of(plan.cells[-1], samples))
    stored, held = len(encode(frame)), frame.estimated_size()
    tell(
        f"a cell of {samples:,} rows is a file of {stored / 1e6:.2f} MB and takes {held / 1e6:.1f} MB of memory when it is read: "
        f"{cells:,} of them are {cells * stored / 1e9:.1f} GB in {cells:,} files, and {cells * held / 1e9:.0f} GB read at once"
    )


CASES = {"workers": workers, "overhead": overhead, "loop": loop, "empty": empty}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"{', '.join(CASES)}; all if none is given")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the cells")
    parser.add_argument("-o", "--out", type=Path, help="write the output here too")
    given = parser.parse_args()
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        print(text, flush=True)

    found = {}
    for name in given.names or CASES:
        with tempfile.TemporaryDirectory(prefix="bitproof-scale-") as folder:
            found[name] = CASES[name](Path(folder), given.quick, tell)
    ratio = min(each["ratio"] / each["target"] for each in found.values())
    tell(json.dumps({"name": "scale", "ratio": round(ratio, 3), "peer": "one worker; a bare loop", "cpu": cpu(), "details": found}))
    if given.out:
        given.out.write_text("\n".join(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
