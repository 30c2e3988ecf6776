"""Several runs on one page: a line a recipe, each run's page beside it, nothing from outside, names stay text."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path

import pytest
from report_runs import EVIL, fill
from typer.testing import CliRunner

from bitproof.analysis import summary
from bitproof.cli import app
from bitproof.core import SpecError, StoreError, digest
from bitproof.report import write_leaderboard
from bitproof.report.leaderboard import Entry, boards
from bitproof.report.source import read
from bitproof.results import Store, load
from tools.reliability.pages import breaks_out

NOISES = ("clean", "fog:3", "cv-area")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    one, two = Store.create(folder / "one"), Store.create(folder / "one of <b>")
    fill(one, "photos", "net", recipes=("fp32", "mse:w8a8", "mse:w4a4"), noises=NOISES, samples=60)
    fill(two, "photos", EVIL, recipes=("fp32", "minmax:w8a8"), noises=("clean", "pgd-linf:eps=2/255"), samples=40)
    fill(two, f"other {EVIL}", "net", recipes=("fp32",), noises=("clean",), samples=20)
    two.write_failure(digest("frost"), {"task": "photos", "model": "net", "recipe": "fp32", "noise": "frost:3", "error": EVIL})
    return one.path, two.path


@pytest.fixture(scope="module")
def site(runs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_leaderboard(runs, tmp_path_factory.mktemp("site") / "new" / "folder").parent


def test_the_site_is_an_index_and_a_page_a_run(site: Path) -> None:
    assert {path.name for path in site.iterdir()} == {"index.html", "01-one.html", "02-one-of-b-.html"}
    index = (site / "index.html").read_text(encoding="utf-8")
    assert set(re.findall(r'href="([^"#]+)"', index)) == {"01-one.html", "02-one-of-b-.html"}


def test_every_recipe_of_every_run_is_a_line_with_the_runs_own_figures(runs: tuple[Path, Path]) -> None:
    found = list(boards([Entry(read(path), f"{path.name}.html") for path in runs]))
    assert sorted(board.task for board in found) == sorted(["photos", f"other {EVIL}"])
    board = next(board for board in found if board.task == "photos")
    lines = [(row[0].text, row[1].text, row[2].text, row[4].text) for row in board.table.rows]
    assert lines == [
        ("fp32", "32", "fp32", "one"),
        ("mse:w8a8", "w8a8", "mse", "one"),
        ("mse:w4a4", "w4a4", "mse", "one"),
        ("fp32", "32", "fp32", "one of <b>"),
        ("minmax:w8a8", "w8a8", "minmax", "one of <b>"),
    ]
    assert board.table.columns[7].title == "Clean"
    own = summary(load(runs[0])).filter(recipe="mse:w4a4", figure="clean").to_dicts()[0]
    assert board.table.rows[2][7].sort == own["value"]
    assert f"[{own['low']:.1f}, {own['high']:.1f}]" in board.table.rows[2][7].text
    assert board.table.marked == {0, 3}


def test_a_figure_that_a_run_lacks_is_a_dash(runs: tuple[Path, Path]) -> None:
    (board,) = [board for board in boards([Entry(read(path), "x") for path in runs]) if board.task == "photos"]
    natural = [column.title for column in board.table.columns].index("Natural")
    assert [row[natural].text == "–" for row in board.table.rows] == [False, False, False, True, True]


def test_nothing_is_loaded_and_names_stay_text(site: Path) -> None:
    index = (site / "index.html").read_text(encoding="utf-8")
    outside = re.sub(r"<script>.*</script>", "", index, flags=re.S)
    assert not re.search(r"<(img|link|iframe|script|object)", outside)
    assert not breaks_out(index)
    assert html.unescape(outside).count(EVIL) >= 5
    assert "1 cell failed" in index


def test_an_empty_run_is_told_as_such(tmp_path: Path) -> None:
    index = write_leaderboard([Store.create(tmp_path / "empty").path], tmp_path / "site")
    assert "There are no results yet" in index.read_text(encoding="utf-8")


def test_a_run_that_stands_twice_or_is_none_is_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="twice"):
        write_leaderboard([runs[0], runs[0]], tmp_path / "site")
    with pytest.raises(StoreError, match="no results directory"):
        write_leaderboard([runs[0], tmp_path / "nothing"], tmp_path / "site")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be written"):
        write_leaderboard(runs, tmp_path / "file")


def test_the_command_prints_where_it_is(runs: tuple[Path, Path], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["leaderboard", *map(str, runs), "-o", str(tmp_path / "site")])
    assert (done.exit_code, done.output.strip()) == (0, str(tmp_path / "site" / "index.html"))


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on the path")
def test_the_browser_is_silent_and_runs_no_name(site: Path, tmp_path: Path) -> None:
    from test_report_browser import browse

    document, console = browse(site / "index.html", tmp_path / "profile")
    assert console == []
    assert "data-broken" not in document and "<img src=x" not in document
