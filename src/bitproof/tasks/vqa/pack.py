"""``pack:FILE``: questions about pictures in one Parquet or JSON file; ``pack:embedded`` is the one that comes with bitproof."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from bitproof.core import DataError
from bitproof.tasks.data import ImageData
from bitproof.tasks.sources.files import FileBytes, Kept, explained, place
from bitproof.tasks.vqa.items import Question, as_item, question, questions_data

#: The pack that is shipped.
EMBEDDED = Path(__file__).with_name("packs") / "embedded.parquet"

#: Letters; a text of so many is no path but base64.
LONGEST_PATH = 4096

#: A pack is read whole, so it must not be larger.
MOST_BYTES = 1 << 30

_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


@dataclass(frozen=True)
class Pack:
    """Questions about pictures: pack:embedded, pack:FILE.parquet or pack:FILE.json.

    A row of the Parquet file is a record with the fields of ``vqa.items.Item`` and ``image``, the bytes of a PNG or JPEG file.
    JSON is a list of the same records; there ``image`` is the path of a file, from the pack's folder, or base64.
    """

    where: str

    task: ClassVar[str] = "vqa"
    source: ClassVar[str] = "bitproof: one row a question about a picture"
    version: ClassVar[int] = 1

    def load(self) -> ImageData:
        """Read and check every record. Raises DataError naming the file, the item and what is wrong with it."""
        path = EMBEDDED if self.where == "embedded" else place(self.where)
        records = _records(path)
        questions = [_question(record, path) for record in records]
        pictures = hashlib.sha256(b"".join(hashlib.sha256(each.read()).digest() for each in questions)).hexdigest()
        return questions_data(str(self.where), questions, "pack", self.version, pictures)


def _records(path: Path) -> Sequence[Mapping[str, Any]]:
    with explained(path):
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{str(path)!r} is larger than {MOST_BYTES >> 20} MiB; a pack is read whole. Divide it into several.")
    if path.suffix.lower() == ".json":
        return _json(path)
    try:
        return pl.read_parquet(path, glob=False).to_dicts()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{str(path)!r} is no readable Parquet file: {str(error).splitlines()[0]}.") from None


def _json(path: Path) -> Sequence[Mapping[str, Any]]:
    with explained(path):
        data = path.read_bytes()
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{str(path)!r} is no JSON: {error}.") from None
    if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
        raise DataError(f"{str(path)!r} must hold a list of records, one an item.")
    return found


def _question(record: Mapping[str, Any], path: Path) -> Question:
    item = as_item(record, repr(str(path)))
    data = _picture(record.get("image"), path.parent)
    if data is None or not data.startswith(_MAGIC):
        raise DataError(f"{str(path)!r}: the image of the item {item.item!r} is no PNG or JPEG file, nor the path of one.")
    return question(item, Kept(data))


def _picture(image: Any, folder: Path) -> bytes | None:
    """The bytes of a picture that is given as bytes, as base64, or as a path from ``folder``."""
    if isinstance(image, bytes | None):
        return image
    text = str(image)
    if (path := _file(folder, text)) is not None:
        return FileBytes(path)()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _file(folder: Path, text: str) -> Path | None:
    """The file of this name in ``folder`` or below; None where there is none, or where ``text`` could name none."""
    if len(text) >= LONGEST_PATH:
        return None
    try:
        path = (folder / text).resolve()
        return path if path.is_relative_to(folder.resolve()) and path.is_file() else None
    except (OSError, ValueError):  # too long for a name, or no text of one: base64
        return None
