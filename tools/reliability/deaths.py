"""Processes that are killed, that meet in one directory, and whose clock jumps."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

from tools.reliability.tally import Tally
from tools.reliability.toy import REFUSED, WELL, Toy, finish, kept, rows, start, told

#: Kills of one directory at most, so that most directories get beyond their first cells.
A_DIRECTORY = 8


def whole(toy: Toy, out: Path) -> float:
    """Run the toy without harm, and return its seconds."""
    finish(toy.grid, out)  # the first process also waits for the imports of all others
    begun = time.monotonic()
    finish(toy.grid, out.with_name("timed"))
    return time.monotonic() - begun


def killed(toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """SIGKILL at an instant drawn from all of a run; the same command goes on until it is done."""
    tally, seconds = Tally("SIGKILL at a random instant"), whole(toy, folder / "whole")
    while tally.tried < count:
        out = folder / f"killed{tally.tried}"
        lost = _kill(toy, out, min(A_DIRECTORY, count - tally.tried), seconds, draw)
        fault = _ended(toy, out, folder / "whole")
        for each in lost:
            tally.count(fault or ("a finished cell was gone" if each else ""), each)
    return tally


def _kill(toy: Toy, out: Path, count: int, seconds: float, draw: Random) -> list[int]:
    """Kill up to ``count`` processes on ``out``; return how many finished cells were gone after each."""
    lost, before = [], kept(out)
    while len(lost) < count:
        process = start(toy.grid, out)
        time.sleep(draw.uniform(0, seconds))
        if process.exitcode is None:
            process.kill()
            process.join()
            now = kept(out)
            lost.append(len(before - now))
            before = now
        else:
            break  # it was faster
    return lost


def _ended(toy: Toy, out: Path, reference: Path, clock: int | None = None) -> str:
    """Let the run end undisturbed; return what is wrong with its rows, "" where nothing is."""
    if finish(toy.grid, out, clock) != WELL:
        return f"{out.name}: {told(out)}"
    return "" if rows(out).equals(rows(reference)) else f"{out.name}: other rows"


def clocks(toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """A run whose clock jumps at each look is killed, its files get times from 1970 to 2100, and it goes on."""
    tally, seconds = Tally("clock that jumps by years, files of any time"), whole(toy, folder / "whole")
    for i in range(count):
        out = folder / f"clock{i}"
        process = start(toy.grid, out, clock=i)
        time.sleep(draw.uniform(0.3, 1.0) * seconds)
        process.kill()
        process.join()
        before = kept(out)
        for path in (path for path in out.rglob("*") if path.is_file()):
            os.utime(path, (draw.uniform(0, 4e9),) * 2)
        fault = _ended(toy, out, folder / "whole", clock=i)
        tally.count(fault, len(before - kept(out)))
    return tally


def company(toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """Three processes start on one directory at about the same time: one runs, the others say who."""
    tally = Tally("three processes on one directory")
    whole(toy, folder / "whole")
    for i in range(count):
        out, processes = folder / f"company{i}", []
        for _ in range(3):
            processes.append(start(toy.grid, out))
            time.sleep(draw.uniform(0, 0.1))
        for process in processes:
            process.join()
        codes = sorted(process.exitcode or 0 for process in processes)
        fault = "" if codes[0] == WELL and set(codes) <= {WELL, REFUSED} else f"{out.name}: exit codes {codes}: {told(out)}"
        tally.count(fault or _ended(toy, out, folder / "whole"))
    return tally
