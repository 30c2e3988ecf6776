"""A results directory at a URL: what was finished is there, whole, and comes back on another machine."""

import fsspec
import pytest
from results_rows import rows, variant

from bitproof.core import MissingExtra, StoreError
from bitproof.results import Mirror, Store, is_url, load, located


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Be another machine: one whose copies lie elsewhere."""

    def be(name):
        monkeypatch.setenv("BITPROOF_CACHE", str(tmp_path / name))

    be("one")
    yield be
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(params=["memory", "file", "s3"])
def url(request, tmp_path, machine):
    if request.param == "s3":
        pytest.importorskip("s3fs", reason="the extra s3 is not installed")
        server = pytest.importorskip("moto.server", reason="moto is not installed")
        pytest.importorskip("flask_cors", reason="moto's server is not installed")
        return request.getfixturevalue("bucket")(server)
    return {"memory": "memory://there/run", "file": f"file://{tmp_path}/there/run"}[request.param]


@pytest.fixture
def bucket(monkeypatch):
    """An S3 of this process."""
    servers = []

    def start(server):
        for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}.items():
            monkeypatch.setenv(name, value)
        servers.append(server.ThreadedMotoServer(port=0, verbose=False))
        servers[0].start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*servers[0].get_host_and_port()))
        fsspec.filesystem("s3").mkdir("bucket")
        return "s3://bucket/runs/first"

    yield start
    for each in servers:
        each.stop()


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
