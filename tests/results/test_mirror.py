"""A results directory at a URL: what was finished is there, whole, and comes back on another machine."""

import fsspec
import pytest
from results_rows import rows, variant

from bitproof.core import MissingExtra, StoreError
from bitproof.results import Mirror, Store, compact, imagenet, is_url, load, located, replies, variants


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Be another machine: one whose copies lie elsewhere."""

    def be(name):
        monkeypatch.setenv("BITPROOF_CACHE", str(tmp_path / name))

    be("one")
    yield be
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(params=["memory", "file", "s3", "gs"])
def url(request, tmp_path, machine):
    here = {"memory": "memory://there/run", "file": f"file://{tmp_path}/there/run"}
    return here[request.param] if request.param in here else request.getfixturevalue(request.param)


@pytest.fixture
def s3(monkeypatch):
    """An S3 of this process."""
    pytest.importorskip("s3fs", reason="the extra s3 is not installed")
    pytest.importorskip("flask_cors", reason="moto's server is not installed (pip install 'moto[s3]' flask-cors)")
    server = pytest.importorskip("moto.server", reason="moto is not installed").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
    fsspec.filesystem("s3").mkdir("bucket")
    yield "s3://bucket/runs/first"
    server.stop()


@pytest.fixture
def gs(monkeypatch):
    """A Google Cloud Storage of this process."""
    gcsfs = pytest.importorskip("gcsfs", reason="the extra gcs is not installed")
    emulator = pytest.importorskip("gcp_storage_emulator.server", reason="gcp-storage-emulator is not installed")
    server = emulator.create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    server.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server._api._httpd.server_port}")
    gcsfs.GCSFileSystem.clear_instance_cache()
    yield "gs://bucket/runs/first"
    gcsfs.GCSFileSystem.clear_instance_cache()
    server.stop()


def fill(url):
    mirror = Mirror(url)
    assert not mirror.pull()
    store = Store.create(mirror.local)
    store.write_cell("c1", rows("c1"))
    store.write_variant(variant("v1"), {"layers": []})
    store.write_failure("c2", {"error": "x"})
    store.write_grid("a: 1\n")
    mirror.push()
    return mirror, store


def test_it_comes_back_on_another_machine_and_goes_on_there(url, machine):
    fill(url)
    machine("two")
    assert load(url).height == 5
    mirror = Mirror(url)
    assert mirror.pull()
    store = Store.open(mirror.local)
    assert (store.done(), store.grid(), [each["cell"] for each in store.failures()]) == ({"c1"}, "a: 1\n", ["c2"])
    store.write_cell("c2", rows("c2"))
    store.write_grid("a: 2\n")
    mirror.push()
    machine("one")
    assert set(load(url)["cell"]) == {"c1", "c2"}
    assert Store.open(located(url)).grid() == "a: 2\n"
    machine("three")
    assert not list(located(url).glob("failures/*"))  # it was removed there too


def test_a_failure_that_was_tried_again_elsewhere_does_not_come_back(machine):
    url = "memory://there/run"
    fill(url)
    assert list(located(url).glob("failures/*"))
    machine("two")
    mirror = Mirror(url)
    mirror.pull()
    Store.open(mirror.local).write_cell("c2", rows("c2"))
    mirror.push()
    machine("one")
    assert not list(located(url).glob("failures/*"))
    again = Mirror(url)
    again.pull()
    again.push()
    machine("three")
    assert not list(located(url).glob("failures/*"))


def test_reading_changes_nothing_of_a_run_on_the_same_machine(machine):
    mirror, store = fill("memory://there/run")
    store.write_log({"cell": "c3"})
    store.write_tracked("mlflow", "x")
    store.write_failure("c4", {"error": "x"})
    assert load("memory://there/run").height == 5
    assert located("memory://there/run") != mirror.local
    assert (store.log(), store.tracked("mlflow")) == ([{"cell": "c3"}], "x")
    assert [each["cell"] for each in store.failures()] == ["c2", "c4"]


def test_only_what_is_new_travels(machine, monkeypatch):
    mirror, store = fill("memory://there/run")
    put = []
    monkeypatch.setattr(mirror._files, "pipe_file", lambda name, data: put.append(name.rpartition("/")[2]))
    mirror.push()
    assert put == []
    store.write_cell("c3", rows("c3"))
    mirror.push()
    assert len(put) == 1 and put[0].startswith("c3-")


def test_what_is_unfinished_stays_here(machine):
    mirror, store = fill("memory://there/run")
    store.write_part("c9", 0, rows("c9"))
    store.asked().close()
    (store.path / ".writing-x").write_text("x")
    (store.variant_dir("v2") / "checkpoint.pt").write_text("x")
    with store.lock():
        mirror.push()
    there = fsspec.filesystem("memory").find("/there/run")
    assert len(there) > 4
    assert not [name for name in there if any(word in name for word in ("begun", "asked", ".writing", "checkpoint", ".lock"))]


def test_what_is_no_result_stays_here(machine, tmp_path):
    """What trackers write for themselves, and links, which may lead anywhere."""
    mirror, store = fill("memory://there/run")
    (tmp_path / "secret").write_text("x")
    for name in ("wandb/offline-run-1/run.wandb", "tensorboard/events", "kept"):
        (store.path / name).parent.mkdir(parents=True, exist_ok=True)
        (store.path / name).write_text("x")
    (store.path / "link").symlink_to(tmp_path / "secret")
    (store.path / "dangling").symlink_to(tmp_path / "nothing")
    mirror.push()
    there = {name.rpartition("/there/run/")[2] for name in fsspec.filesystem("memory").find("/there/run")}
    assert "kept" in there and not [name for name in there if name.startswith(("wandb", "tensorboard", "link", "dangling"))]


def test_a_file_that_goes_away_meanwhile_is_one_message(machine, monkeypatch):
    mirror, _ = fill("memory://there/run")
    monkeypatch.setattr(mirror, "_names", lambda: ["gone"])
    with pytest.raises(StoreError, match=r"cannot be written.*No such file"):
        mirror.push()


def test_every_reader_takes_a_url(machine, tmp_path):
    mirror, store = fill("memory://there/run")
    store.write_replies("c1", [])
    mirror.push()
    machine("two")
    url = "memory://there/run"
    assert load(url).height == 5 and replies(url).is_empty()
    assert variants(url)["variant"].to_list() == ["v1"] and imagenet(url) == {"imagenet:/data"}
    assert compact(url, tmp_path / "small").done() == {"c1"}
    for read in (load, variants, imagenet, replies):
        with pytest.raises(StoreError, match="'memory://nothing/here' is no results directory"):
            read("memory://nothing/here")


def test_what_says_that_a_thing_is_whole_comes_last(machine, monkeypatch):
    mirror = Mirror("memory://there/run")
    mirror.pull()
    store = Store.create(mirror.local)
    store.write_variant(variant("v1"), {"layers": []})
    put = []
    monkeypatch.setattr(mirror._files, "pipe_file", lambda name, data: put.append(name.rpartition("/")[2]))
    mirror.push()
    assert put == ["report.json", "row.json", "store.json"]


def test_an_object_with_a_name_that_climbs_is_refused(machine):
    fill("memory://there/run")
    fsspec.filesystem("memory").store["/there/run/rows/../../../x"] = fsspec.filesystem("memory").store["/there/run/grid.yaml"]
    machine("two")
    with pytest.raises(StoreError, match="outside of the results directory"):
        located("memory://there/run")


@pytest.mark.parametrize(
    ("url", "error", "says"),
    [
        ("memory://nothing/here", StoreError, "no results directory"),
        ("nonsense://x/y", StoreError, "cannot be opened"),
        ("s3:///", StoreError, "s3"),
    ],
)
def test_what_cannot_be_read_is_one_message(url, error, says, machine):
    with pytest.raises(error, match=says):
        located(url)


def test_a_file_system_that_is_not_installed_is_named(monkeypatch, machine):
    def missing(url, **_):
        raise ModuleNotFoundError("No module named 'gcsfs'", name="gcsfs")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(MissingExtra, match=r"pip install 'bitproof\[gcs\]'"):
        located("gs://bucket/run")


def test_a_store_that_fails_loses_nothing(machine, monkeypatch):
    mirror, store = fill("memory://there/run")
    store.write_cell("c3", rows("c3"))

    def down(*_):
        raise OSError("the network is down")

    with monkeypatch.context() as patch:
        patch.setattr(mirror._files, "pipe_file", down)
        with pytest.raises(StoreError, match="the network is down"):
            mirror.push()
    mirror.push()
    machine("two")
    assert set(load("memory://there/run")["cell"]) == {"c1", "c3"}


def test_a_path_is_no_url(tmp_path):
    assert not is_url(tmp_path) and not is_url(str(tmp_path)) and is_url("s3://a/b")
    assert located(tmp_path) == tmp_path
