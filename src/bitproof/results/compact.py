"""The compact form of a results directory: a handful of files that can be committed."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bitproof.core import StoreError
from bitproof.results import defenses, layout, reading, said
from bitproof.results.cells import encode
from bitproof.results.files import fingerprint, write_bytes, write_json
from bitproof.results.mirror import located
from bitproof.results.store import Store

#: What is computed of a network's answer, of float32: it has no more digits to keep, and a file without them is a third smaller.
SINGLE = ("loss", "confidence", "margin", "logit_norm", "cosine")


def compact(src: str | Path, dst: str | Path, *, pictures: bool = True) -> Store:
    """Copy the results of ``src`` into few files in ``dst``, which ``load`` and ``Store.open`` read just as well.

    ``src`` may be a URL. Model files stay behind, ``SINGLE`` is rounded to float32. ``pictures=False`` leaves the gallery behind
    too, where the terms of a data set ask for it. ``dst`` may be new, empty, or an earlier compact form, which is replaced.
    Raises StoreError where ``dst`` is a working directory or holds something else.
    """
    src = located(src)
    source, target = Store.open(src), Path(dst)
    if any((target / folder).exists() for folder in (layout.ROWS, layout.VARIANTS)):
        raise StoreError(f"{str(target)!r} is a directory that runs write to; choose another one for its compact form.")
    if not (target / layout.MARK).is_file():
        layout.check_new(target)
    rows = encode(reading.load(src).with_columns(pl.col(SINGLE).cast(pl.Float32).cast(pl.Float64)), level=19)
    write_bytes(target / layout.COMPACT_ROWS, rows)
    mark = {**layout.mark(), "rows": fingerprint(rows)}
    if (replies := said.load(src)).is_empty():
        (target / layout.COMPACT_REPLIES).unlink(missing_ok=True)
    else:
        write_bytes(target / layout.COMPACT_REPLIES, data := encode(replies))
        mark["replies"] = fingerprint(data)
    if judgement := source.judgement():
        write_json(target / layout.JUDGEMENT, judgement)
    else:
        (target / layout.JUDGEMENT).unlink(missing_ok=True)
    write_json(target / f"{layout.VARIANTS}.json", reading.variant_records(source.path))
    write_json(target / f"{layout.FAILURES}.json", {failure["cell"]: failure for failure in source.failures()})
    if fitted := defenses.packed(source.path):
        write_json(target / f"{layout.DEFENSES}.json", fitted)
    else:
        (target / f"{layout.DEFENSES}.json").unlink(missing_ok=True)
    gallery = reading.records(source.path, layout.GALLERY) if pictures else {}
    write_json(target / f"{layout.GALLERY}.json", gallery)
    for newest, folder in ((layout.GRID, layout.GRIDS), (layout.ENVIRONMENT, layout.ENVIRONMENTS)):
        write_json(target / f"{folder}.json", reading.earlier(source.path, newest, folder))
    write_json(target / layout.ENVIRONMENT, source.environment())
    write_bytes(target / layout.GRID, source.grid().encode())
    write_json(target / layout.MARK, mark)
    return Store.open(target)
