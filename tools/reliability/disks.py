"""Disks that are full or read-only: a small file system of our own, seen by one process alone."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random

from bitproof.results import load
from tools.reliability.tally import Tally
from tools.reliability.toy import REFUSED, WELL, Toy, attempt, kept, rows

SIZE_KB = 8192
FULL, READ_ONLY = "disk full", "read-only directory"


def full(toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """A disk has room for a part of a run: what was stored stays, and with room the same command ends it."""
    return _inside(FULL, toy, folder, count, draw)


def read_only(toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """A directory becomes read-only in the middle of a run: one message; it can be read; writable again, the command ends it."""
    return _inside(READ_ONLY, toy, folder, count, draw)


def _inside(name: str, toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """Go on in a process that has a tmpfs at ``folder``/disk, which is gone when it ends."""
    disk = folder / "disk"
    disk.mkdir(parents=True)
    mount = f'mount -t tmpfs -o size={SIZE_KB}k none "$0" && exec "$@"'
    program = [sys.executable, "-m", "tools.reliability.disks", name, str(toy.folder), str(disk), str(count), str(draw.random())]
    done = subprocess.run(["unshare", "-rm", "sh", "-c", mount, str(disk), *program], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Tally(**json.loads(done.stdout.splitlines()[-1]))
    if "mount" in done.stderr or "unshare" in done.stderr:
        return Tally(name, skipped=f"this system mounts no file system for a user: {done.stderr.strip()}")
    return Tally(name, tried=1, faults=[done.stderr])


def _fill(disk: Path, leave: int) -> Path:
    ballast = disk / "ballast"
    room = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(4096, room - leave))
    return ballast


def _one_full(toy: Toy, out: Path, reference: Path, need: int, draw: Random) -> tuple[str, int]:
    ballast = _fill(out.parent, draw.randrange(need))
    code, said = attempt(toy.grid, out)
    before = kept(out)
    ballast.unlink()
    if code not in (WELL, REFUSED) or (code == REFUSED and "space" not in said):
        return f"with too little room it ended with {code}: {said}", 0
    code, said = attempt(toy.grid, out)
    fault = "" if code == WELL and rows(out).equals(rows(reference)) else f"with room again: {code} {said}"
    return fault, len(before - kept(out))


def _one_read_only(toy: Toy, out: Path, reference: Path, draw: Random) -> tuple[str, int]:
    shutil.copytree(reference, out)
    for path in draw.sample(sorted(out.glob("rows/*")), 3):
        path.unlink()
    before = kept(out)
    with _locked(out.parent):
        code, said = attempt(toy.grid, out)
        readable = load(out)["cell"].n_unique() == len(before)
    if code != REFUSED or "Read-only" not in said or not readable:
        return f"read-only it ended with {code}: {said}", 0
    code, said = attempt(toy.grid, out)
    return "" if code == WELL and rows(out).equals(rows(reference)) else f"writable again: {code} {said}", len(before - kept(out))


@contextlib.contextmanager
def _locked(disk: Path) -> Iterator[None]:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)


def main(name: str, toy: Toy, disk: Path, count: int, draw: Random) -> Tally:
    """What runs where ``disk`` is mounted."""
    tally, reference = Tally(name), disk.parent / "whole"
    attempt(toy.grid, reference)
    need = sum(path.stat().st_blocks * 512 for path in reference.rglob("*"))
    for i in range(count):
        out = disk / f"run{i}"
        one = _one_full(toy, out, reference, need, draw) if name == FULL else _one_read_only(toy, out, reference, draw)
        tally.count(*one)
        shutil.rmtree(out, ignore_errors=True)
    return tally


if __name__ == "__main__":
    which, where, mounted, tries, seed = sys.argv[1:]
    print(json.dumps(asdict(main(which, Toy(Path(where)), Path(mounted), int(tries), Random(seed)))))
