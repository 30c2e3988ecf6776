"""Make the pack: ``python -m tools.vqa_pack [-o FILE] [--sheets DIR]``, from the repository's root; the same bytes each time."""

from __future__ import annotations

import argparse
from pathlib import Path

from tools.vqa_pack.build import build, table, write
from tools.vqa_pack.sheets import sheets

PACK = Path("src/bitproof/tasks/vqa/packs/embedded.parquet")


def main() -> None:
    """Read the arguments, make all scenarios, write the pack, and contact sheets where they are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tools.vqa_pack", description=__doc__)
    parser.add_argument("-o", dest="out", type=Path, default=PACK, help="the Parquet file to write")
    parser.add_argument("--sheets", type=Path, help="a folder for one contact sheet a scenario, to look at")
    given = parser.parse_args()
    pack = table(build())
    write(pack, given.out)
    if given.sheets:
        sheets(pack, given.sheets)
    print(f"{given.out}: {len(pack)} items about {pack['group'].n_unique()} pictures, {given.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
