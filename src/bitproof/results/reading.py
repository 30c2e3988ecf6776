"""Reading a results directory in its working or its compact form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from bitproof.core import StoreError
from bitproof.results import layout
from bitproof.results.cells import decode, whole
from bitproof.results.files import explained, fingerprint, listed, read_bytes, read_object, read_text
from bitproof.results.mirror import located
from bitproof.results.schema import SAMPLES, VARIANTS, VARIANTS_REQUIRED


def load(path: str | Path) -> pl.DataFrame:
    """Return every row of a results directory or URL, one a sample and cell, with the columns of ``core.SampleRow``.

    Cells come in the order of their ids; a damaged file is left out with a warning. Raises StoreError.
    """
    path = located(path)
    old, new = compact_rows(path), {cell: decode(data, file) for cell, file, data in whole(path / layout.ROWS)}
    parts = {str(cell): part for (cell,), part in old.group_by("cell", maintain_order=True)} | new
    return pl.concat([parts[cell] for cell in sorted(parts)]) if parts else pl.DataFrame(schema=SAMPLES)


def variants(path: str | Path) -> pl.DataFrame:
    """Return one row a variant of a results directory or URL, with the columns of ``core.VariantRow``, by id.

    Older ones have nulls. Raises StoreError.
    """
    path = located(path)
    found = variant_records(path)
    rows = {key: found[key]["row"] for key in sorted(found)}
    for key, row in rows.items():
        if not set(VARIANTS_REQUIRED) <= row.keys() <= VARIANTS.keys():
            raise StoreError(
                f"{str(path)!r} holds the variant {key!r} with the fields {', '.join(row)}; expected {', '.join(VARIANTS)}."
            )
    return pl.DataFrame([{name: row.get(name) for name in VARIANTS} for row in rows.values()], schema=VARIANTS)


def imagenet(path: str | Path) -> frozenset[str]:
    """The tasks of a results directory or URL that are 1000-class ImageNet (see ``is_imagenet``)."""
    return frozenset(filter(is_imagenet, variants(path)["task"].unique()))


def is_imagenet(task: str) -> bool:
    """Whether a task's data source is ``imagenet``: its 1000-class validation pictures, on which mCE is defined."""
    return task.partition(":")[0].rpartition("/")[2] == "imagenet"


def compact_rows(path: Path) -> pl.DataFrame:
    """The rows of the compact form, or none. Raises StoreError where they are not those that ``store.json`` tells of."""
    expected, file = layout.read_mark(path).get("rows"), path / layout.COMPACT_ROWS
    if expected is None:
        return pl.DataFrame(schema=SAMPLES)
    data = read_bytes(file)
    if fingerprint(data) != expected:
        raise StoreError(f"{str(file)!r} is damaged: it is not the file that {layout.MARK!r} tells of. Fetch it again.")
    return decode(data, file)


def variant_records(path: Path) -> dict[str, dict[str, Any]]:
    """Return id → {"row", "report"} of every variant. Raises StoreError naming the damaged file and how to mend it."""
    layout.read_mark(path)
    with explained("read", path / layout.VARIANTS):
        made = [folder for folder in listed(path / layout.VARIANTS) if (folder / "row.json").is_file()]
    return _compact(path, layout.VARIANTS) | {folder.name: _variant(folder) for folder in made}


def _variant(folder: Path) -> dict[str, Any]:
    try:
        return {name: read_object(folder / f"{name}.json") for name in ("row", "report")}
    except StoreError as error:
        raise StoreError(f"{error} Delete the folder {str(folder)!r} and run the same command again.") from None


def records(path: Path, folder: str) -> dict[str, dict[str, Any]]:
    """Return name → content of the JSON files in ``folder``, with those of the compact form."""
    layout.read_mark(path)
    return _compact(path, folder) | {file.stem: read_object(file) for file in listed(path / folder, ".json")}


def earlier(path: Path, newest: str, folder: str) -> dict[str, str]:
    """Return name → text of what the file ``newest`` superseded, the oldest first, with those of the compact form."""
    layout.read_mark(path)
    with explained("read", path / folder):
        files = sorted(listed(path / folder, Path(newest).suffix), key=lambda file: file.stat().st_mtime_ns)
    found = _compact(path, folder) | {file.stem: read_text(file) for file in files}
    now = read_text(path / newest) if (path / newest).is_file() else None
    return {name: text for name, text in found.items() if text != now}


def _compact(path: Path, folder: str) -> dict[str, Any]:
    file = path / f"{folder}.json"
    return read_object(file) if file.is_file() else {}
