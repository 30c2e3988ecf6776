"""The page in a browser: all plots drawn, no error, no request, names stay text."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from report_runs import EVIL

from bitproof.report import write

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *(
        "--disable-component-update",
        "--disable-sync",
        "--enable-logging=stderr",
        "--v=0",
        "--virtual-time-budget=30000",
        "--dump-dom",
    ),
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on the path")


def browse(page: Path, profile: Path) -> tuple[str, list[str]]:
    """Return the document after its scripts ran, and what was written to the console."""
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def browsed(results: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    folder = tmp_path_factory.mktemp("browser")
    return browse(write(results, folder / "page.html"), folder / "profile")


def test_the_console_is_silent(browsed: tuple[str, list[str]]) -> None:
    assert browsed[1] == []


def test_every_plot_is_drawn(browsed: tuple[str, list[str]]) -> None:
    found = re.search(r'<html[^>]*data-plots="(\d+)/(\d+)"', browsed[0])
    assert found is not None
    assert int(found[1]) == int(found[2]) >= 10


def test_names_stay_text(browsed: tuple[str, list[str]]) -> None:
    document = browsed[0].split("<body", 1)[1]
    assert "<img src=x" not in document
    assert "<script>window.broken" not in document
    assert "data-broken" not in document
    assert html.escape(EVIL, quote=False) in document


ACT = """<script>
const table = document.querySelectorAll("#s2 table.sortable")[1], column = 4;
const button = table.tHead.rows[0].cells[column].querySelector("button");
const values = () => [...table.tBodies[0].rows].map((row) => Number(row.cells[column].dataset.sort));
button.click();
document.documentElement.dataset.up = values().every((value, i, all) => !i || all[i - 1] <= value);
button.click();
document.documentElement.dataset.down = values().every((value, i, all) => !i || all[i - 1] >= value);
const input = table.closest("details").querySelector("input");
input.value = "fog w8a8";
input.dispatchEvent(new Event("input"));
document.documentElement.dataset.shown = table.closest("details").querySelector(".shown").textContent;
</script></body>"""


def test_tables_sort_and_filter(results: Path, tmp_path: Path) -> None:
    page = write(results, tmp_path / "page.html")
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", ACT), encoding="utf-8")
    document, console = browse(page, tmp_path / "profile")
    assert console == []
    assert 'data-up="true"' in document
    assert 'data-down="true"' in document
    assert 'data-shown="4 of 30"' in document


def test_the_console_would_tell(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<script>console.error('told'); undefinedName();</script>", encoding="utf-8")
    _, console = browse(page, tmp_path / "profile")
    assert "told" in console[0]
    assert "undefinedName" in console[1]


def test_the_policy_stops_requests(tmp_path: Path, clean_only: Path) -> None:
    page = write(clean_only, tmp_path / "page.html")
    outside = '<img src="http://127.0.0.1:9/x.png"><script>fetch("http://127.0.0.1:9/")</script></main>'
    page.write_text(page.read_text(encoding="utf-8").replace("</main>", outside), encoding="utf-8")
    _, console = browse(page, tmp_path / "profile")
    assert sum("Content Security Policy" in line for line in console) >= 2
