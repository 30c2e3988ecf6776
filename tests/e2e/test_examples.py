"""The grids in examples/ are what today's code reads."""

from pathlib import Path

import pytest

from bitproof.bench import parse_grids

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


def test_there_are_examples():
    assert "audit-cifar10" in {path.stem for path in EXAMPLES}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_read_and_says_how_it_is_run(path):
    text = path.read_text(encoding="utf-8")
    assert parse_grids(text, str(path))
    assert text.startswith(f"# bitproof run examples/{path.name}")
