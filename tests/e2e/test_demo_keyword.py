"""``bitproof demo --task keyword``: a folder of clips becomes rows and a page; and, slow, what the synthesizer says."""

import io

import numpy as np
import pytest

import bitproof as bp
from bitproof.cli.demo import Kind, command
from bitproof.core import SpecError

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
pytest.importorskip("soxr", reason="soxr is not installed")

CONTROL = "zoo/bifsmn-kws12-mse-w8a8"


@pytest.fixture
def clips(tmp_path):
    for i, word in enumerate(("yes", "no", "house")):
        path = tmp_path / "clips" / word / f"{i}.flac"
        path.parent.mkdir(parents=True)
        file = io.BytesIO()
        soundfile.write(file, 0.1 * np.sin(np.arange(30_000) * 0.05 * (i + 1)), 44_100, format="FLAC")
        path.write_bytes(file.getvalue())
    return tmp_path / "clips"


def test_a_folder_of_clips_becomes_rows_and_a_page(clips, tmp_path, capsys):
    command(tmp_path / "out", Kind.keyword, clips)
    rows = bp.results.load(tmp_path / "out")
    assert set(rows["label"]) == {1, 2, 3} and set(rows["model"]) == {CONTROL}
    assert set(rows["recipe"]) == {"given:w8a8", "bnn:w1a1", "bifsmn:w1a1", "bifsmnv2:w1a2"}
    made = bp.results.variants(tmp_path / "out")
    assert set(made["recipe"]) == set(rows["recipe"]) and made["size_bytes"].max() < 1e6
    assert set(bp.analysis.accuracy(rows)["control"]) == {"given:w8a8"}
    said = capsys.readouterr().out
    assert said.count("Clean words under") == 4 and "of 3" in said
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "bifsmnv2:w1a2" in page and "synthesizer" not in page


def test_a_control_that_is_not_there_is_refused(clips, tmp_path):
    model = f"zoo/bifsmn-kws12-bnn-w1a1:of={CONTROL}"
    grid = {"tasks": [f"audiofolder:{clips},classes=12"], "models": [model], "recipes": ["fp32"], "noises": ["clean"]}
    with pytest.raises(SpecError, match="names no model of this grid"):
        bp.run(grid, tmp_path / "out")
    with pytest.raises(SpecError, match="no low-bit version"):
        bp.model("zoo/resnet20-cifar10-float:of=resnet20")


@pytest.mark.slow
def test_synthesized_words_are_recognised(tmp_path):
    pytest.importorskip("espeakng_loader", reason="espeakng-loader is not installed")
    command(tmp_path / "out", Kind.keyword, None)
    clean = bp.analysis.accuracy(bp.results.load(tmp_path / "out").filter(family="clean"))
    found = dict(clean.select("recipe", "low").iter_rows())
    assert found["given:w8a8"] > 70 and min(found.values()) > 50  # chance is 8.3 %
    assert "synthesizer" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
