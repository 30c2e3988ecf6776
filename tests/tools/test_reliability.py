"""A few tries of each trial of ``python -m tools.reliability``; the command does them by the hundred."""

import random
import sys

import pytest

from tools.reliability import TRIALS, disks, files, grids, pages
from tools.reliability.tally import Tally
from tools.reliability.toy import make

#: Trial → tries in the usual tests; the others run a network for each try and are slow.
QUICK = {"killed": 1, "grids": 3, "pictures": 2, "models": 30, "runs": 9, "pages": 5, "specs": 400, "made-up-grids": 100}
SLOW = {
    "killed": 8,
    "company": 2,
    "clocks": 2,
    "full": 4,
    "read-only": 2,
    "rows-cut": 4,
    "rows-flipped": 4,
    "weights": 6,
    "grids": 99,
    "pictures": 99,
    "pages": 99,
}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="its processes, pipes and devices are those of Linux")


def survives(name, count, folder):
    tally = TRIALS[name][0](make(folder / "toy"), folder / "runs", count, random.Random(random.randrange(2**32)))
    if tally.skipped:
        pytest.skip(tally.skipped)
    assert (tally.faults, tally.lost) == ([], 0)
    assert tally.survived == tally.tried > 0


@pytest.mark.parametrize(("name", "count"), QUICK.items())
def test_it_survives(name, count, tmp_path):
    survives(name, count, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), SLOW.items())
def test_it_survives_more_of_it(name, count, tmp_path):
    survives(name, count, tmp_path)


def test_every_trial_is_tested():
    assert {*QUICK, *SLOW} == {*TRIALS}
    assert len(grids.MALFORMED) >= 20
    assert TRIALS["grids"][1] == len(grids.MALFORMED)
    assert TRIALS["pictures"][1] == len(files.CONTENTS) + len(files.THINGS)


@pytest.mark.parametrize("page", ["<img src=x onerror=a>", "<p onerror=a>", "<script> window.broken=1</script>", pages.EVIL])
def test_a_page_that_is_broken_out_of_is_seen(page):
    assert pages.breaks_out(page)
    assert not pages.breaks_out(f"<p>{page.replace('<', '&lt;')}</p>")


@pytest.fixture
def planted(tmp_path):
    """A toy whose model's file, which a grid may name, makes the file that hostile code would."""
    toy = make(tmp_path / "toy")
    net = toy.folder / "net.py"
    net.write_text(f"from pathlib import Path\nPath('ran').touch()\n{net.read_text()}")
    return toy


def test_code_that_a_picture_would_run_is_seen(planted, tmp_path):
    [fault] = files.pictures(planted, tmp_path / "pictures", 1, random.Random(0)).faults
    assert fault.endswith(": its code was run")


def test_code_of_a_grid_that_is_refused_is_seen(planted, tmp_path, monkeypatch):
    refused = planted.grid.read_text().replace("#build", "#nothing")
    monkeypatch.setattr(grids, "MALFORMED", {"it": refused.encode()})
    assert grids.malformed(planted, tmp_path / "grids", 1, random.Random(0)).faults == ["it: its code was run"]


def test_a_file_of_a_run_that_lies_outside_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr("bitproof.results.layout.check_id", lambda kind, value: value)
    tally = files.runs(make(tmp_path / "toy"), tmp_path / "runs", 9, random.Random(0))
    assert tally.tried == len(files.NAMES) and tally.faults[0] == "'../../../ran': a file lies outside"


def test_a_fault_is_counted(tmp_path, monkeypatch):
    tally = Tally("it")
    tally.count("")
    tally.count("gone", lost=2)
    assert (tally.tried, tally.survived, tally.lost, tally.faults) == (2, 1, 2, ["gone"])
    monkeypatch.setattr(disks.subprocess, "run", lambda *_, **__: disks.subprocess.CompletedProcess([], 1, "", "unshare: no"))
    assert disks.full(make(tmp_path / "toy"), tmp_path / "runs", 1, random.Random(0)).skipped
