"""Interrupted or not: the same network."""

from pathlib import Path

import pytest
import torch
from torch import nn
from training_toy import Toy, network, run, same

from bitproof.core import StoreError
from bitproof.training import Progress


class Stopped(Exception):
    """Power failure."""


def stop_at(step: int):
    def progress(now: Progress) -> None:
        if now.step == step:
            raise Stopped

    return progress


OPTIONS = {"epochs": 3, "augment": "crop-flip", "batch_size": 8, "warmup_epochs": 0.5}


def rows(trained):
    return [(row.epoch, row.loss, row.accuracy, row.lr) for row in trained.history]


@pytest.mark.parametrize("step", [1, 3, 8, 11, 24])
@pytest.mark.parametrize("extra", [{}, {"optimizer": "adamw", "accumulate": 2, "grad_clip": 1.0}], ids=["sgd", "adamw"])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, step: int, extra: dict[str, object]):
    step = step if not extra else (step + 1) // 2
    options = {**OPTIONS, **extra, "checkpoint_every_s": 0.0, "checkpoint": tmp_path / "a" / "checkpoint.pt"}
    whole, parts = network(dropout=0.5), network(dropout=0.5)
    expected = run(whole, Toy(), **{**options, "checkpoint": None})
    with pytest.raises(Stopped):
        run(parts, Toy(), **options, progress=stop_at(step))
    fresh = network(dropout=0.5, seed=9)  # weights come from the file, not from the network handed in
    steps: list[int] = []
    trained = run(fresh, Toy(), **options, progress=lambda now: steps.append(now.step))
    assert trained.resumed and steps == list(range(step + 1, 25 if not extra else 13))
    assert same(fresh, whole) and rows(trained) == rows(expected)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["checkpoint.pt"]


def test_without_time_for_more_a_checkpoint_is_written_each_epoch(tmp_path: Path):
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(Stopped):
        run(network(), Toy(), **OPTIONS, checkpoint=path, checkpoint_every_s=1e9, progress=stop_at(10))
    steps: list[int] = []
    run(network(), Toy(), **OPTIONS, checkpoint=path, checkpoint_every_s=1e9, progress=lambda now: steps.append(now.step))
    assert steps[0] == 9


def test_a_crash_while_writing_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch):
    path, whole, model = tmp_path / "checkpoint.pt", network(), network()
    run(whole, Toy(), **OPTIONS)
    with pytest.raises(Stopped):
        run(network(), Toy(), **OPTIONS, checkpoint=path, checkpoint_every_s=0.0, progress=stop_at(5))
    before = path.read_bytes()

    def half_written(content, file):
        file.write(b"PK half")
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", half_written)
        with pytest.raises(Stopped):
            run(network(), Toy(), **OPTIONS, checkpoint=path, checkpoint_every_s=0.0)
    assert path.read_bytes() == before
    assert run(model, Toy(), **OPTIONS, checkpoint=path).resumed and same(model, whole)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"not a checkpoint" + b[16:]])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, damage):
    path = tmp_path / "checkpoint.pt"
    run(network(), Toy(), checkpoint=path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StoreError, match=r"checkpoint\.pt.*is damaged.*rm"):
        run(network(), Toy(), checkpoint=path)


def test_a_file_that_is_something_else_is_refused(tmp_path: Path):
    path = tmp_path / "weights.pt"
    torch.save(network().state_dict(), path)
    with pytest.raises(StoreError, match="not a checkpoint"):
        run(network(), Toy(), checkpoint=path)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path):
    path = tmp_path / "checkpoint.pt"
    torch.save({"format": Stopped("pickled")}, path)
    with pytest.raises(StoreError, match="is damaged: it holds more than numbers") as error:
        run(network(), Toy(), checkpoint=path)
    assert "weights_only" not in str(error.value)


@pytest.mark.parametrize(
    ("part", "message"),
    [("run", "not a checkpoint"), ("model", "another network"), ("optimizer", "another network"), ("state", "is damaged")],
)
def test_a_checkpoint_without_one_of_its_parts_is_refused(tmp_path: Path, part: str, message: str):
    path = tmp_path / "checkpoint.pt"
    run(network(), Toy(), checkpoint=path)
    torch.save({**torch.load(path, weights_only=True), part: None}, path)
    with pytest.raises(StoreError, match=message):
        run(network(), Toy(), checkpoint=path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 0.1}, r"with settings lr=0\.05, asked for is lr=0\.1\. Go on with the same settings, or delete"),
        ({"seed": 8}, "with seed 7, asked for is 8"),
        ({"data": Toy(40)}, "with number of samples 60, asked for is 40"),
    ],
)
def test_another_runs_checkpoint_is_refused(tmp_path: Path, changes: dict[str, object], message: str):
    path = tmp_path / "checkpoint.pt"
    run(network(), Toy(), checkpoint=path)
    with pytest.raises(StoreError, match=message):
        run(network(), **{"data": Toy(), "checkpoint": path, **changes})


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path):
    path = tmp_path / "checkpoint.pt"
    run(network(), Toy(), checkpoint=path)
    with pytest.raises(StoreError, match="another network"):
        run(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), Toy(), checkpoint=path)


def test_run_time_settings_may_change(tmp_path: Path):
    path = tmp_path / "checkpoint.pt"
    run(network(), Toy(), checkpoint=path, checkpoint_every_s=5.0)
    assert run(network(), Toy(), checkpoint=path, checkpoint_every_s=50.0).resumed


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        run(network(), Toy(), checkpoint=tmp_path / "file" / "checkpoint.pt")
