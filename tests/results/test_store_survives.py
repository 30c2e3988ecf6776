"""Death, a full disk and company, each in a process of its own."""

import os
import signal
import time
import warnings

import pytest
from results_rows import files, rows, start

from bitproof.core import StoreError
from bitproof.results import Store, load

DIE_AT = """
import os, signal
from bitproof.results import Store
from results_rows import rows, variant
store, k = Store.open(sys.argv[1]), int(sys.argv[2])
from bitproof.results.cells import encode
from bitproof.results.schema import to_frame
encode(to_frame("warm", rows("warm")))
count = 0
def hook(event, arguments):
    global count
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "fcntl.flock", "os.listdir", "os.scandir"):
        count += 1
        if count == k:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
store.write_cell("old", rows("old", 3))
store.write_variant(variant("v9"), {"layers": []})
"""


def test_killed_at_each_step_it_loses_only_what_was_not_written(tmp_path):
    store = Store.create(tmp_path / "run")
    store.write_cell("other", rows("other"))
    code, step = -signal.SIGKILL, 0
    while code == -signal.SIGKILL:
        step += 1
        store.write_cell("old", rows("old", 5))
        store.write_failure("old", {"error": "x"})
        process = start(DIE_AT, store.path, step)
        _, error = process.communicate(timeout=60)
        code = process.returncode
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            counts = dict(load(store.path).group_by("cell").len().iter_rows())
        assert counts["other"] == 5 and counts["old"] in (3, 5)
        assert Store.open(store.path).failures() == []
        assert not [name for name in files(store.path) if ".writing-" in name]
    assert code == 0, error
    assert step > 10 and counts["old"] == 3


RUN = """
import itertools
from bitproof.results import Store
from results_rows import rows
store = Store.create(sys.argv[1])
with store.lock():
    print("ready", flush=True)
    for i in itertools.count(len(store.done())):
        store.write_cell(f"c{i}", rows(f"c{i}", 50))
"""


def test_killed_runs_resume_where_they_were(tmp_path):
    done = -1
    for delay_s in (0.05, 0.1, 0.15):
        written = len(files(tmp_path / "run"))
        process = start(RUN, tmp_path / "run")
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        while len(files(tmp_path / "run")) <= written and process.poll() is None:
            time.sleep(0.01)  # a busy machine takes longer to write the first
        time.sleep(delay_s)
        process.kill()
        process.wait()
        process.communicate()
        cells = Store.open(tmp_path / "run").done()
        assert cells == {f"c{i}" for i in range(len(cells))} and len(cells) > done
        assert load(tmp_path / "run").height == 50 * len(cells)
        done = len(cells)


FULL = """
import resource
from bitproof.core import StoreError
from bitproof.results import Store
from results_rows import rows
store = Store.open(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
for write in (lambda: store.write_cell("a", rows("a", 9)), lambda: store.write_grid("x" * 1000)):
    try:
        write()
    except StoreError as error:
        print(error)
"""


def test_a_write_that_the_system_refuses_damages_nothing(tmp_path):
    store = Store.create(tmp_path / "run")
    store.write_cell("a", rows("a", 2))
    store.write_grid("a: 1\n")
    before = {name: (store.path / name).read_bytes() for name in files(store.path)}
    output, error = start(FULL, store.path).communicate(timeout=60)
    assert error == "" and output.count("cannot be written: File too large") == 2 and str(store.path) in output
    after = {name: (store.path / name).read_bytes() for name in files(store.path)}
    assert before.items() <= after.items() and not [name for name in after if ".writing-" in name]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission_is_an_error(tmp_path):
    store = Store.create(tmp_path / "run")
    store.path.chmod(0o555)
    with pytest.raises(StoreError, match="Permission denied"):
        store.write_cell("a", rows("a"))
    store.path.chmod(0o755)


HOLD = """
import os, time
from bitproof.results import Store
with Store.create(sys.argv[1]).lock():
    if sys.argv[2] == "fork":
        receive, send = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(send, b".")
            time.sleep(60)
            os._exit(0)
        os.read(receive, 1)  # the worker runs: what Python does in a new fork is behind it
        print(pid, flush=True)
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_second_runner_is_told_who_holds_the_directory(tmp_path):
    process = start(HOLD, tmp_path / "run", "alone")
    assert process.stdout.readline() == "ready\n"
    store = Store.create(tmp_path / "run")
    with pytest.raises(StoreError, match=f"in use by process {process.pid}"), store.lock():
        pass
    process.kill()
    process.communicate()
    with store.lock():
        with pytest.raises(StoreError, match=f"process {os.getpid()}"), store.lock():
            pass
    with store.lock():
        pass


def test_a_worker_that_outlives_its_runner_does_not_hold_the_directory(tmp_path):
    process = start(HOLD, tmp_path / "run", "fork")
    worker = int(process.stdout.readline())
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.wait()
    try:
        os.kill(worker, 0)
        with Store.create(tmp_path / "run").lock():
            pass
    finally:
        os.kill(worker, signal.SIGKILL)
        process.communicate()


WRITE = """
from bitproof.results import Store
from results_rows import rows
for i in range(40):
    Store.create(sys.argv[1]).write_cell(f"c{i % 7}", rows(f"c{i % 7}", 1 + i % 3))
"""


def test_writers_without_the_lock_do_not_harm_each_other(tmp_path):
    writers = [start(WRITE, tmp_path / "run") for _ in range(3)]
    errors = [writer.communicate(timeout=60)[1] for writer in writers]
    assert errors == ["", "", ""]
    assert Store.open(tmp_path / "run").done() == {f"c{i}" for i in range(7)}


def test_what_a_dead_writer_left_is_removed_and_what_a_live_one_writes_is_not(tmp_path):
    import fcntl

    store = Store.create(tmp_path / "run")
    folder = store.variant_dir("v1")
    (folder / ".writing-dead").write_text("x")
    with (folder / ".writing-live").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        Store.open(store.path)
        assert files(folder) == {".writing-live"}


def test_results_and_analysis_import_without_torch():
    script = "sys.modules['torch'] = None\nimport bitproof.results, bitproof.analysis\nprint('ok')"
    output, error = start(script).communicate(timeout=60)
    assert output == "ok\n", error
