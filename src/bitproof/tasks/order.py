"""The one order of a data set from which every subset is cut."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from bitproof.core import seed as draw


@lru_cache(maxsize=16)
def stratified(ids: Sequence[str], labels: Sequence[int], seed: int) -> tuple[int, ...]:
    """Return 0…N−1 in an order that ``seed`` draws, of which every stretch, from either end, has the classes in proportion.

    The r-th sample of a class of m stands at (r + ½)/m of the way, equal places in a drawn order of the classes; so classes of
    equal size take turns. Each draw depends on the seed and its own id or label alone.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for i, label in enumerate(labels):
        members[label].append(i)
    places = [
        ((rank + 0.5) / len(group), draw(seed, "class", label), i)
        for label, group in members.items()
        for rank, i in enumerate(sorted(group, key=lambda i: draw(seed, "sample", ids[i])))
    ]
    return tuple(i for *_, i in sorted(places))
