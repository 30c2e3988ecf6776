"""``bitproof patch``: what a run fitted, on paper."""

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from bitproof.cli import app
from bitproof.core import BitproofError
from bitproof.defenses import write_picture
from bitproof.results import Store


@pytest.fixture
def run(tmp_path):
    store, mask = Store.create(tmp_path / "run"), torch.ones(8, 8, dtype=torch.bool)
    for name, spec in (("aaaaaaaaaaaa", "defensive-patch"), ("bbbbbbbbbbbb", "unadversarial")):
        info = {
            "defense": spec,
            "labels": [0, 3],
            "names": ["cat", "dog"],
            "size_px": 8,
            "fitted_on": [{"recipe": "fp32", "model": "net"}],
        }
        store.write_defense(name, info, {f"{label}.png": write_picture(torch.rand(3, 8, 8), mask) for label in (0, 3)})
    return store.path


def call(*words):
    result = CliRunner().invoke(app, list(map(str, words)))
    if isinstance(result.exception, BitproofError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_a_sheet_is_written_at_its_size(run, tmp_path):
    out = tmp_path / "sheet.png"
    said = call("patch", "print", run, "--defense", "defensive-patch", "--side-mm", 50, "--dpi", 127, "-o", out)
    assert "2 patches of 50 mm on 1 page:" in said
    assert Image.open(out).size == (1050, 1485)
    call("patch", "print", run / "defenses" / "bbbbbbbbbbbb", "--classes", 3, "-o", tmp_path / "one.pdf")
    assert (tmp_path / "one.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "several patches"),
        (["--defense", "c"], "has no patch 'c'"),
        (["--defense", "aaa", "--classes", "0,1"], "no patch for class '1'"),
        (["--defense", "aaa", "--side-mm", "500"], "does not fit on a4"),
        (["--defense", "aaa", "--paper", "a7"], "Unknown paper"),
    ],
)
def test_what_cannot_be_printed_is_told(run, tmp_path, words, said):
    with pytest.raises(BitproofError, match=said):
        call("patch", "print", run, *words, "-o", tmp_path / "x.pdf")


def test_a_list_says_what_each_was_fitted_on(run):
    assert "aaaaaaaaaaaa  defensive-patch: 2 classes, 8 px, fitted on fp32 of net" in call("patch", "list", run)
