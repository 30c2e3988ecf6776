"""Memory of a long run: 50,000 pictures through ``bitproof.run`` and a tiny network, the process's memory at every 1,000.

Writes a table and a plot as text. The run is the real one, with its plan, threads, rows and store; the pictures are 500 different
JPEG files in turn, the network has 112 weights. --quick takes 5,000 pictures, --source the kind of data. -o FILE keeps the output.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import polars as pl

import bitproof as bp

SIZE, DIFFERENT, BATCH, SAMPLED = 96, 500, 50, 1_000

GRID = """
tasks: ["{source}:{path},classes=4"]
models: ["python:{folder}/tiny.py#build,size={size},mean=imagenet,std=imagenet,classes=4"]
recipes: [fp32]
noises: [clean, "gaussian_noise:3"]
threads: 1
batch_size: {batch}
"""

MODEL = """
from torch import nn


def build():
    return nn.Sequential(nn.AvgPool2d(32), nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


def pictures(path: Path, count: int, source: str) -> None:
    """Write ``count`` labelled JPEG files as one Parquet file, as shards of 1,000, or as a folder of Hugging Face's."""
    rng = np.random.default_rng(0)
    rough = (cv2.GaussianBlur(rng.integers(0, 256, (110, 110, 3), dtype=np.uint8), (0, 0), 2) for _ in range(DIFFERENT))
    files = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in rough]
    if source == "webdataset":
        return shards(path, files, count)
    if source == "hf":
        import datasets

        features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
        rows = {"image": [{"bytes": files[i % DIFFERENT]} for i in range(count)], "label": [i % 4 for i in range(count)]}
        return datasets.Dataset.from_dict(rows, features=features).save_to_disk(path)
    columns = {"image": [files[i % DIFFERENT] for i in range(count)], "label": [i % 4 for i in range(count)]}
    return pl.DataFrame(columns).write_parquet(path, row_group_size=1_000)


def shards(folder: Path, files: list[bytes], count: int) -> None:
    """Write tar files of 1,000 pictures and labels."""
    folder.mkdir()
    for start in range(0, count, 1_000):
        with tarfile.open(folder / f"{start:06d}.tar", "w") as tar:
            for i in range(start, min(start + 1_000, count)):
                for name, content in ((f"{i:06d}.jpg", files[i % DIFFERENT]), (f"{i:06d}.cls", str(i % 4).encode())):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))


def resident_mb() -> float:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Meter:
    """A reporter that reads the memory whenever another thousand pictures are done."""

    def __init__(self) -> None:
        self.done = 0
        self.found: list[tuple[int, float]] = []

    def begin(self, total: float) -> None:
        """Read the memory before the first picture."""
        self.found.append((0, resident_mb()))

    def advance(self, seconds: float) -> None:
        """Count a batch."""
        self.done += BATCH
        if self.done % SAMPLED == 0:
            self.found.append((self.done, resident_mb()))
            print(f"{self.done:7,d}  {self.found[-1][1]:6.0f} MB", file=sys.stderr)

    def say(self, text: str) -> None:
        """Show what is being done."""
        print(text, file=sys.stderr)


def plot(found: list[tuple[int, float]]) -> list[str]:
    """Return the measurements as lines, a bar of one sign for each 10 MB."""
    return [f"{done:7,d}  {mb:6.0f} MB  {'#' * round(mb / 10)}" for done, mb in found]


def measure(count: int, source: str, tell: Callable[[str], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pictures.parquet")
        pictures(path, count, source)
        Path(folder, "tiny.py").write_text(MODEL)
        meter = Meter()
        outcome = bp.run(GRID.format(source=source, path=path, folder=folder, size=SIZE, batch=BATCH), Path(folder, "run"), meter)
    if outcome.failed:
        raise SystemExit("a cell failed")
    tell(f"{source}: {count:,} pictures of {SIZE}×{SIZE} px, clean and then under gaussian_noise:3; one sign is 10 MB")
    for line in plot([entry for i, entry in enumerate(meter.found) if i % 5 == 0 or i == len(meter.found) - 1]):
        tell(line)
    half = [mb for done, mb in meter.found if done >= count / 10]
    line = {"name": "memory", "source": source, "pictures": 2 * count, "least_mb": round(min(half)), "most_mb": round(max(half))}
    tell(json.dumps(line | {"bytes_a_picture": round(1e6 * (half[-1] - half[0]) / (1.9 * count))}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5,000 pictures")
    parser.add_argument("--source", choices=("parquet", "webdataset", "hf"), default="parquet", help="how they are kept")
    parser.add_argument("-o", "--out", type=Path, help="write the output here too")
    arguments = parser.parse_args()
    told: list[str] = []
    measure(5_000 if arguments.quick else 50_000, arguments.source, told.append)
    print("\n".join(told))
    if arguments.out:
        arguments.out.write_text("\n".join(told) + "\n")


if __name__ == "__main__":
    main()
