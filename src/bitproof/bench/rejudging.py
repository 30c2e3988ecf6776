"""What chat models said, judged once more: a verdict must follow from the reply that stands beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import polars as pl

from bitproof.bench.ids import Cell
from bitproof.bench.plan import Plan
from bitproof.tasks import VqaTask


def misjudged(planned: Mapping[str, tuple[Plan, Cell]], rows: pl.DataFrame, replies: pl.DataFrame) -> list[str]:
    """Return what does not follow, a sentence a kind: verdicts, rows that say otherwise, askings without a reply.

    What the server withheld has no text and cannot be judged again.
    """
    keys = ["cell", "sample", "trial"]
    asked = rows.filter(pl.col("trial").is_not_null())
    both = asked.join(replies.select(*keys, "status"), on=keys, how="left")
    silent, odd = both.filter(pl.col("status").is_null()), both.filter(pl.col("correct") != (pl.col("status") == "right"))
    wrong = [
        each for (name,), part in replies.group_by("cell") if str(name) in planned for each in _wrong(*planned[str(name)], part)
    ]
    told = {
        "askings have no reply": [row["sample"] for row in silent.iter_rows(named=True)],
        "rows say otherwise than their reply's verdict": [row["sample"] for row in odd.iter_rows(named=True)],
        "replies are judged otherwise than today's rules do": wrong,
    }
    return [f"{len(found)} {what}, the first: {found[0]}" for what, found in told.items() if found]


def _wrong(plan: Plan, cell: Cell, replies: pl.DataFrame) -> Iterator[str]:
    """The samples whose reply is judged otherwise today."""
    task = cast(VqaTask, plan.tasks[cell.variant.task])
    items = {sample.id: task.item(sample) for sample in plan.samples(cell)}
    for row in replies.iter_rows(named=True):
        item = items.get(row["sample"])
        trials = {trial.index: trial for trial in task.trials(item, cell.variant.seed)} if item else {}
        if item is None or row["trial"] not in trials:
            yield row["sample"]
        elif row["reply"] or row["status"] != "refusal":
            verdict = task.judge(item, trials[row["trial"]], row["reply"], filtered=False)
            if (verdict.status, verdict.value) != (row["status"], row["value"]):
                yield row["sample"]
