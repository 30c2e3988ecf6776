"""Results directories for the pages under test."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_runs import EVIL, NOISES, RECIPES, fill, png

from bitproof.core import digest
from bitproof.results import Store


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, one of them with a name that wants to run; a failure, a gallery, a machine."""
    store = Store.create(tmp_path_factory.mktemp("results") / "a<b run")
    store.write_grid("tasks: [photos]\nnoises: [fog:1]\n")
    store.write_environment({"cpu": "an earlier machine"})
    store.write_grid(f"tasks: [photos]\nmodels: [net]  # {EVIL}\n")
    store.write_environment({"bitproof": "0.1.0", "packages": {"numpy": "2"}, "features": ["avx2", EVIL], "gpu": None})
    fill(store, "photos", "net", recipes=tuple(RECIPES), noises=NOISES, samples=120)
    fill(store, "photos", EVIL, recipes=("fp32", "mse:w8a8"), noises=("clean", "fog:3", "pgd-linf:eps=2/255"), samples=30)
    failure = {"task": "photos", "model": "net", "recipe": "mse:w4a4", "noise": "frost:3", "seed": 0, "error": f"no {EVIL}"}
    store.write_failure(digest("frost"), failure)
    for i, noise in enumerate(NOISES):
        store.write_picture("photos", noise, f"{EVIL}.jpeg" if i == 1 else "00000.jpeg", png(30 + 15 * i, 120, 200 - 10 * i))
    return store.path


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A results directory without a row."""
    return Store.create(tmp_path / "empty").path


@pytest.fixture
def clean_only(tmp_path: Path) -> Path:
    """One recipe, one cell."""
    store = Store.create(tmp_path / "clean")
    fill(store, "photos", "net", recipes=("fp32",), noises=("clean",), samples=20)
    return store.path
