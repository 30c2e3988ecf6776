"""A run that is killed in the middle of a cell goes on there, and its rows are those of a run that was not."""

import pytest
from polars.testing import assert_frame_equal

import bitproof as bp
from bitproof.bench import keeping
from bitproof.noises.attacks.square import SquareLinf

NOISE = "square-linf:eps=1/255,queries=4"


class Killed(BaseException):
    """Ends a run as a signal would: no handler of a cell takes it for a failure of its own."""


@pytest.fixture
def text(grid):
    text = grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', '[fp32, "mse:w4a4"]')
    start = text.index("noises:")
    return text[:start] + f'noises: ["{NOISE}"]\nlimit: 10\nbatch_size: 4\nthreads: 1\n'


def attacked(out):
    return bp.results.load(out).filter(noise=NOISE).sort("variant", "sample")


def test_a_cell_goes_on_where_it_was(text, tmp_path, monkeypatch):
    bp.run(text, tmp_path / "whole")
    monkeypatch.setattr(keeping, "EVERY_S", 0.0)
    calls, search = [], SquareLinf.search

    def counted(self, attempt, seeds):
        calls.append(len(seeds))
        if len(calls) == 3:
            raise Killed
        search(self, attempt, seeds)

    monkeypatch.setattr(SquareLinf, "search", counted)
    out = tmp_path / "run"
    with pytest.raises(Killed):
        bp.run(text, out)
    assert [len(list(folder.iterdir())) for folder in (out / "begun").iterdir()] == [2]
    bp.run(text, out)
    assert sum(calls) == 4 + 4 + 2 + 2 + 10, "the third batch is attacked twice, the first two are not"
    assert not list((out / "begun").iterdir())
    assert_frame_equal(attacked(out), attacked(tmp_path / "whole"))


def test_a_damaged_part_is_made_again(text, tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "EVERY_S", 0.0)
    store = bp.results.Store.create(tmp_path / "store")
    bp.run(text, tmp_path / "whole")
    row = bp.results.load(tmp_path / "whole").to_dicts()[0]
    from bitproof.core import SampleRow

    rows = [SampleRow(**{**row, "sample": str(i)}) for i in range(6)]
    for first in (0, 2, 4):
        store.write_part(row["cell"], first, rows[first : first + 2])
    assert store.part(row["cell"]) == rows
    [second] = (tmp_path / "store" / "begun" / row["cell"]).glob("000000002-*")
    second.write_bytes(second.read_bytes()[:-1])
    assert store.part(row["cell"]) == rows[:2]
    store.write_part(row["cell"], 2, rows[2:4])
    assert store.part(row["cell"]) == rows
    store.write_cell(row["cell"], rows)
    assert store.part(row["cell"]) == []
