"""A run on a cluster: the rows of a local one, whatever dies meanwhile."""

import threading
import time
from collections import defaultdict, deque
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from polars.testing import assert_frame_equal

import bitproof as bp
from bitproof.bench.executors import executor
from bitproof.bench.executors.ray import _Driver, _Piece
from bitproof.core import MissingExtra, SampleRow, SpecError
from bitproof.results import Store

pytest.importorskip("ray", reason="the extra ray is not installed")

KEY = ["variant", "noise", "sample"]

#: A network that ends the first worker that runs it; in the process that starts the run it is as good as any.
FRAGILE = """
import os, pathlib, sys
import torch
from torch import nn

class Fragile(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))

    def forward(self, x):
        died = pathlib.Path(__file__).with_name("died")
        if "default_worker" in sys.argv[0] and not died.exists():
            died.touch()
            os._exit(1)
        return self.net(x)
"""


class SimpleVariant(NamedTuple):
    id: str


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr("bitproof.bench.executors.ray.PIECE_S", 1e-6)


def rows(path):
    return bp.results.load(path).sort(KEY)


def fragile(grid, tmp_path, code=FRAGILE):
    """The text of ``grid`` with a network of ``code``, as it is."""
    (tmp_path / "fragile.py").write_text(code)
    text = grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', "[fp32]")
    before, _, rest = text.partition("python:")
    return f"{before}python:{tmp_path}/fragile.py#Fragile{rest[rest.index('#build') + len('#build') :]}"


def test_a_piece_that_failed_with_one_network_waits_for_no_other():
    driver = object.__new__(_Driver)
    driver.networks, driver.waiting, driver.missing, driver.ready = {}, defaultdict(list), {}, deque()
    driver.open, driver.ray, failed = {}, SimpleNamespace(put=dict), []
    store = SimpleNamespace(write_variant_files=lambda *_: None)
    driver.work = SimpleNamespace(store=store, tell=lambda *_: None, fail=lambda cell, error: failed.append(cell))
    pieces = [_Piece("cell", 0, 1), _Piece("other", 0, 1)]
    driver.open = {"cell": 1, "other": 1}
    driver._line_up(pieces[0], {SimpleVariant("a"), SimpleVariant("b")})
    driver._line_up(pieces[1], {SimpleVariant("b")})
    driver._fail(SimpleVariant("a"), ValueError())
    driver._made(SimpleVariant("b"), {})
    assert failed == ["cell"] and list(driver.ready) == [pieces[1]]


def test_rows_are_those_of_a_local_run(grid, tmp_path, small_pieces):
    """Calibrated and trained networks, an attack with its evidence; a piece a batch. One cell was begun by an earlier run."""
    assert bp.run(grid, tmp_path / "local").failed == 0
    begun = bp.results.load(tmp_path / "local").filter(noise="pixelate:2", recipe="mse:w4a4").head(8)
    Store.create(tmp_path / "ray").write_part(begun["cell"][0], 0, [SampleRow(**row) for row in begun.to_dicts()])
    outcome = bp.run(grid, tmp_path / "ray", executor="ray")
    assert (outcome.cells, outcome.already, outcome.failed) == (28, 0, 0)
    assert_frame_equal(rows(tmp_path / "local"), rows(tmp_path / "ray"))
    assert sum(times.samples for noise, times in outcome.times if noise == "pixelate:2") == 4 * 24 - 8
    assert Store.open(tmp_path / "ray").gallery() == Store.open(tmp_path / "local").gallery()


def test_what_a_dead_worker_had_in_hand_is_done_again(grid, tmp_path):
    text = fragile(grid, tmp_path)
    assert bp.run(text, tmp_path / "ray", executor="ray").failed == 0
    assert (tmp_path / "died").exists()
    assert bp.run(text, tmp_path / "local").failed == 0
    assert_frame_equal(rows(tmp_path / "local"), rows(tmp_path / "ray"))


def test_a_cell_that_fails_there_is_recorded_and_the_others_go_on(grid, tmp_path):
    """A network that refuses dark pictures, in a worker only."""
    code = FRAGILE.replace("os._exit(1)", "raise ValueError('not today')").replace(
        "not died.exists()", "x.mean() < -1.5 and len(x) > 2"
    )
    text = fragile(grid, tmp_path, code)
    outcome = bp.run(text[: text.index("noises:")] + "noises: [clean, range-1]\nlimit: 8\n", tmp_path / "ray", executor="ray")
    assert (outcome.cells, outcome.failed) == (2, 1)
    [failure] = Store.open(tmp_path / "ray").failures()
    assert (failure["noise"], failure["error"]) == ("range-1", "ValueError: not today")


@pytest.mark.slow
def test_a_node_may_be_lost(grid, tmp_path, small_pieces):
    """Two machines (raylets of their own on loopback) join a head without processors; one is killed in the middle."""
    from ray.cluster_utils import Cluster

    assert bp.run(grid, tmp_path / "local").failed == 0
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    killed = []

    def kill():
        while len(list((tmp_path / "ray").glob("rows/*.parquet"))) < 4:
            time.sleep(0.05)
        cluster.remove_node(nodes[1], allow_graceful=False)
        killed.append(len(list((tmp_path / "ray").glob("rows/*.parquet"))))

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        outcome = bp.run(grid, tmp_path / "ray", executor=f"ray:address={cluster.address}")
    finally:
        cluster.shutdown()
    assert outcome.failed == 0
    assert killed and killed[0] < 28
    assert_frame_equal(rows(tmp_path / "local"), rows(tmp_path / "ray"))


def test_chat_endpoints_are_refused_before_anything_is_asked(tmp_path):
    grid = {"tasks": ["vqa/pack:embedded"], "models": ["chat:http://localhost:9/v1#m"], "noises": ["clean"], "limit": 1}
    with pytest.raises(SpecError, match="A cluster is for networks"):
        bp.run(grid, tmp_path / "run", executor="ray")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("dask", "Unknown executor 'dask'"),
        ("ray:gpus=-1", "0 to 8 GPUs"),
        ("ray:cpus=2", "cpus"),
        ("local:address=x", "address"),
    ],
)
def test_an_executor_that_makes_no_sense_is_refused(spec, says):
    with pytest.raises(SpecError, match=says):
        executor(spec)


def test_no_cluster_at_the_address(grid, tmp_path):
    with pytest.raises(SpecError, match=r"There is no Ray cluster at '127\.0\.0\.1:9': .*refused"):
        bp.run(grid, tmp_path / "run", executor="ray:address=127.0.0.1:9")


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'bitproof\[ray\]'"):
        executor("ray")
