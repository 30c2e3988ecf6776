"""The results directory as its runner writes it: one file a finished cell, nothing ever half written.

    store.json            what this directory is, and its schema
    grid.yaml, grids/     the newest request, and the earlier ones
    environment.json, …s/ the newest machine and versions, and the earlier ones
    rows/CELL-HASH.parquet, failures/CELL.json
    begun/CELL/           the finished batches of a cell that is not
    variants/ID/          row.json, report.json and what the runner puts beside them
    replies/CELL-HASH.parquet, asked.sqlite   what chat models said: of each finished cell, and every answer that was had
    defenses/ID/          defense.json and a picture a class of what was fitted to help a network
    judgement.json        a second opinion on them
    gallery/DIGEST.json   one picture of a noise
    log.jsonl             a line a cell: where its time went
    tracked.json          what MLflow or Weights & Biases call this run

The compact form (see ``compact``) holds the same in one file each.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from bitproof.core import ReplyRow, SampleRow, StoreError, VariantRow, digest
from bitproof.results import begun, cells, defenses, layout, reading, said
from bitproof.results.asked import Asked
from bitproof.results.files import (
    append_line,
    encode_json,
    explained,
    fingerprint,
    listed,
    make_folder,
    read_bytes,
    read_lines,
    read_object,
    read_text,
    sweep,
    write_bytes,
    write_json,
)
from bitproof.results.lock import locked

_PNG = b"\x89PNG\r\n\x1a\n"


class Store:
    """A results directory. Every write is atomic and durable; every method raises StoreError naming the path at fault."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: str | Path) -> Store:
        """Make the directory, or open the one that is there. Raises StoreError where ``path`` holds something else."""
        path = Path(path)
        if not (path / layout.MARK).is_file():
            layout.check_new(path)
            write_json(path / layout.MARK, layout.mark())
        return cls.open(path)

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """Open a directory that exists, and remove what killed writers left unfinished in it."""
        path = Path(path)
        layout.read_mark(path)
        sweep(path)
        return cls(path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory as its only runner. Raises StoreError naming the process that holds it."""
        with locked(self.path / layout.LOCK):
            yield

    # cells

    def done(self) -> set[str]:
        """The ids of the cells whose rows are here and undamaged."""
        compact = reading.compact_rows(self.path)["cell"].unique()
        return {*compact, *(cell for cell, _, _ in cells.whole(self.path / layout.ROWS))}

    def write_cell(self, cell: str, rows: Sequence[SampleRow] | pl.DataFrame) -> None:
        """Store the rows of a finished cell, and forget an earlier failure of it and what was stored of it before."""
        cells.write(self.path / layout.ROWS, layout.check_id("cell", cell), rows)
        self.forget_failure(cell)
        begun.forget(self._begun(cell))

    def write_part(self, cell: str, first: int, rows: Sequence[SampleRow]) -> None:
        """Store rows of a cell that is not finished, those after its ``first`` ones."""
        begun.write(self._begun(cell), cell, first, rows)

    def part(self, cell: str) -> list[SampleRow]:
        """The first rows of a cell, as far as ``write_part`` stored them; none of a finished one."""
        return list(begun.read(self._begun(cell)))

    def _begun(self, cell: str) -> Path:
        return self.path / layout.BEGUN / layout.check_id("cell", cell)

    def write_failure(self, cell: str, info: dict[str, Any]) -> None:
        """Store why a cell failed: the error's text, noise, model, recipe."""
        write_json(self._failure(layout.check_id("cell", cell)), {**info, "cell": cell})

    def forget_failure(self, cell: str) -> None:
        """Remove what ``write_failure`` stored: the cell succeeded, or is asked for anew under another id."""
        with explained("removed", self._failure(cell)):
            self._failure(cell).unlink(missing_ok=True)

    def failures(self) -> list[dict[str, Any]]:
        """What ``write_failure`` stored of cells that have not succeeded since, in the order of cell ids."""
        found = reading.records(self.path, layout.FAILURES)
        done = self.done() if found else set()
        return [found[cell] for cell in sorted(found) if cell not in done]

    def _failure(self, cell: str) -> Path:
        return self.path / layout.FAILURES / f"{cell}.json"

    def write_log(self, entry: dict[str, Any]) -> None:
        """Add a line to the log. A line that a killed runner left half written is no loss: see ``log``."""
        append_line(self.path / layout.LOG, entry)

    def log(self) -> list[dict[str, Any]]:
        """The lines of the log, the oldest first, without those that are damaged."""
        return read_lines(self.path / layout.LOG)

    def tracked(self, tracker: str) -> str:
        """What a tracker calls this run; "" where it was not told of it."""
        path = self.path / layout.TRACKED
        return str(read_object(path).get(tracker, "")) if path.is_file() else ""

    def write_tracked(self, tracker: str, name: str) -> None:
        """Keep what a tracker calls this run."""
        path = self.path / layout.TRACKED
        write_json(path, {**(read_object(path) if path.is_file() else {}), tracker: name})

    # what chat models said

    def write_replies(self, cell: str, rows: Sequence[ReplyRow]) -> None:
        """Store what was said in a cell; before ``write_cell``, so that a cell that is done has its replies."""
        said.write(self.path / layout.REPLIES, layout.check_id("cell", cell), rows)

    def write_judgement(self, judgement: dict[str, Any]) -> None:
        """Store a judge model's second opinion; an earlier one gives way."""
        write_json(self.path / layout.JUDGEMENT, judgement)

    def judgement(self) -> dict[str, Any]:
        """The second opinion, or {} where none was asked for."""
        path = self.path / layout.JUDGEMENT
        return read_object(path) if path.is_file() else {}

    def asked(self) -> Asked:
        """Open the record of every answer that was had."""
        return Asked(self.path / layout.ASKED)

    # variants

    def variant_dir(self, variant: str) -> Path:
        """The folder of a variant's files, made if it is not there."""
        path = self.path / layout.VARIANTS / layout.check_id("variant", variant)
        with explained("made", path):
            make_folder(path)
        return path

    def write_variant(self, row: VariantRow, report: dict[str, Any]) -> None:
        """Store what a variant is and what was done to its layers; the row comes last, so a variant that has one is whole."""
        path = self.variant_dir(row.variant)
        write_json(path / "report.json", report)
        write_json(path / "row.json", dataclasses.asdict(row))

    def variant_files(self, variant: str) -> dict[str, bytes]:
        """The files of a finished variant, by name: what ``write_variant_files`` takes elsewhere."""
        return {path.name: read_bytes(path) for path in listed(self.variant_dir(variant)) if path.is_file()}

    def write_variant_files(self, variant: str, files: Mapping[str, bytes]) -> None:
        """Store a variant that was made elsewhere; its row comes last here too."""
        for name in sorted(files, key="row.json".__eq__):
            write_bytes(self.variant_dir(variant) / Path(name).name, files[name])

    def reports(self) -> dict[str, dict[str, Any]]:
        """The reports of ``write_variant`` by variant id."""
        return {key: record["report"] for key, record in sorted(reading.variant_records(self.path).items())}

    # defenses

    def has_defense(self, name: str) -> bool:
        """Whether a fitted defense is here, whole."""
        return defenses.has(self.path, name)

    def write_defense(self, name: str, info: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Store a fitted defense: its record, and files by name."""
        defenses.write(self.path, name, {key: value for key, value in info.items() if key != "files"}, files)

    def defense(self, name: str) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The record and the files of a fitted defense."""
        return defenses.read(self.path, name)

    def defenses(self) -> dict[str, dict[str, Any]]:
        """The records of all fitted defenses by id."""
        return {name: info for name, (info, _) in defenses.every(self.path).items()}

    # what the run was

    def write_grid(self, text: str) -> None:
        """Store the request as it was given; a different earlier one is kept in ``grids/``."""
        self._supersede(layout.GRID, layout.GRIDS, text.encode())

    def grid(self) -> str:
        """The newest request, or "" where none was stored."""
        path = self.path / layout.GRID
        return read_text(path) if path.is_file() else ""

    def grids(self) -> list[str]:
        """The earlier requests, which other rows may be from; the oldest first."""
        return list(reading.earlier(self.path, layout.GRID, layout.GRIDS).values())

    def write_environment(self, info: dict[str, Any]) -> None:
        """Store versions and machine; a different earlier record is kept in ``environments/``."""
        self._supersede(layout.ENVIRONMENT, layout.ENVIRONMENTS, encode_json(layout.ENVIRONMENT, info))

    def environment(self) -> dict[str, Any]:
        """The newest machine and versions, or {} where none were stored."""
        path = self.path / layout.ENVIRONMENT
        return read_object(path) if path.is_file() else {}

    def environments(self) -> list[dict[str, Any]]:
        """The earlier machines and versions; the oldest first."""
        texts = reading.earlier(self.path, layout.ENVIRONMENT, layout.ENVIRONMENTS)
        try:
            return [dict(json.loads(text)) for text in texts.values()]
        except (TypeError, ValueError) as error:
            raise StoreError(f"{str(self.path / layout.ENVIRONMENTS)!r} holds a damaged record: {error}.") from None

    def _supersede(self, name: str, folder: str, new: bytes) -> None:
        path = self.path / name
        if path.is_file() and (old := read_bytes(path)) != new:
            write_bytes(self.path / folder / f"{fingerprint(old)}{path.suffix}", old)
        write_bytes(path, new)

    # pictures

    def write_picture(self, task: str, noise: str, sample: str, png: bytes) -> None:
        """Store what a noise makes of a sample, as the bytes of a PNG file."""
        if not png.startswith(_PNG):
            raise StoreError(f"The picture of {noise!r} on {sample!r} is no PNG file: it starts with {png[:8]!r}.")
        entry = {"task": task, "noise": noise, "sample": sample, "png": base64.b64encode(png).decode()}
        write_json(self.path / layout.GALLERY / f"{digest(task, noise, sample)}.json", entry)

    def gallery(self) -> list[dict[str, Any]]:
        """The pictures as {task, noise, sample, png}, ``png`` in base64; by task, noise and sample."""
        found = reading.records(self.path, layout.GALLERY).values()
        return sorted(found, key=lambda entry: (entry["task"], entry["noise"], entry["sample"]))
