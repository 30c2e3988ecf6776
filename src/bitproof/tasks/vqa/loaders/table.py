"""``folder:DIR``: any questions about any pictures, in a table beside them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bitproof.core import DataError
from bitproof.tasks.sources.files import FileBytes
from bitproof.tasks.sources.records import inside, read_text
from bitproof.tasks.vqa.items import Question, as_item, question
from bitproof.tasks.vqa.loaders.base import Loader, lines

LISTS = ("questions", "aliases", "rejected", "options")


@dataclass(frozen=True)
class Folder(Loader):
    """Your own questions: ``questions.csv`` or ``questions.jsonl`` in a folder with its pictures.

    A row has the fields of a pack's record (``vqa.items.Item``); ``image`` is a file's path from the folder, a JPEG or PNG. In CSV
    the entries of a list are joined by ``|``, an empty cell is a field that is not given, ``negative`` is true or false.
    Without ``group``, rows of one picture are a group.
    """

    name: ClassVar[str] = "folder"
    source: ClassVar[str] = "bitproof: a table of questions beside pictures"
    layout: ClassVar[str] = "Expected: questions.csv or questions.jsonl with image, item, scenario, questions, answer_type, answer."

    def questions(self, root: Path) -> Iterator[Question]:
        """Yield one question a row. Raises DataError naming the line."""
        tables = [path for path in (root / "questions.csv", root / "questions.jsonl") if path.is_file()]
        if len(tables) != 1:
            raise DataError(f"{str(root)!r} holds {len(tables)} of questions.csv and questions.jsonl; one is needed. {self.layout}")
        for where, record in (_csv if tables[0].suffix == ".csv" else _jsonl)(tables[0], self.layout):
            image = record.get("image")
            if not isinstance(image, str) or not image.strip():
                raise DataError(f"{where}: the field image must be the path of a picture, found {image!r}.")
            yield question(as_item({"group": image} | record, where), FileBytes(inside(root, image, where)))


def _jsonl(path: Path, layout: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(lines(path, layout), 1):
        where = f"{str(path)!r}, record {number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where} is no JSON: {error}.") from None
        if not isinstance(record, dict):
            raise DataError(f"{where} is no record in braces, as {{…}}.")
        yield where, record


def _csv(path: Path, layout: str) -> Iterator[tuple[str, dict[str, Any]]]:
    rows = csv.DictReader(io.StringIO(read_text(path, layout)), strict=True)
    try:
        for row in rows:
            where = f"{str(path)!r}, line {rows.line_num}"
            if None in row:
                raise DataError(f"{where} has more cells than the first line has names.")
            yield where, {name: _cell(name, cell, where) for name, cell in row.items() if cell}
    except csv.Error as error:
        raise DataError(f"{str(path)!r}, line {rows.line_num} is no CSV: {error}.") from None


def _cell(name: str, cell: str, where: str) -> Any:
    """Return a cell in the type that its field has."""
    if name in LISTS:
        return [part.strip() for part in cell.split("|") if part.strip()]
    if name == "negative":
        if cell.strip().lower() not in ("true", "false"):
            raise DataError(f"{where}: negative is true or false, found {cell!r}.")
        return cell.strip().lower() == "true"
    if name == "tolerance":
        try:
            return float(cell)
        except ValueError:
            raise DataError(f"{where}: tolerance must be a number, found {cell!r}.") from None
    return cell
