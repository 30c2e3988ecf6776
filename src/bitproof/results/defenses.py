"""What was fitted to help a network: pictures and what is known of them, a folder each; in the compact form one file."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitproof.core import StoreError
from bitproof.results import layout
from bitproof.results.files import fingerprint, listed, read_bytes, read_object, write_bytes, write_json

#: Written last: a folder that has it is whole.
INFO = "defense.json"


def write(path: Path, name: str, info: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Store a defense; the record comes last and holds a fingerprint of each file. Raises StoreError."""
    folder = path / layout.DEFENSES / layout.check_id("defense", name)
    for file, data in files.items():
        write_bytes(folder / file, data)
    write_json(folder / INFO, {**info, "files": {file: fingerprint(data) for file, data in files.items()}})


def names(path: Path) -> list[str]:
    """The defenses that are whole, sorted."""
    here = [folder.name for folder in listed(path / layout.DEFENSES) if (folder / INFO).is_file()]
    return sorted({*here, *_compact(path)})


def read(path: Path, name: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return (record, files). Raises StoreError where it is missing or damaged, saying how to mend it."""
    folder = path / layout.DEFENSES / layout.check_id("defense", name)
    if not (folder / INFO).is_file():
        kept = _compact(path).get(name)
        if kept is None:
            raise StoreError(f"{str(path)!r} holds no defense {name!r}.")
        return kept["info"], {file: base64.b64decode(data) for file, data in kept["files"].items()}
    return read_folder(folder)


def read_folder(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The same of the folder of one defense."""
    info = read_object(folder / INFO)
    files = {file: read_bytes(folder / file) for file in info["files"]}
    damaged = [file for file, data in files.items() if fingerprint(data) != info["files"][file]]
    if damaged:
        raise StoreError(
            f"{str(folder / damaged[0])!r} is damaged. Delete the folder {str(folder)!r} and run the same command again."
        )
    return info, files


def compacted(path: Path) -> dict[str, Any]:
    """All of them as JSON."""
    found = {name: read(path, name) for name in names(path)}
    return {
        name: {"info": info, "files": {file: base64.b64encode(data).decode() for file, data in files.items()}}
        for name, (info, files) in found.items()
    }


def _compact(path: Path) -> dict[str, Any]:
    file = path / f"{layout.DEFENSES}.json"
    return read_object(file) if file.is_file() else {}
