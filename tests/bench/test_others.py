"""Noises that need other networks: which are made, what they move, and the evidence beside every attack."""

import polars as pl
import pytest

import bitproof as bp
from bitproof.bench import Plan, parse_grids, predict
from bitproof.core import BitproofError, UnknownName


@pytest.fixture
def text(grid):
    return grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', '[fp32, "mse:w4a4"]')


def plan(text):
    [grid] = parse_grids(text)
    return Plan(grid)


def with_noises(text, *noises):
    start = text.index("noises:")
    return text[:start] + f"noises: [{', '.join(noises)}]\n" + text[text.index("limit:") :]


def named(text):
    return {(c.noise, str(c.variant.recipe)): c for c in plan(text).cells}


def test_evidence_stands_beside_every_attack_and_nowhere_else(text):
    assert {c.noise for c in plan(with_noises(text, "clean", "cv-nearest")).cells} == {"clean", "cv-nearest"}
    cells = plan(with_noises(text, "clean", '"fgsm-linf:eps=1/255"')).cells
    assert [c.noise for c in cells] == ["clean"] * 2 + ["evidence"] * 2 + ["fgsm-linf:eps=1/255"] * 2
    assert {(c.family, c.limit) for c in cells if c.noise == "evidence"} == {("evidence", 8)}


def test_a_network_that_only_a_noise_needs_is_made_and_has_no_cells(text):
    made = plan(with_noises(text, '"transfer-linf:eps=8/255,of=\\"minmax:w8a8\\""'))
    assert [str(v.recipe) for v in made.variants] == ["fp32", "mse:w4a4"]
    assert [str(v.recipe) for v in made.made] == ["fp32", "mse:w4a4", "minmax:w8a8"]
    assert predict(made).variants == 3
    assert {c.held_out for c in made.cells} == {0}


def test_an_attack_on_integers_must_do_without_their_gradient(text):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    assert plan(with_noises(text, '"square-linf:eps=1/255+int8-ort"', '"transfer-linf:eps=1/255+int8-ort"')).cells
    for attack in ("pgd-linf:eps=1/255", "autoattack-linf:eps=1/255"):
        with pytest.raises(BitproofError, match="session of integers"):
            plan(with_noises(text, f'"{attack}+int8-ort"'))


def test_a_long_attack_is_predicted_with_the_pictures_that_may_stand(text):
    made = plan(with_noises(text, '"autoattack-linf:eps=0.5"', '"pgd-linf:eps=0.5,keep=last,steps=100"', "fmn-linf"))
    prices = {price.noise.partition("-")[0]: price for price in predict(made).attacks}
    assert 0 < prices["autoattack"].time_s < 0.5 * prices["autoattack"].most_s
    assert prices["pgd"].time_s == prices["pgd"].most_s
    assert prices["fmn"].time_s == prices["fmn"].most_s


def test_what_another_grid_of_the_file_makes_is_predicted_once(text):
    made = plan(with_noises(text, "clean"))
    known = {variant.id for variant in made.made} | {cell.id for cell in made.cells}
    again = predict(made, known)
    assert (again.variants, again.cells, again.rows, again.cells_s, again.variants_s) == (0, 0, 0, 0, 0)


def test_its_calibration_pictures_are_held_out_too(text):
    alone = text.replace('[fp32, "mse:w4a4"]', "[fp32]").replace("train:", "# train:").replace("training:", "# training:")
    assert {c.held_out for c in plan(alone).cells} == {0}
    assert {c.held_out for c in plan(with_noises(alone, '"transfer-linf:eps=8/255,of=\\"minmax:w8a8\\""')).cells} == {16}


def test_the_control_is_float_where_it_is_there(text):
    spec = '"transfer-linf:eps=8/255"'
    for recipes, control in (('[fp32, "mse:w4a4"]', "fp32"), ('[fp32, float, "mse:w4a4"]', "float")):
        made = plan(with_noises(text.replace('[fp32, "mse:w4a4"]', recipes), spec))
        cell = next(c for c in made.cells if c.noise == "transfer-linf:eps=8/255")
        assert {name: str(v.recipe) for name, v in made.others(cell).items()} == {"control": control}


def test_what_the_other_network_or_the_inner_attack_is_moves_the_id(text, monkeypatch):
    from bitproof.noises.attacks.pgd import PgdLinf
    from bitproof.quantizers import QUANTIZERS

    spec = '"transfer-linf:eps=8/255,of=\\"minmax:w8a8\\""'
    key = ('transfer-linf:eps=8/255,of="minmax:w8a8"', "mse:w4a4")
    key = next(k for k in named(with_noises(text, spec)) if k[0].startswith("transfer") and k[1] == "mse:w4a4")
    before = named(with_noises(text, spec))
    monkeypatch.setattr(QUANTIZERS.load("minmax"), "version", 99)
    between = named(with_noises(text, spec))
    monkeypatch.setattr(PgdLinf, "version", 99)
    after = named(with_noises(text, spec))
    assert len({cells[key].id for cells in (before, between, after)}) == 3
    assert before["clean", "mse:w4a4"].id == after["clean", "mse:w4a4"].id


@pytest.mark.parametrize(
    ("spec", "error", "match"),
    [
        ("transfer-linf:eps=8/255,of=lsq:w4a4", BitproofError, "training"),
        ("transfer-linf:eps=8/255,of=lqs:w4a4", UnknownName, "Did you mean 'lsq'"),
        ("transfer-linf:eps=8/255,attack=pdg-linf", UnknownName, "Did you mean 'pgd-linf'"),
        ("pgd-linf:eps=8/255,grad=bpda", BitproofError, "bpda:decay"),
        ("pgd-linf:eps=8/255,grad=bpda:dcay", UnknownName, "Did you mean 'decay'"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(text, spec, error, match):
    bare = text.replace("train:", "# train:").replace("training:", "# training:")
    with pytest.raises(error, match=match):
        plan(with_noises(bare, f'"{spec}"'))


def test_a_run_with_transfers_and_evidence(text, tmp_path):
    specs = (
        "transfer-linf:eps=8/255",
        "transfer-linf:eps=8/255,of=minmax:w8a8,grad=soft",
        "pgd-linf:eps=8/255,steps=2,grad=soft:2..0.5",
    )
    grid = with_noises(text, "clean", *(f'"{spec}"' for spec in specs))
    assert bp.run(grid, tmp_path / "run").failed == 0
    rows = bp.results.load(tmp_path / "run")
    assert set(rows["recipe"]) == {"fp32", "mse:w4a4"}
    modes = dict(rows.filter(family="adversarial").select("noise", "gradient").unique().iter_rows())
    assert sorted(modes.values()) == ["soft", "soft:2..0.5", "ste"]
    told = rows.filter(noise="evidence", recipe="mse:w4a4")
    assert told["zero_exact"].all() and not told["zero_ste"].any()
    assert told.select(pl.col("cosine").is_between(-1, 1).all(), (pl.col("logit_norm") > 0).all()).row(0) == (True, True)
    assert rows.filter(noise="evidence", recipe="fp32")["cosine"].to_list() == pytest.approx([1.0] * 8)
    assert (
        rows.filter(pl.col("family") != "evidence")["zero_ste"].null_count() == rows.filter(pl.col("family") != "evidence").height
    )
    assert bp.run(grid, tmp_path / "run").already == len(rows["cell"].unique())
