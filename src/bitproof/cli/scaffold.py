"""The files that a new method begins with: its own, its line in the table, and a test that fails until it is written."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from pathlib import Path
from string import Template

from bitproof.core import SpecError

_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Kind:
    """Where a kind's files go: ``folder`` and ``tests`` in the checkout, ``registry`` in ``table``; its ``contract`` tests."""

    name: str
    folder: str
    tests: str
    table: str
    registry: str
    golden: str
    contract: str


KINDS = {
    "quantizer": Kind(
        "quantizer",
        "src/bitproof/quantizers",
        "tests/quantizers/test_{}.py",
        "src/bitproof/quantizers/__init__.py",
        "QUANTIZERS",
        "tests/quantizers/test_golden.py",
        "tests/contract/test_contract_quantizers.py",
    ),
    "noise": Kind(
        "noise",
        "src/bitproof/noises/corruptions",
        "tests/noises/test_{}.py",
        "src/bitproof/noises/__init__.py",
        "NOISES",
        "tests/noises/test_corruptions_golden.py",
        "tests/contract/test_contract_pictures.py",
    ),
}


def scaffold(root: Path, kind: Kind, name: str, taken: frozenset[str]) -> list[Path]:
    """Write the files of ``name`` into the checkout ``root`` and return them; nothing is written where one cannot be.

    Raises SpecError where ``name`` is no name, is ``taken``, or one of its files exists; where ``root`` is no source checkout.
    """
    table = root / kind.table
    if not table.is_file() or not (root / "tests").is_dir():
        raise SpecError(
            f"{str(root)!r} is no source checkout of bitproof, and an installed package is not written to. Clone the repository "
            f"and install it with pip install -e '.[dev]', or put your {kind.name} into a package of your own: the entry point "
            f"'bitproof.{kind.name}s'."
        )
    module = name.replace("-", "_")
    if not _NAME.fullmatch(name) or keyword.iskeyword(module):
        raise SpecError(f"{name!r} cannot name a {kind.name}: small letters, digits and single - or _ are allowed, a letter first.")
    if name in taken:
        raise SpecError(f"The name {name!r} is taken. 'bitproof list {kind.name}s' shows all {kind.name}s.")
    files = {root / kind.folder / f"{module}.py": kind.name, root / kind.tests.format(module): f"{kind.name}_test"}
    if exists := [path for path in files if path.exists()]:
        raise SpecError(f"{str(exists[0])!r} exists and would be overwritten. Choose another name, or remove it.")
    words = {"NAME": name, "MODULE": module, "CLASS": "".join(part.capitalize() for part in module.split("_"))}
    line = _with_line(table.read_text(encoding="utf-8"), kind, words)
    for path, template in files.items():
        text = Template((_TEMPLATES / f"{template}.py.txt").read_text(encoding="utf-8")).substitute(words)
        path.write_text(text, encoding="utf-8")
    table.write_text(line, encoding="utf-8")
    return [*files, table]


def _with_line(text: str, kind: Kind, words: dict[str, str]) -> str:
    """The registry's file with one more line at the end of its table."""
    start = text.find(f"\n{kind.registry} = Registry(")
    end = text.find("\n    },\n", start)
    if start < 0 or end < 0:
        raise SpecError(f"The table {kind.registry} was not found in {kind.table!r}; add the line by hand, see CONTRIBUTING.md.")
    module = kind.folder.removeprefix("src/").replace("/", ".")
    return f'{text[:end]}\n        "{words["NAME"]}": "{module}.{words["MODULE"]}:{words["CLASS"]}",{text[end:]}'
