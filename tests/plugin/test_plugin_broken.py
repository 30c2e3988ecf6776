"""A package that is damaged is told of, and stops nothing that does not need it."""

import json

import pytest
from plugin_sites import install, printed, python

GRAIN = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Grain:
    amount: float = 0.5
    severity: int = 1
    site = "image"
"""


@pytest.fixture(scope="module")
def listing(site, broken):
    return python("-m", "bitproof", "list", "noises", "--json", sites=(site, broken))


def run(grid_text, folder, *sites):
    (folder / "grid.yaml").write_text(grid_text)
    return python("-m", "bitproof", "run", str(folder / "grid.yaml"), "-o", str(folder / "run"), sites=sites)


def test_it_warns_and_is_left_out(listing):
    assert listing.returncode == 0, listing.stderr
    names = {card["name"] for card in json.loads(listing.stdout)}
    assert "scanlines" in names and "broken" not in names
    assert "'broken'" in listing.stderr and "no_such_library" in listing.stderr


def test_the_warning_names_the_package(listing):
    assert "bitproof-broken" in listing.stderr and "object at 0x" not in listing.stderr


def test_a_run_that_does_not_ask_for_it_goes_through(site, broken, grid_text, tmp_path):
    done = run(grid_text, tmp_path, site, broken)
    assert done.returncode == 0, done.stderr
    assert "10 cells" in done.stdout and "0 failed" in done.stdout


def test_a_run_that_asks_for_it_ends_in_one_message(site, broken, grid_text, tmp_path):
    done = run(grid_text.replace("scanlines:3", "broken"), tmp_path, site, broken)
    assert "'broken'" in done.stderr and "no_such_library" in done.stderr
    assert done.returncode == 2 and "Traceback" not in done.stderr


def test_severity_need_not_be_the_first_word(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    points = '[project.entry-points."bitproof.noises"]\ngrain = "bitproof_grain:Grain"\n'
    (project / "pyproject.toml").write_text(f'[project]\nname = "bitproof-grain"\nversion = "1"\n{points}')
    (project / "bitproof_grain.py").write_text(GRAIN)
    code = "from bitproof.noises import expand, noise; print(noise(*expand('grain:severity=3')))"
    assert printed("-c", code, sites=(install(tmp_path / "site", project),)) == "Grain(amount=0.5, severity=3)\n"
