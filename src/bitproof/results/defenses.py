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

#: The record of one, and its files.
Read = tuple[dict[str, Any], dict[str, bytes]]


def write(path: Path, name: str, info: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Store a defense; the record comes last and holds a fingerprint of each file. Raises StoreError."""
    folder = path / layout.DEFENSES / layout.check_id("defense", name)
    for file, data in files.items():
        write_bytes(folder / layout.check_id("file", file), data)
    write_json(folder / INFO, {**info, "files": {file: fingerprint(data) for file, data in files.items()}})


def names(path: Path) -> list[str]:
    """The defenses that are whole, sorted."""
    here = [folder.name for folder in listed(path / layout.DEFENSES) if (folder / INFO).is_file()]
    return sorted({*here, *_compact(path)})


def has(path: Path, name: str) -> bool:
    """Whether there is one of this name, and whole."""
    return (path / layout.DEFENSES / name / INFO).is_file() or name in _compact(path)


def read(path: Path, name: str) -> Read:
    """Return (record, files). Raises StoreError where it is missing or damaged, saying how to mend it."""
    folder = path / layout.DEFENSES / layout.check_id("defense", name)
    if (folder / INFO).is_file():
        return read_folder(folder)
    kept = _compact(path).get(name)
    if kept is None:
        raise StoreError(f"{str(path)!r} holds no defense {name!r}.")
    return _unpacked(path, name, kept)


def read_folder(folder: Path) -> Read:
    """The same of the folder of one defense."""
    info = read_object(folder / INFO)
    files = {file: read_bytes(folder / layout.check_id("file", file)) for file in info["files"]}
    if damaged := _damaged(info, files):
        raise StoreError(f"{str(folder / damaged)!r} is damaged. Delete the folder {str(folder)!r} and run the same command again.")
    return info, files


def every(path: Path) -> dict[str, Read]:
    """All of them by name, sorted."""
    kept = _compact(path)
    return {
        name: _unpacked(path, name, kept[name]) if name in kept else read_folder(path / layout.DEFENSES / name)
        for name in names(path)
    }


def packed(path: Path) -> dict[str, Any]:
    """All of them as JSON."""
    return {
        name: {"info": info, "files": {file: base64.b64encode(data).decode() for file, data in files.items()}}
        for name, (info, files) in every(path).items()
    }


def _unpacked(path: Path, name: str, kept: Mapping[str, Any]) -> Read:
    info, packed = kept["info"], kept["files"].items()
    files = {layout.check_id("file", file): base64.b64decode(data) for file, data in packed}
    if damaged := _damaged(info, files):
        raise StoreError(f"{str(path)!r}: {damaged!r} of the defense {name!r} is damaged. Make this compact form again.")
    return info, files


def _damaged(info: Mapping[str, Any], files: Mapping[str, bytes]) -> str | None:
    return next((file for file, data in files.items() if fingerprint(data) != info["files"].get(file)), None)


def _compact(path: Path) -> dict[str, Any]:
    file = path / f"{layout.DEFENSES}.json"
    return read_object(file) if file.is_file() else {}
