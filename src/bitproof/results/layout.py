"""Where things lie in a results directory, and how a directory is recognised."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bitproof.core import SCHEMA, StoreError
from bitproof.results.files import explained, read_json

MARK = "store.json"
LOCK = ".lock"
GRID, GRIDS = "grid.yaml", "grids"
ENVIRONMENT, ENVIRONMENTS = "environment.json", "environments"
ROWS, VARIANTS, FAILURES, GALLERY = "rows", "variants", "failures", "gallery"

#: Holds a folder for each defense that was fitted; in the compact form one file.
DEFENSES = "defenses"

#: Holds a folder for each cell that was begun and not finished.
BEGUN = "begun"

#: What chat models said, a file a cell; in the compact form one file.
REPLIES, COMPACT_REPLIES = "replies", "replies.parquet"

#: Every answer that was had of a chat model, so that nothing is asked twice.
ASKED = "asked.sqlite"

#: What a judge model said of the replies.
JUDGEMENT = "judgement.json"

#: What trackers call this run; no result.
TRACKED = "tracked.json"

#: What trackers write into the directory for themselves; no result.
TRACKERS = ("tensorboard", "wandb")

#: Where time went; no result.
LOG = "log.jsonl"

#: The compact form has these rows, and ``FOLDER.json`` in the place of each other folder.
COMPACT_ROWS = "rows.parquet"

#: What people put into a directory before its first run.
_WELCOME = {"README.md", GRID}
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def check_id(kind: str, value: str) -> str:
    """Return ``value`` where it can name a file. Raises StoreError."""
    if not _ID.fullmatch(value):
        raise StoreError(f"{value!r} cannot be the id of a {kind}: letters, digits, _ . and - are allowed.")
    return value


def check_new(path: Path) -> None:
    """Raise StoreError where ``path`` is not a folder, or holds things that are not bitproof's."""
    if path.exists() and not path.is_dir():
        raise StoreError(f"{str(path)!r} is a file; a results directory was asked for. Choose another name.")
    with explained("read", path):
        names = sorted(item.name for item in path.iterdir()) if path.exists() else []
    foreign = [name for name in names if name not in _WELCOME and not name.startswith(".")]
    if foreign and MARK not in foreign:  # another process may have made it in the meantime
        raise StoreError(
            f"{str(path)!r} holds {', '.join(map(repr, foreign[:3]))} and no {MARK!r}: it is no results directory. "
            "Choose an empty or a new one."
        )


def mark() -> dict[str, Any]:
    """What ``store.json`` of a new directory says."""
    return {"bitproof": "results", "schema": SCHEMA}


def read_mark(path: Path) -> dict[str, Any]:
    """Return what ``store.json`` says. Raises StoreError where it is absent, damaged or of a newer bitproof."""
    if not (path / MARK).is_file():
        raise StoreError(f"{str(path)!r} is no results directory: it has no {MARK!r}. 'bitproof run GRID -o {path}' makes one.")
    found = read_json(path / MARK)
    schema = found.get("schema") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(schema, int):
        raise StoreError(f"{str(path / MARK)!r} is damaged: it does not say which schema the directory has.")
    if schema > SCHEMA:
        raise StoreError(
            f"{str(path)!r} was written by a newer bitproof (schema {schema}; this one reads up to {SCHEMA}). "
            "Type: pip install --upgrade bitproof"
        )
    return found
