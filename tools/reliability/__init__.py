"""What is done to bitproof on purpose, counted: kills, full disks, damaged files, hostile inputs (docs/reliability.md)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

from tools.reliability import damage, deaths, disks, files, grids, pages
from tools.reliability.tally import Tally
from tools.reliability.toy import Toy

Trial = Callable[[Toy, Path, int, Random], Tally]

#: Name → what is done, and how often.
TRIALS: dict[str, tuple[Trial, int]] = {
    "killed": (deaths.killed, 100),
    "company": (deaths.company, 10),
    "clocks": (deaths.clocks, 20),
    "full": (disks.full, 40),
    "read-only": (disks.read_only, 10),
    "rows-cut": (damage.rows_cut, 50),
    "rows-flipped": (damage.rows_flipped, 50),
    "weights": (damage.weights, 50),
    "grids": (grids.malformed, len(grids.MALFORMED)),
    "pictures": (files.pictures, len(files.CONTENTS) + len(files.THINGS)),
    "models": (files.models, 20),
    "runs": (files.runs, len(files.NAMES)),
    "pages": (pages.injected, len(pages.PLACES)),
    "specs": (grids.fuzzed_specs, 20_000),
    "made-up-grids": (grids.fuzzed_grids, 4_000),
}
