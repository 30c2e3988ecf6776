"""The grids in examples/, and the names of the README's tour, are what today's code has."""

import ast
import re
from pathlib import Path

import pytest

import bitproof as bp
from bitproof.bench import parse_grids

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def test_there_are_examples():
    assert "audit-cifar10" in {path.stem for path in EXAMPLES}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_read_and_says_how_it_is_run(path):
    text = path.read_text(encoding="utf-8")
    assert parse_grids(text, str(path))
    assert text.startswith(f"# bitproof run examples/{path.name}")


def test_every_name_of_the_tour_is_on_the_public_face():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    found = [node for block in blocks for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Attribute)]
    names = {node.attr for node in found if isinstance(node.value, ast.Name) and node.value.id == "bp"}
    assert len(names) >= 8 and names <= set(bp.__all__)
    for name in bp.__all__:
        assert getattr(bp, name) is not None
