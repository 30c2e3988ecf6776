"""Latency and packed size of a run's networks once more: after another build of the kernels, or on another machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bitproof.bench.subjects import on_disk
from bitproof.core import StoreError, VariantRow
from bitproof.results import Store, variants


def remeasure(path: str | Path, tell: Callable[[VariantRow, VariantRow], None] = lambda before, now: None) -> int:
    """Measure every network of the run in ``path`` again, keep what was found in its rows and return how many there are.

    ``tell`` is called with each row before and after. Raises StoreError where the run holds no network, as its compact form.
    """
    store = Store.open(path)
    with store.lock():
        rows, reports = variants(store.path).rows_by_key("variant", named=True, unique=True, include_key=True), store.reports()
        made = {variant.id: (of, variant) for of, variant in on_disk(store)}
        if not made:
            raise StoreError(
                f"{str(path)!r} holds no network to measure: a compact form has none. Take the directory that was run."
            )
        for name, (of, variant) in made.items():
            before = VariantRow(**rows[name])
            now = of.remeasure(variant, before)
            store.write_variant(now, reports[name])
            tell(before, now)
    return len(made)
