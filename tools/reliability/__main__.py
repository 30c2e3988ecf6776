"""Do it all and count: ``python -m tools.reliability [NAME…] [--share 0.1] [--seed N]``, from the repository's root."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from random import Random

from tools.reliability import TRIALS
from tools.reliability.tally import Tally
from tools.reliability.toy import make


def main() -> int:
    """Run the trials, print a line for each and the faults; exit code 1 where something was not survived."""
    parser = argparse.ArgumentParser(prog="python -m tools.reliability", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*TRIALS, []], help=f"all if none is given: {', '.join(TRIALS)}")
    parser.add_argument("--share", type=float, default=1.0, help="of the tries of each")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn")
    given = parser.parse_args()
    failed = False
    print("| what was done | tried | survived | cells lost |\n|---|---|---|---|")
    for name in given.names or TRIALS:
        tally = one(name, given.share, given.seed)
        print(f"| {tally.name} | {tally.skipped or tally.tried} | {tally.survived} | {tally.lost} |", flush=True)
        for fault in tally.faults[:5]:
            print(f"{name}: {fault}", file=sys.stderr)
        failed |= bool(tally.faults or tally.lost)
    return int(failed)


def one(name: str, share: float, seed: int) -> Tally:
    """Do one of ``TRIALS``, with this share of its tries."""
    trial, count = TRIALS[name]
    with tempfile.TemporaryDirectory(prefix="bitproof-reliability-") as folder:
        return trial(make(Path(folder) / "toy"), Path(folder) / "runs", max(1, round(share * count)), Random(seed))


if __name__ == "__main__":
    sys.exit(main())
