"""Text files and JSON that somebody else wrote: what is missing or broken in them is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bitproof.core import DataError
from bitproof.tasks.sources.files import FileBytes


def inside(root: Path, name: str, where: object) -> Path:
    """Return the path of ``name`` below ``root``. Raises DataError for one that leads out of it: its bytes would be sent away."""
    if not (root / name).resolve().is_relative_to(root.resolve()):
        raise DataError(f"{where}: the picture {name!r} lies outside {str(root)!r}. Put it inside.")
    return root / name


def read_text(path: Path, layout: str) -> str:
    """Return a file's text. Raises DataError where it is missing or no UTF-8."""
    if not path.is_file():
        raise DataError(f"{str(path)!r} is missing. {layout}")
    try:
        return FileBytes(path)().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{str(path)!r} is no text in UTF-8: {error.reason} at byte {error.start}.") from None


def read_json(path: Path, layout: str) -> Any:
    """Return what a JSON file holds. Raises DataError."""
    try:
        return json.loads(read_text(path, layout))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{str(path)!r} is no JSON: {error}.") from None


def field(record: Any, name: str, kind: type | tuple[type, ...], path: Path) -> Any:
    """Return ``record[name]`` if it is a ``kind``. Raises DataError naming the file and the field."""
    value = record.get(name) if isinstance(record, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise DataError(f"{str(path)!r}: a record lacks the field {name!r}, or has {value!r} there.")
    return value


def records(data: Any, name: str, path: Path) -> list[dict[str, Any]]:
    """Return the list of records that ``data`` has under ``name``. Raises DataError naming the file."""
    found: list[dict[str, Any]] = field(data, name, list, path)
    if not all(isinstance(each, dict) for each in found):
        raise DataError(f"{str(path)!r}: {name!r} must be a list of records in braces.")
    return found
