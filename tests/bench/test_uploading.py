"""A run at a URL: uploads that fail do not end it, and the processes that help it work where it works."""

import fsspec
import pytest

import bitproof as bp
from bitproof.bench import check, runner, uploading
from bitproof.bench.uploading import Uploading, placed
from bitproof.bench.variants import Variants
from bitproof.core import StoreError

URL = "memory://there/run"


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    monkeypatch.setenv("BITPROOF_CACHE", str(tmp_path / "cache"))
    yield
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def request_text(grid):
    text = grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', "[fp32]")
    return text[: text.index("noises:")] + "noises: [clean]\nlimit: 8\nbatch_size: 8\nthreads: 1\n"


def test_a_helper_works_where_the_first_process_does(request_text, monkeypatch):
    assert bp.run(request_text, URL).failed == 0
    helped = []
    monkeypatch.setattr(runner, "helps", lambda: True)
    monkeypatch.setattr(runner, "announced", lambda: iter(bp.results.variants(URL)["variant"]))
    monkeypatch.setattr(Variants, "help", lambda self, variant: helped.append(self.store.path))
    bp.run(request_text, URL)
    with placed(URL) as (folder, _):
        assert helped == [folder]


def test_what_reads_a_run_takes_its_url(request_text, tmp_path):
    assert bp.run(request_text, URL).failed == 0
    assert "failed" not in {each.state for each in check(URL, 0)}
    for written in (bp.report.write(URL), bp.report.write_leaderboard([URL], tmp_path / "site")):
        assert "fp32" in written.read_text()


def test_an_upload_that_fails_is_a_warning_and_is_tried_again(monkeypatch):
    with placed(URL) as (folder, [upload]):
        assert isinstance(upload, Uploading)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "grid.yaml").write_text("a: 1\n")
        upload()  # it is not time yet
        monkeypatch.setattr(uploading, "EVERY_S", 0.0)
        with monkeypatch.context() as patch:
            patch.setattr(upload.mirror, "_names", lambda: ["gone"])
            with pytest.warns(UserWarning, match="No such file.*tried again"):
                upload()
        assert fsspec.filesystem("memory").find("/there/run") == []
        upload()
        assert fsspec.filesystem("memory").find("/there/run") == ["/there/run/grid.yaml"]


def test_a_url_that_cannot_be_is_one_message(request_text):
    with pytest.raises(StoreError, match="cannot be opened"):
        bp.run(request_text, "nonsense://x/y")
