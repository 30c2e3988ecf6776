"""The main job: run, be killed, go on, report."""

import os
import random
import signal
import subprocess
import sys
import time

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import bitproof as bp

KEY = ["variant", "noise", "sample"]


def start(grid, out):
    command = [sys.executable, "-m", "bitproof", "run", str(grid), "-o", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def untrained(grid):
    return grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', '[fp32, "mse:w4a4"]')


@pytest.fixture(scope="session")
def finished(grid, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "run"
    outcome = bp.run(grid, out)
    assert (outcome.cells, outcome.already, outcome.failed) == (28, 0, 0)
    return out


def test_every_cell_leaves_one_row_a_sample(finished):
    rows = bp.results.load(finished)
    counts = rows.group_by("noise", "recipe").len()
    assert len(counts) == 28
    assert dict(counts.filter(recipe="mse:w4a4").select("noise", "len").iter_rows()) == {
        "clean": 24,
        "gaussian_noise:3": 24,
        "pixelate:2": 24,
        "cv-nearest": 24,
        "decode-ffmpeg+cv-area": 24,
        "evidence": 8,
        "pgd-linf:eps=8/255,steps=3": 8,
    }
    assert rows.filter(pl.col("correct") != (pl.col("label") == pl.col("prediction"))).is_empty()
    assert rows.filter((pl.col("margin") > 0) != pl.col("correct")).is_empty()
    assert rows.filter(family="adversarial")["gradient"].unique().to_list() == ["ste"]
    assert rows.filter(noise="pixelate:2")["severity"].unique().to_list() == [2]


def test_a_second_run_has_nothing_to_do(finished, grid):
    before = {path: path.stat().st_mtime_ns for path in (finished / "rows").iterdir()}
    outcome = bp.run(grid, finished)
    assert (outcome.already, outcome.failed) == (28, 0)
    assert before == {path: path.stat().st_mtime_ns for path in (finished / "rows").iterdir()}


def test_the_same_grid_elsewhere_gives_the_same_rows(finished, grid, tmp_path):
    bp.run(grid, tmp_path / "again")
    assert_frame_equal(bp.results.load(finished).sort(KEY), bp.results.load(tmp_path / "again").sort(KEY))


def test_kill_and_resume_end_in_the_same_rows(finished, grid, tmp_path):
    """SIGKILL at random instants, once before and twice after a cell was done; the seed is printed for a replay."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw, out, killed = random.Random(seed), tmp_path / "killed", 0
    for cells in (0, 1, 2):
        process = start(grid, out)
        while len(list(out.glob("rows/*.parquet"))) < cells and process.poll() is None:
            time.sleep(0.02)
        time.sleep(draw.random() * (3 if cells == 0 else 0.5))
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert killed >= 2
    outcome = bp.run(grid, out)
    assert outcome.failed == 0
    assert_frame_equal(bp.results.load(finished).sort(KEY), bp.results.load(out).sort(KEY))


def test_a_limit_of_one_family_is_a_part_of_the_others(finished):
    rows = bp.results.load(finished)
    attacked = set(rows.filter(family="adversarial")["sample"])
    assert attacked < set(rows.filter(noise="clean")["sample"])


def test_batch_size_moves_no_picture_and_no_clear_prediction(finished, grid, tmp_path):
    text = untrained(grid).replace("batch_size: 8", "batch_size: 5")
    bp.run(text, tmp_path / "other")
    keys = ["recipe", "noise", "sample"]
    both = bp.results.load(tmp_path / "other").join(bp.results.load(finished), on=keys, suffix="_before")
    clear = both.filter(pl.col("margin").abs() > 1e-3, pl.col("family") != "adversarial")
    assert len(clear) > 100
    assert clear.filter(pl.col("prediction") != pl.col("prediction_before")).is_empty()


def test_a_cell_that_fails_is_recorded_and_the_others_go_on(grid, pictures, tmp_path):
    text = untrained(grid)
    broken = pictures / "class0" / "0.jpg"
    whole = broken.read_bytes()
    try:
        broken.write_bytes(whole[: len(whole) // 2])
        outcome = bp.run(text, tmp_path / "run")
    finally:
        broken.write_bytes(whole)
    assert outcome.failed > 0
    [*failures] = bp.results.Store.open(tmp_path / "run").failures()
    assert any("class0/0.jpg" in failure["error"] for failure in failures)
    assert bp.run(text, tmp_path / "run").failed == 0
    assert list(bp.results.Store.open(tmp_path / "run").failures()) == []


STUBBORN = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.linear = nn.Conv2d(3, 4, 3, stride=8), nn.Linear(64, 4)
    def forward(self, x):
        {trouble}
        x = self.conv(x)
        return self.linear(x.view(x.size(0), -1)){tail}
"""


@pytest.mark.parametrize(
    ("trouble", "tail", "error"),
    [
        ("", "", None),
        ("", ".bfloat16()", None),
        ("if len(x) == 8: raise ValueError('no eights')", "", "ValueError: no eights"),
        ("if len(x) == 8: return x.flatten(1)[:, :4] * float('nan')", "", "finite"),
    ],
)
def test_whatever_a_network_does_the_run_goes_on(trouble, tail, error, pictures, tmp_path):
    (tmp_path / "net.py").write_text(STUBBORN.format(trouble=trouble, tail=tail))
    grid = {
        "tasks": [f"imagefolder:{pictures}"],
        "models": [f"python:{tmp_path}/net.py#Net,size=32,classes=4"],
        "noises": ["clean", "fgsm-linf:eps=8/255"],
        "limit": 8,
        "batch_size": 8,
        "threads": 1,
    }
    outcome = bp.run(grid, tmp_path / "run")
    failures = bp.results.Store.open(tmp_path / "run").failures()
    assert outcome.failed == (0 if error is None else 3)
    assert len(failures) == outcome.failed
    assert error is None or any(error in failure["error"] for failure in failures)


def test_a_network_of_ones_own_is_run_by_its_name(pictures, tmp_path):
    import torch
    from torch import nn

    torch.manual_seed(0)
    mine = bp.wrap(nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)), size=32, classes=4)
    grid = {"tasks": [f"imagefolder:{pictures}"], "models": ["mine"], "recipes": ["fp32"], "limit": 12, "threads": 1}
    assert bp.run(grid, tmp_path / "run", models={"mine": mine}).failed == 0
    assert bp.results.load(tmp_path / "run")["model"].unique().to_list() == ["mine"]


def test_the_page_is_written_from_rows_alone(finished):
    code = f"import sys; sys.modules['torch'] = None\nimport bitproof as bp\nprint(bp.report.write({str(finished)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (finished / "report.html").stat().st_size > 1_000_000


def test_two_runs_on_one_directory_do_not_meet(grid, tmp_path):
    process = start(grid, tmp_path / "run")
    try:
        while process.poll() is None and not list((tmp_path / "run").glob("rows/*")):  # however busy the machine is
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)  # or it might end before the other one has read its grid
        with pytest.raises(bp.BitproofError, match=str(process.pid)):
            bp.run(grid, tmp_path / "run")
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_directory_is_one_message(grid, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(bp.BitproofError, match="locked"):
        bp.run(grid, tmp_path / "locked" / "run")
