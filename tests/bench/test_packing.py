"""A binarized network becomes a packed file and a comparison, and stands in a grid beside its simulation."""

import json

import pytest

import bitproof as bp
from bitproof.bench import export_packed, subject
from bitproof.cli.exported import packed_lines
from bitproof.core import ModelError, SpecError

RECIPE = "bireal:w1a1,relu=hardtanh"


@pytest.fixture(scope="module")
def model(model_file):
    return f"python:{model_file}#build,size=32,mean=imagenet,std=imagenet,classes=4"


def test_a_model_made_now_is_written_and_compared(model, pictures, tmp_path):
    found = export_packed(subject(model, RECIPE, f"imagefolder:{pictures}", 8, None), tmp_path / "new", ["pixelate:2"], limit=8)
    assert [c.noise for c in found.comparisons] == ["clean", "pixelate:2"] and all(c.gap.n == 8 for c in found.comparisons)
    assert found.comparisons[0].gap.flipped == 0 and found.report.packed == 1
    assert found.size_bytes == found.path.stat().st_size
    written = json.loads((tmp_path / "new" / "export.json").read_text())
    assert written["recipe"].startswith("bireal:w1a1") and sum(layer["packed"] for layer in written["layers"]) == 1
    text = "\n".join(packed_lines(found))
    for part in (f"{found.size_bytes:,} bytes on disk", "1 of 3 layers packed", "kernels: ", f"packed:{found.path}"):
        assert part in text


def test_in_a_grid_it_is_a_finished_session(model, pictures, tmp_path):
    simulated = subject(model, RECIPE, f"imagefolder:{pictures}", 8, None)
    packed = export_packed(simulated, tmp_path, limit=1).path
    text = f'tasks: ["imagefolder:{pictures}"]\nmodels: ["packed:{packed}"]\n'
    text += 'recipes: [fp32]\nnoises: [clean, "pixelate:2"]\nlimit: 4\n'
    assert bp.run(text, tmp_path / "run").failed == 0
    rows = bp.results.load(tmp_path / "run")
    assert rows["model"].unique().to_list() == [f"packed:{packed}"] and len(rows) == 8
    with pytest.raises(SpecError, match="finished"):
        subject(f"packed:{packed}", "fp32", None, 1, None)


def test_what_is_not_binarized_cannot_be_packed(model, pictures, tmp_path):
    with pytest.raises(ModelError, match="256 codes"):
        export_packed(subject(model, "minmax:w8a8", f"imagefolder:{pictures}", 8, None), tmp_path)
    with pytest.raises(ModelError, match="bireal:w1a1"):
        export_packed(subject(model, "fp32", None, 1, None), tmp_path)
