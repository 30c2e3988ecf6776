"""What trackers are told, and that none of them can end a run."""

import json
import time
import warnings
from dataclasses import replace

import pytest

from bitproof.bench import Cell, Variant
from bitproof.bench.ahead import Times
from bitproof.bench.trackers import TRACKERS, Tracking
from bitproof.bench.trackers.tracking import figures
from bitproof.convert import Recipe
from bitproof.core import MissingExtra, SpecError
from bitproof.results import Store
from tests.results.results_rows import rows


def cell(recipe="mse:w4a4", noise="fog:3", seed=0, task="imagefolder:/data"):
    variant = Variant(task, "timm/net", Recipe.parse(recipe), seed, ())
    return Cell(variant, noise, "natural", "none", None, 0, 8, 1, ())


CELLS = [cell(), cell("fp32"), cell("fp32", "cv-area+fog:3")]


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path / "run")


def track(store, *specs, cells=CELLS, done=CELLS):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        with Tracking(specs, store, "tasks: [x]\n", cells) as tracking:
            for each in done:
                tracking(each, rows(each.id, 4), Times(network_s=1.5))


class Fake:
    id = "known"

    def __init__(self, fails=""):
        self.fails, self.told, self.runs = fails, [], []

    def begin(self, run):
        self.runs.append(run)
        return self

    def figures(self, figures, step):
        if self.fails:
            raise RuntimeError(self.fails)
        self.told.append((step, figures))

    def close(self):
        self.told.append("closed")


@pytest.fixture
def fake(monkeypatch):
    made = Fake()
    monkeypatch.setattr(TRACKERS, "build", lambda spec: made)
    return made


def test_each_cell_is_told_with_its_figures(store, fake):
    track(store, "fake")
    steps = [told[0] for told in fake.told[:-1]]
    assert (steps, fake.told[-1]) == ([0, 1, 2], "closed")
    found = fake.told[2][1]
    assert found["accuracy/timm/net/fp32/cv-area_fog_3"] == 100
    assert found["network_s/timm/net/fp32/cv-area_fog_3"] == 1.5
    assert fake.runs[0].settings["grid"] == "tasks: [x]\n"


def test_what_knows_the_label_is_not_told_without_its_controls(store, fake):
    patched = [replace(CELLS[0], defense=text) for text in ("defensive-patch", "defensive-patch:control=random", "jpeg")]
    track(store, "fake", cells=[*CELLS, *patched], done=[CELLS[0], *patched])
    names = [name for _, found in fake.told[:-1] for name in found if name.startswith("accuracy/")]
    assert names == ["accuracy/timm/net/mse_w4a4/fog_3/none", "accuracy/timm/net/mse_w4a4/fog_3/jpeg"]


def test_names_tell_apart_what_a_grid_has_several_of(store, fake):
    cells = [cell(), cell(seed=1)]
    track(store, "fake", cells=cells, done=cells)
    names = [name for _, found in fake.told[:-1] for name in found if name.startswith("accuracy/")]
    assert names == ["accuracy/timm/net/mse_w4a4/fog_3/seed 0", "accuracy/timm/net/mse_w4a4/fog_3/seed 1"]


def test_figures_are_those_of_the_rows():
    found = figures(rows("c", 3) + rows("c", 1, correct=False, prediction=0), Times())
    assert (found["accuracy"], found["n"]) == (75, 4)
    assert found["accuracy_low"] < 75 < found["accuracy_high"]
    assert found["loss"] == pytest.approx(0.1)


def test_a_resumed_run_goes_on_in_the_trackers_own(store, fake):
    track(store, "fake", done=CELLS[:1])
    track(store, "fake", done=CELLS[1:])
    assert [run.before for run in fake.runs] == ["", "known"]


def test_a_tracker_that_fails_is_left_out_and_the_run_goes_on(store, fake):
    fake.fails = "the server is down"
    with pytest.warns(UserWarning, match="the server is down. The rows are safe"):
        with Tracking(["fake"], store, "", CELLS) as tracking:
            tracking(CELLS[0], rows(), Times())
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                tracking(CELLS[1], rows(), Times())


def test_a_tracker_that_cannot_begin_is_told_before_anything_runs(store, fake, monkeypatch):
    monkeypatch.setattr(fake, "begin", lambda run: 1 / 0)
    with pytest.raises(SpecError, match="'fake' cannot begin: ZeroDivisionError"), Tracking(["fake"], store, "", CELLS):
        pass


def test_mlflow_has_them(store, tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow import MlflowClient

    uri = (tmp_path / "mlruns").as_uri()
    track(store, f'mlflow:uri="{uri}"', done=CELLS[:2])
    track(store, f'mlflow:uri="{uri}"', done=CELLS[2:])
    client = MlflowClient(uri)
    [run] = client.search_runs([client.get_experiment_by_name("bitproof").experiment_id])
    assert run.data.metrics["accuracy/timm/net/fp32/fog_3"] == 100
    assert len([name for name in run.data.metrics if name.startswith("accuracy/")]) == 3
    assert run.data.params["grid"] == "tasks: [x]\n"
    assert run.info.status == "FINISHED"


def test_tensorboard_has_them(store):
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    track(store, "tensorboard")
    found = EventAccumulator(str(store.path / "tensorboard")).Reload()
    [event] = found.Scalars("accuracy/timm/net/fp32/cv-area_fog_3")
    assert (event.step, event.value) == (2, 100)


def test_wandb_keeps_them_offline(store, monkeypatch):
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    track(store, "wandb")
    [file] = store.path.glob("wandb/offline-run-*/*.wandb")
    end = time.monotonic() + 60  # another process writes it
    while file.read_bytes().count(b"accuracy/timm/net") < 2 and time.monotonic() < end:
        time.sleep(0.2)
    assert file.read_bytes().count(b"accuracy/timm/net") >= 2  # a name may be cut where a block of the file ends
    assert store.tracked("wandb")


@pytest.mark.parametrize(
    ("spec", "says"), [("neptune", "Unknown tracker 'neptune'"), ("wandb:mode=loud", "offline or online"), ("mlflow:url=x", "uri")]
)
def test_what_makes_no_sense_is_refused(spec, says, store):
    with pytest.raises(SpecError, match=says):
        Tracking([spec], store, "", CELLS)


@pytest.mark.parametrize("name", ["mlflow", "wandb", "tensorboard"])
def test_what_is_not_installed_is_named(name, store, monkeypatch):
    for module in ("mlflow", "wandb", "torch.utils.tensorboard"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(MissingExtra, match=rf"bitproof\[{name}\]"), Tracking([name], store, "", CELLS):
        pass


def test_what_trackers_call_a_run_is_kept(store):
    store.write_tracked("a", "1")
    store.write_tracked("b:uri=x", "2")
    assert (store.tracked("a"), store.tracked("b:uri=x"), store.tracked("c")) == ("1", "2", "")
    assert json.loads((store.path / "tracked.json").read_text()) == {"a": "1", "b:uri=x": "2"}
