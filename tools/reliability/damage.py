"""Files of a finished run that were cut or whose bits flipped."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

from bitproof.results import Store
from tools.reliability.deaths import whole
from tools.reliability.tally import Tally
from tools.reliability.toy import REFUSED, WELL, Toy, finish, rows, told


def cut(data: bytes, draw: Random) -> bytes:
    """Return the beginning of ``data``."""
    return data[: draw.randrange(len(data))]


def flipped(data: bytes, draw: Random) -> bytes:
    """Return ``data`` with one bit turned over."""
    changed, place = bytearray(data), draw.randrange(len(data))
    changed[place] ^= 1 << draw.randrange(8)
    return bytes(changed)


def rows_cut(toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """A Parquet file of rows is cut at any place: seen, and its cell is done again."""
    return _rows("Parquet file cut", cut, toy, folder, count, draw)


def rows_flipped(toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """A bit in a Parquet file of rows is turned over: seen, and its cell is done again."""
    return _rows("Parquet file with a flipped bit", flipped, toy, folder, count, draw)


def _rows(name: str, harm: Callable[[bytes, Random], bytes], toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    tally, reference = Tally(name), folder / "whole"
    whole(toy, reference)
    for i in range(count):
        out = shutil.copytree(reference, folder / f"damaged{i}")
        path = draw.choice(sorted(out.glob("rows/*.parquet")))
        path.write_bytes(harm(path.read_bytes(), draw))
        tally.count(_redone(toy, out, reference, path.stem.partition("-")[0]))
        shutil.rmtree(out)
    return tally


def _redone(toy: Toy, out: Path, reference: Path, cell: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if cell in Store.open(out).done():
            return f"the damage to {cell} was not seen"
    if finish(toy.grid, out) != WELL:
        return told(out)
    return "" if rows(out).equals(rows(reference)) else f"{cell}: other rows"


def weights(toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """A file of a made network is cut or a bit of it flips, and all cells are due: one message, or the same rows."""
    tally, reference = Tally("network on disk cut or with a flipped bit"), folder / "whole"
    whole(toy, reference)
    for i in range(count):
        out = shutil.copytree(reference, folder / f"weights{i}")
        shutil.rmtree(out / "rows")
        path = draw.choice(sorted(path for path in out.glob("variants/*/*") if path.stat().st_size))
        path.write_bytes(draw.choice((cut, flipped))(path.read_bytes(), draw))
        code = finish(toy.grid, out)
        well = code == REFUSED or (code == WELL and rows(out).equals(rows(reference)))
        tally.count("" if well else f"{path.parent.name}/{path.name}: exit {code}: {told(out) or 'other rows'}")
        shutil.rmtree(out)
    return tally
