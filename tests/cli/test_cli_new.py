"""``bitproof new`` in a copy of the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import MappingProxyType

import pytest

from bitproof.cli.scaffold import KINDS, scaffold
from bitproof.core import SpecError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path):
    """What a scaffold needs, and what runs it."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "native"))
    for folder in ("quantizers", "noises", "contract"):
        shutil.copytree(ROOT / "tests" / folder, tmp_path / "tests" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("tests/conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def python(checkout, *arguments):
    """Run a module on the copy: without ``site``, whose hook for editable installations would lead to the original."""
    path = os.pathsep.join([str(checkout / "src"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    return run(checkout, [sys.executable, "-S", "-m", *arguments], {"PYTHONPATH": path})


def run(checkout, command, more=MappingProxyType({})):
    here = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **more}
    return subprocess.run(command, cwd=checkout, env=here, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("kind", "name", "title"), [("quantizer", "my-method", "MyMethod"), ("noise", "rain", "Rain")])
def test_what_is_begun_is_listed_and_fails_until_it_is_written(checkout, kind, name, title):
    done = python(checkout, "bitproof", "new", kind, name)
    assert done.returncode == 0, done.stderr
    written = [line.removeprefix("written: ") for line in done.stdout.splitlines() if line.startswith("written: ")]
    assert len(written) == 3 and all((checkout / path).is_file() for path in written)
    assert title in (checkout / written[0]).read_text()
    listed = python(checkout, "bitproof", "list", f"{kind}s")
    assert f"\n {name} " in listed.stdout, listed.stderr
    module = name.replace("-", "_")
    tests = python(checkout, "pytest", "-q", "-p", "no:cacheprovider", "-x", KINDS[kind].tests.format(module))
    assert tests.returncode == 1 and "NotImplementedError" in tests.stdout, tests.stdout
    for check in (["check"], ["format", "--check"]):
        assert run(checkout, [sys.executable, "-m", "ruff", *check, *written]).returncode == 0


@pytest.fixture
def bare(tmp_path):
    """The folders and tables alone."""
    for kind in KINDS.values():
        for path in (kind.folder, str(Path(kind.tests).parent)):
            (tmp_path / path).mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / kind.table, tmp_path / kind.table)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_what_cannot_be_written_is_refused_and_nothing_is(bare, kind):
    def refused(name, part, root=bare, taken=frozenset({"fog"})):
        before = sorted(bare.rglob("*"))
        with pytest.raises(SpecError, match=part):
            scaffold(root, kind, name, taken)
        assert sorted(bare.rglob("*")) == before

    refused("fog", "is taken")
    for name in ("Fog", "1st", "a b", "../x", "", "class", "a--b", "x:y"):
        refused(name, "cannot name")
    (bare / kind.tests.format("mine")).write_text("")
    refused("mine", "exists and would be overwritten")
    refused("other", "no source checkout", root=bare / "src")
    (bare / kind.table).write_text("")
    refused("other", "was not found")


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_the_table_gets_one_line(bare, kind):
    before = (bare / kind.table).read_text().splitlines()
    scaffold(bare, kind, "n2-uq", frozenset())
    after = (bare / kind.table).read_text().splitlines()
    (line,) = [line for line in after if line not in before]
    assert len(after) == len(before) + 1 and line.strip().startswith('"n2-uq": "bitproof.') and line.endswith('.n2_uq:N2Uq",')
