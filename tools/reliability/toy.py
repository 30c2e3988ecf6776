"""A run of about a second, and starting it in a process that may be killed."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import random
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from bitproof.bench import run
from bitproof.core import BitproofError
from bitproof.results import load

#: How long a toy run may take before it counts as one that hangs.
HANGS_S = 120.0

#: How a process of ``start`` ends: whole, refused with a message, with a failed cell, by an error that nobody foresaw.
WELL, REFUSED, FAILED, BROKEN = 0, 2, 1, 3

MODEL = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.Conv2d(6, 6, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(54, 4))
"""

GRID = """
tasks: ["imagefolder:{pictures}"]
models: ["python:{model}#build,size=16,classes=4"]
recipes: [fp32, "mse:w4a4"]
calibration: {{n: 8}}
noises: [clean, "gaussian_noise:3", cv-nearest, "fgsm-linf:eps=8/255"]
limit: {{clean: 24, natural: 24, system: 24, adversarial: 8}}
batch_size: 8
threads: 1
"""


@dataclass(frozen=True)
class Toy:
    """Where the data, the model and the grid of the toy lie."""

    folder: Path

    @property
    def grid(self) -> Path:
        """The grid file."""
        return self.folder / "grid.yaml"

    @property
    def pictures(self) -> Path:
        """The folder of pictures, a folder a class."""
        return self.folder / "pictures"


def make(folder: Path) -> Toy:
    """Write the toy into ``folder``."""
    toy, drawn = Toy(folder), np.random.default_rng(0)
    for label in range(4):
        (toy.pictures / f"class{label}").mkdir(parents=True)
        for i in range(12):
            image = Image.fromarray(drawn.integers(0, 256, (24, 20, 3), dtype=np.uint8))
            image.save(toy.pictures / f"class{label}" / f"{i}.png")
    (folder / "net.py").write_text(MODEL)
    toy.grid.write_text(GRID.format(pictures=toy.pictures, model=folder / "net.py"))
    return toy


_CONTEXT = multiprocessing.get_context("forkserver")  # torch is imported once; what forks has no threads
_CONTEXT.set_forkserver_preload(["tools.reliability.toy"])


def start(grid: Path, out: Path, clock: int | None = None) -> BaseProcess:
    """Run ``grid`` in a process of its own, which works in the folder of ``out``; ``clock`` is the seed of a clock that jumps.

    ``told`` reads what it said, ``was_run`` tells whether hostile code was run.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    process = _CONTEXT.Process(target=_child, args=(grid, out, clock), daemon=True)
    process.start()
    return process


def finish(grid: Path, out: Path, clock: int | None = None) -> int:
    """Run ``grid`` to its end and return how it ended; a run that hangs is killed and counts as broken."""
    process = start(grid, out, clock)
    process.join(HANGS_S)
    if process.exitcode is None:
        process.kill()
        process.join()
        _said(out).write_text("It hangs.")
        return BROKEN
    return process.exitcode


def told(out: Path) -> str:
    """What the last process of ``out`` said."""
    return _said(out).read_text() if _said(out).is_file() else ""


def was_run(folder: Path) -> bool:
    """Whether hostile code left the file ``ran``, which all of it tries to make, anywhere in ``folder``."""
    return any(folder.rglob("ran"))


def _said(out: Path) -> Path:
    return out.with_name(f"{out.name}.said")


def _child(grid: Path, out: Path, clock: int | None) -> None:
    os.chdir(out.parent)
    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings(), _jumping(clock):
        warnings.simplefilter("ignore")
        code, said = attempt(grid, out)
    with contextlib.suppress(OSError):  # of a full disk
        _said(out).write_text(said)
    raise SystemExit(code)


def attempt(grid: Path, out: Path) -> tuple[int, str]:
    """Run ``grid`` here, and return how it ended and what it said."""
    try:
        outcome = run(grid, out)
    except BitproofError as error:
        return REFUSED, str(error)
    except BaseException:
        return BROKEN, traceback.format_exc()
    return (FAILED, f"{outcome.failed} cells failed") if outcome.failed else (WELL, "")


@contextlib.contextmanager
def _jumping(seed: int | None) -> Iterator[None]:
    """Let the wall clock jump by up to ten years either way at each look."""
    if seed is None:
        yield
        return
    drawn, (time_s, time_ns) = random.Random(seed), (time.time, time.time_ns)
    time.time = lambda: time_s() + drawn.uniform(-3e8, 3e8)  # type: ignore[method-assign]
    time.time_ns = lambda: time_ns() + drawn.randrange(-(3 * 10**17), 3 * 10**17)
    try:
        yield
    finally:
        time.time, time.time_ns = time_s, time_ns  # type: ignore[method-assign]


def rows(out: Path) -> pl.DataFrame:
    """The rows of a run, in an order that does not depend on how it went."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load(out).sort("variant", "noise", "sample")


def kept(out: Path) -> set[str]:
    """The names of the files of finished cells; each holds a fingerprint of its bytes."""
    return {path.name for path in out.glob("rows/*.parquet")}
