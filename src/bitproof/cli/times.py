"""Where the time of a run went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitproof.bench import Times

#: How many noises are shown, those that hold up the network longest.
SHOWN = 10


def print_times(times: Iterable[tuple[str, Times]]) -> None:
    """Print a line a noise, its severities and variants together: seconds of its pictures, of waiting for them, of the network."""
    from rich.markup import escape
    from rich.table import Column, Table

    from bitproof.cli.console import wide

    rows = by_noise(times)
    table = Table("noise", *(Column(name, justify="right") for name in ("pictures s", "waiting s", "network s")), box=None)
    table.title, table.title_justify = "Where the time went", "left"
    for name, seconds in rows[:SHOWN]:
        table.add_row(escape(name), *(f"{value:.1f}" for value in seconds))
    if len(rows) > SHOWN:
        table.add_row(f"{len(rows) - SHOWN} more", *(f"{value:.1f}" for value in _sum(rows[SHOWN:])))
    if len(rows) > 1:
        table.add_row("all", *(f"{value:.1f}" for value in _sum(rows)))
    console = wide()
    console.print(table)
    console.print("Pictures are made in threads beside the network; it stood still while waiting. Each cell: log.jsonl.")


def by_noise(times: Iterable[tuple[str, Times]]) -> list[tuple[str, tuple[float, float, float]]]:
    """Return (noise without its settings, (pictures, waiting, network) in seconds), the longest waited for first."""
    found: dict[str, list[tuple[str, tuple[float, float, float]]]] = defaultdict(list)
    for noise, cell in times:
        name = "+".join(part.partition(":")[0] for part in noise.split("+"))
        found[name].append((name, (cell.pictures_s, cell.waiting_s, cell.network_s)))
    rows = [(name, _sum(cells)) for name, cells in found.items()]
    return sorted(rows, key=lambda row: -row[1][1])


def _sum(rows: Iterable[tuple[str, tuple[float, float, float]]]) -> tuple[float, float, float]:
    pictures, waiting, network = zip(*(seconds for _, seconds in rows), strict=True)
    return sum(pictures), sum(waiting), sum(network)
