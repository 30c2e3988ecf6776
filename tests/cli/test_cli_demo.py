"""The demo of words: what it may be asked, what folders it takes; the whole of it is in tests/e2e."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
import yaml

from bitproof.bench import parse_grids
from bitproof.cli.demo import ATTACKED, CLIPS, Kind, _embedded, _of_clips
from bitproof.core import DataError
from bitproof.export.zoo import zoo_index

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")


def bitproof(*arguments):
    command = [sys.executable, "-m", "bitproof", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})


def test_the_embedded_grids_are_grids():
    for kind in Kind:
        assert parse_grids(_embedded(kind) if kind is Kind.image else _embedded(kind) + "tasks: [spoken]\n")


def test_the_networks_of_words_are_those_of_the_zoo():
    [part] = yaml.safe_load_all(_embedded(Kind.keyword))
    named = {model.partition(":")[0] for model in part["models"]}
    assert named == {f"zoo/{name}" for name in zoo_index() if "kws12" in name}


def test_words_that_it_does_not_know_are_refused():
    done = bitproof("demo", "--task", "keywords")
    assert done.returncode == 2 and "'image', 'keyword'" in done.stderr
    done = bitproof("demo", "--clips", "somewhere")
    assert done.returncode == 2 and "--task keyword --clips DIR" in done.stderr


def clip(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(seed).uniform(-0.1, 0.1, 8000), 16_000, format="WAV")
    path.write_bytes(file.getvalue())


def test_a_small_folder_is_heard_whole_and_a_large_one_in_part(tmp_path):
    for i in range(30):
        clip(tmp_path / "a, b" / ("yes", "house")[i % 2] / f"{i}.wav")
    [part] = yaml.safe_load_all(_of_clips(_embedded(Kind.keyword), tmp_path / "a, b"))
    assert part["limit"] == {"clean": 30, "natural": 30, "system": 30, "adversarial": ATTACKED} and CLIPS > 30
    assert parse_grids(yaml.safe_dump(part))


def test_folders_that_cannot_be_heard_are_told_of(tmp_path):
    for bad, told in (
        ("none", "is no folder"),
        ("empty", "no class folders"),
        ("other", "12 classes: silence"),
        ("file", "beside"),
    ):
        if bad != "none":
            (tmp_path / bad).mkdir()
        if bad == "other":
            clip(tmp_path / bad / "house" / "0.wav")
        if bad == "file":
            (tmp_path / bad / "0.wav").write_bytes(b"")
        with pytest.raises(DataError, match=told):
            _of_clips(_embedded(Kind.keyword), tmp_path / bad)
