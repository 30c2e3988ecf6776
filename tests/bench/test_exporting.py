"""A network out of a run, or made now, becomes a file and a comparison; what is not clear is refused."""

import json

import pytest

import bitproof as bp
from bitproof.bench import export, subject
from bitproof.cli.exported import lines
from bitproof.core import BitproofError, SpecError, StoreError
from bitproof.models import load

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


@pytest.fixture(scope="module")
def run(grid, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "run"
    text = grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', '[fp32, "minmax:w8a8", "minmax:w3a3"]')
    text = text[: text.index("noises:")] + 'noises: [clean, "pixelate:2", int8-ort]\nlimit: 8\nbatch_size: 8\nthreads: 1\n'
    assert bp.run(text, out).failed == 0
    return out


@pytest.fixture(scope="module")
def model(model_file):
    return f"python:{model_file}#build,size=32,mean=imagenet,std=imagenet,classes=4"


def test_a_variant_of_a_run(run, tmp_path):
    found = export(subject(str(run), "minmax:w8a8", None, 1, None), tmp_path / "new" / "out", ["pixelate:2"], limit=8)
    assert [c.noise for c in found.comparisons] == ["clean", "pixelate:2"] and all(c.gap.n == 8 for c in found.comparisons)
    assert len(found.exported.layers) == 3 and all(layer.kernel for layer in found.exported.layers)
    rows = bp.results.load(run).filter(recipe="minmax:w8a8").sort("sample")
    one, other = rows.filter(noise="clean")["prediction"], rows.filter(noise="int8-ort")["prediction"]
    assert found.comparisons[0].gap.flipped == (one != other).sum()
    written = json.loads((tmp_path / "new" / "out" / "export.json").read_text())
    assert written["recipe"] == "minmax:w8a8" and written["comparisons"][1]["layers"]["net.0"]["mean"] >= 0
    text = "\n".join(lines(found))
    for part in ("3 of 3 low-bit layers multiply integers", "onnxruntime", "pixelate:2: ", "net.3"):
        assert part in text
    at = f"onnx:{found.path},size=32"
    assert at in text and load(at).classes == 4


def test_a_float_variant_and_one_found_by_its_id(run, tmp_path):
    found = export(subject(str(run), "fp32", None, 1, None), tmp_path, limit=8)
    assert found.exported.layers == () and found.comparisons[0].gap.logits.largest < 1e-4
    variant = bp.results.variants(run).filter(recipe="minmax:w3a3")["variant"].item()
    assert subject(str(run), variant[:6], None, 1, None).recipe == "minmax:w3a3"


def test_a_model_made_now(model, pictures, more, tmp_path):
    made = subject(model, "minmax:w8a8", f"imagefolder:{pictures}", 40, None)
    assert len(made.samples(64)) == 8  # of 48, those that it was not calibrated on
    elsewhere = subject(model, "minmax:w8a8", f"imagefolder:{pictures}", 40, f"imagefolder:{more}")
    assert len(elsewhere.samples(64)) == 48
    alone = export(subject(model, "fp32", None, 1, None), tmp_path)
    assert alone.comparisons[0].gap.n == 2


def test_a_float_recipe_is_not_timed_and_that_is_said_before_anything_is_compared(model, tmp_path, monkeypatch):
    monkeypatch.setattr("bitproof.bench.exporting.inputs_under", lambda *_: 1 / 0)
    with pytest.raises(SpecError, match="leaves every layer float"):
        export(subject(model, "fp32", None, 1, None), tmp_path, measure=True)


def test_what_is_not_clear_is_refused(run, model, pictures, tmp_path):
    given = subject(str(run), "minmax:w8a8", None, 1, None)
    folder = f"imagefolder:{pictures}"
    for error, part, do in [
        (SpecError, "several variants", lambda: subject(str(run), None, None, 1, None)),
        (StoreError, "no variant 'lsq:w4a4'", lambda: subject(str(run), "lsq:w4a4", None, 1, None)),
        (StoreError, "no results directory", lambda: subject(str(pictures), "fp32", None, 1, None)),
        (SpecError, "needs a recipe", lambda: subject(model, None, None, 1, None)),
        (SpecError, "--calibration", lambda: subject(model, "minmax:w8a8", None, 1, None)),
        (BitproofError, "1000 calibration pictures", lambda: subject(model, "minmax:w8a8", folder, 1000, None)),
        (SpecError, "no noise on samples", lambda: export(given, tmp_path, ["pixelate:2+bf16"])),
        (SpecError, "severity", lambda: export(given, tmp_path, ["fog"])),
        (SpecError, "--data", lambda: export(subject(model, "fp32", None, 1, None), tmp_path, ["fog:3"])),
        (SpecError, "int32 or float", lambda: export(given, tmp_path, bias="int16")),
        (StoreError, "cannot be written", lambda: export(given, run / "grid.yaml", limit=2)),
    ]:
        with pytest.raises(error, match=part):
            do()
    assert not list(tmp_path.iterdir())
