"""Texts through the same grid, store, figures and page as pictures: classes and numbers, noises at every site."""

import json

import polars as pl
import pytest
from tiny_bert import reviews, tiny_bert

import bitproof as bp
from bitproof import analysis, results
from bitproof.bench import Plan, classify, export_packed, load_grids, parse_grids, run, subject
from bitproof.bench.inputs import probe_of
from bitproof.core import ModelError, SpecError, digest
from bitproof.export import deploy, save_packed
from bitproof.models import load
from bitproof.report import write

pytest.importorskip("transformers", reason="the extra text")

GRID = """
tasks: ["text/glue:sst2,{dev}"]
train: "glue:sst2,{train}"
calibration: {{n: 8}}
models: ["transformers:{model},length=16"]
recipes: [float, "lsq:w4a4,products=same,embed=word", "bibert:w1a1"]
training: {{epochs: 8, batch_size: 16, optimizer: adamw, lr: 3e-3, distill: 0.5, teacher: float, start: teacher}}
noises: ["typos:3", "asr:1", "tokens:lower=false", "tokens:truncate=left+typos:1", bf16]
batch_size: 8
threads: 1
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    places = {
        "model": tiny_bert(folder / "tiny"),
        "train": reviews(folder / "train.tsv", 96, start=24),
        "dev": reviews(folder / "dev.tsv", 24),
    }
    (folder / "grid.yaml").write_text(GRID.format(**places), encoding="utf-8")
    run(folder / "grid.yaml", folder / "out")
    return folder


def test_every_cell_has_its_rows(made):
    folder = made
    rows = results.load(folder / "out")
    assert rows.group_by("recipe", "noise").len()["len"].unique().to_list() == [24]
    assert rows["noise"].n_unique() == 6 and rows["recipe"].n_unique() == 3
    assert set(rows.filter(pl.col("noise") == "typos:3")["family"]) == {"natural"}
    clean = rows.filter(pl.col("noise") == "clean").group_by("recipe").agg(pl.col("correct").mean())
    assert dict(clean.rows())["float"] > 0.9  # words decide, so that it can be learned
    packed = dict(results.variants(folder / "out").select("recipe", "packed_bytes").rows())
    assert packed["bibert:w1a1"] > 0 and packed["float"] is None


def test_figures_and_the_page(made):
    folder = made
    figures = analysis.metrics(results.load(folder / "out"))
    nr = analysis.summary(results.load(folder / "out")).filter(pl.col("figure") == "nr")
    assert nr["n"].to_list() == [24] * 3 and "2 of 40 cells of texts: asr, typos" in nr["note"][0]
    assert set(figures["metric"]) == {"accuracy", "f1", "matthews"} and len(figures) == 3 * 18
    page = write(folder / "out")
    text = page.read_text(encoding="utf-8")
    assert "typos" in text and "bibert" in text


def test_a_second_run_makes_nothing(made):
    folder = made
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*.parquet")}
    run(folder / "grid.yaml", folder / "out")
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*.parquet")} == before


def test_a_number_is_learned_scored_and_reported(tmp_path):
    model = tiny_bert(tmp_path / "tiny")
    words = ["bad", "poor", "fine", "good", "great", "very great"]
    for name, n in (("train", 60), ("dev", 18)):
        lines = [f"the film was {words[i % 6]} .\tthe film was very great .\t{i % 6 * 0.9:.2f}" for i in range(n)]
        (tmp_path / f"{name}.tsv").write_text("\n".join(["sentence1\tsentence2\tscore", *lines]), encoding="utf-8")
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        f'tasks: ["glue:stsb,{tmp_path / "dev.tsv"}"]\ntrain: "glue:stsb,{tmp_path / "train.tsv"}"\n'
        f'models: ["transformers:{model},classes=1,length=24"]\nrecipes: [float]\n'
        "training: {epochs: 40, batch_size: 12, optimizer: adamw, lr: 2e-3, warmup_epochs: 4}\nnoises: [clean]\nbatch_size: 8\n",
        encoding="utf-8",
    )
    run(grid, tmp_path / "out")
    rows = results.load(tmp_path / "out")
    assert rows["target"].max() == 4.5 and rows["value"].null_count() == 0
    figures = dict(analysis.metrics(rows).select("metric", "value").rows())
    assert figures["pearson"] > 50 and write(tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("noises: [fog:3]", "fits image"),
        ("noises: [cv-area]", "not the task's kind 'text'"),
        ("geometry: {size: 32}", "takes pictures is needed"),
    ],
)
def test_what_is_of_pictures_is_refused(made, tmp_path, line, says):
    text = (made / "grid.yaml").read_text(encoding="utf-8")
    key = line.partition(":")[0]
    kept = "\n".join(part for part in text.splitlines() if not part.startswith(key))
    (tmp_path / "grid.yaml").write_text(f"{kept}\n{line}\n", encoding="utf-8")
    with pytest.raises(SpecError, match=says):
        Plan(load_grids(tmp_path / "grid.yaml")[0])


def test_a_packed_encoder_stands_in_a_grid_beside_its_simulation(made, tmp_path):
    """The file holds its tokenizer: the folder that it came from is not asked again."""
    found = export_packed(subject(str(made / "out"), "bibert:w1a1", None, 1, None), tmp_path / "deployed", ["typos:3"])
    assert [comparison.gap.flipped for comparison in found.comparisons] == [0, 0]
    assert str(made) not in found.path.read_bytes().decode(errors="ignore")
    assert "tokenizer" not in json.loads((tmp_path / "deployed" / "export.json").read_text())["geometry"]
    network = load(f"packed:{found.path}")
    own = load(f"transformers:{made / 'tiny'},length=16")
    assert (network.form.length, network.form.digest, network.finished) == (16, own.form.digest, True)
    (tmp_path / "grid.yaml").write_text(
        f'tasks: ["text/glue:sst2,{made / "dev.tsv"}"]\nmodels: ["packed:{found.path}"]\nrecipes: [fp32]\n'
        'noises: ["typos:3", "tokens:lower=false", "tokens:truncate=left+typos:1"]\nbatch_size: 8\nthreads: 1\n',
        encoding="utf-8",
    )
    assert run(tmp_path / "grid.yaml", tmp_path / "out").failed == 0
    real, simulated = results.load(tmp_path / "out"), results.load(made / "out").filter(pl.col("recipe") == "bibert:w1a1")
    both = real.join(simulated, on=["noise", "sample"])
    assert len(both) == 4 * 24 and (both["prediction"] == both["prediction_right"]).all()
    (said,) = classify(f"packed:{found.path}", ["the film was great ."], labels=["bad", "good"])
    assert said.label in ("bad", "good") and 0.5 <= said.confidence <= 1
    (size,) = results.variants(tmp_path / "out")["size_bytes"]
    assert size == found.size_bytes == found.path.stat().st_size


@pytest.fixture(scope="module")
def packed(made):
    network = load(f"transformers:{made / 'tiny'},length=16")
    model = bp.quantize(network.module, "bibert:w1a1", [probe_of(network)]).model
    about = {**vars(network.form), "kind": "text", "tokenizer": (made / "tiny" / "tokenizer.json").read_text()}
    return deploy(model, probe_of(network)).model, about


@pytest.mark.parametrize(
    ("noise", "says"),
    [("hotflip:share=0.2", "gradient"), ("pgd-linf:eps=0.01", "gradient"), ("fog:3", "text"), ("fp16", "finished")],
)
def test_what_a_packed_encoder_cannot_is_refused(made, packed, tmp_path, noise, says):
    save_packed(packed[0], tmp_path / "packed.safetensors", packed[1])
    text = f'tasks: ["text/glue:sst2,{made / "dev.tsv"}"]\nmodels: ["packed:{tmp_path / "packed.safetensors"}"]\n'
    with pytest.raises(SpecError, match=says):
        Plan(parse_grids(f'{text}recipes: [fp32]\nnoises: ["{noise}"]\n')[0])


#: A file of this machine, with the right digest of its path: a packed network brings its tokenizer itself.
NAMED = {"tokenizer": "/etc/hostname", "digest": digest("/etc/hostname")}


@pytest.mark.parametrize("change", [{"digest": "0" * 12}, {"tokenizer": ""}, {"size": 3}, {"length": 1}, {"length": 3.5}, NAMED])
def test_a_packed_file_without_its_tokenizer_is_refused(packed, tmp_path, change):
    save_packed(packed[0], tmp_path / "packed.safetensors", {**packed[1], **change})
    with pytest.raises(ModelError, match="whole tokenizer"):
        load(f"packed:{tmp_path / 'packed.safetensors'}")
