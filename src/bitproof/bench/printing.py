"""The patches of a run on paper."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from bitproof.core import SpecError, StoreError
from bitproof.defenses import Sheet, sheet
from bitproof.results import Store, read_defense


def print_patches(path: Path, out: Path, asked: str | None, classes: str | None, layout: Sheet) -> tuple[int, int]:
    """Write the patches of ``path`` to ``out``; return how many, and on how many pages.

    ``path`` is a run, and ``asked`` one of its patches by spec or by the first digits of its id; or the folder of one.
    Raises SpecError where it is not clear which is meant and for a class without a patch, StoreError where there is none.
    """
    info, files = _found(path, asked)
    labels = info["labels"] if classes is None else [_label(word, info) for word in classes.split(",")]
    names = dict(zip(info["labels"], info["names"] or [f"class {label}" for label in info["labels"]], strict=True))
    pictures = [(names[label], Image.open(io.BytesIO(files[f"{label}.png"])).convert("RGBA")) for label in labels]
    return len(pictures), sheet(pictures, out, layout)


def _found(path: Path, asked: str | None) -> tuple[Mapping[str, Any], Mapping[str, bytes]]:
    if (path / "defense.json").is_file():
        return read_defense(path)
    store = Store.open(path)
    known = store.defenses()
    chosen = [name for name, info in known.items() if asked is None or info["defense"] == asked or name.startswith(asked)]
    if not chosen:
        wanted = f"patch {asked!r}" if asked else "fitted patch"
        raise StoreError(f"{str(path)!r} has no {wanted}. 'bitproof patch list {path}' shows {len(known)}.")
    if len(chosen) > 1:
        listed = ", ".join(f"{name} ({known[name]['defense']})" for name in chosen)
        raise SpecError(f"{str(path)!r} has several patches; name one with --defense: {listed}.")
    return store.defense(chosen[0])


def _label(word: str, info: Mapping[str, Any]) -> int:
    if not word.strip().isdigit() or int(word) not in info["labels"]:
        raise SpecError(f"There is no patch for class {word.strip()!r}. Allowed: {', '.join(map(str, info['labels']))}.")
    return int(word)
