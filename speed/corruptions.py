"""Corruptions against imagecorruptions-imaug: one 224 × 224 picture, one thread, the 15 of ImageNet-C at five severities.

Targets: 10 × by the sum of the times over all cells, 0.9 × for each corruption. --quick takes severities 1, 3 and 5, fewer repeats.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from math import exp, log
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from imagecorruptions import corrupt

from bitproof.noises import BENCHMARK, EXTRA, noise

TOTAL_TARGET, EACH_TARGET = 10.0, 0.9


def picture() -> np.ndarray:
    """Blurred noise, 224 × 224 × 3: as smooth as a photograph."""
    rough = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    return cv2.normalize(cv2.GaussianBlur(rough, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)


def shortest_ms(call: Callable[[], Any], repeats: int) -> float:
    """Return the shortest processor time of ``repeats`` calls in a row, as ``timeit`` does."""
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        call()
        times.append(time.thread_time() - start)
    return 1e3 * min(times)


def case(ours: float, peer: float, target: float) -> dict[str, float]:
    return {"ours": round(ours, 3), "peer": round(peer, 3), "ratio": round(peer / ours, 2), "target": target}


def measure(names: tuple[str, ...], severities: tuple[int, ...], repeats: int) -> dict[str, dict[str, float]]:
    """Return for each corruption the mean time over the severities, ms."""
    image, details = picture(), {}
    for name in names:
        cells = []
        for severity in severities:
            corruption = noise(f"{name}:{severity},constants=imagenet")
            calls = lambda c=corruption: c(image, 1), lambda n=name, s=severity: corrupt(image, s, n)
            cells.append([shortest_ms(call, repeats) for call in calls])
        details[name] = case(*np.mean(cells, axis=0), EACH_TARGET)
        print(f"{name:18s} {details[name]['ours']:8.3f} ms  peer {details[name]['peer']:8.3f} ms  × {details[name]['ratio']}")
    return details


def cpu() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Measure, print a table, end with the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three severities, 5 repeats")
    quick = parser.parse_args().quick
    cv2.setNumThreads(1)
    severities, repeats = ((1, 3, 5), 5) if quick else ((1, 2, 3, 4, 5), 15)
    details = measure(BENCHMARK, severities, repeats)
    total = case(*(sum(row[side] for row in details.values()) for side in ("ours", "peer")), TOTAL_TARGET)
    mean = exp(sum(log(row["ratio"]) for row in details.values()) / len(details))
    print(f"{'sum of the 15':18s} {total['ours']:8.3f} ms  peer {total['peer']:8.3f} ms  × {total['ratio']}")
    print(f"geometric mean × {mean:.2f}")
    details |= measure(EXTRA, severities, repeats)
    details["sum of the 15"] = total
    line = {
        "name": "corruptions",
        "ratio": round(min(row["ratio"] / row["target"] for row in details.values()), 3),
        "peer": f"imagecorruptions-imaug=={version('imagecorruptions-imaug')}",
        "cpu": cpu(),
        "geometric_mean": round(mean, 2),
        "details": details,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
