"""``bitproof audit GRID``: the grid with all that a verdict needs, and the run of it."""

import polars as pl
import pytest
import yaml

import bitproof as bp
from bitproof.bench import Plan, audited, parse_grids
from bitproof.core import SpecError


@pytest.fixture
def small(grid, tmp_path):
    """Two recipes, one attack, eight pictures."""
    text = grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', '[fp32, "mse:w4a4"]')
    text = text[: text.index("noises:")] + 'noises: ["pgd-linf:eps=8/255"]\n' + text[text.index("limit:") :]
    (tmp_path / "grid.yaml").write_text(text)
    return tmp_path / "grid.yaml"


def test_all_that_a_verdict_needs_is_added_once(small):
    [asked] = parse_grids(audited(small))
    assert asked.noises[0] == "pgd-linf:eps=8/255"
    for spec in ("square-linf", "transfer-linf", "loss=margin", "grad=soft", "grad=ste-full", "steps=40", "steps=100"):
        assert sum(spec in noise and "eps=8/255" in noise for noise in asked.noises) == 1, spec
    assert "pgd-linf:eps=1" in asked.noises
    assert len(set(asked.noises)) == len(asked.noises) == 9
    small.write_text(audited(small))
    assert yaml.safe_load(audited(small)) == yaml.safe_load(small.read_text())  # nothing is left to add
    assert {cell.limit for cell in Plan(asked).cells if cell.family == "adversarial"} == {8}


def test_every_norm_and_radius_has_its_own(small):
    small.write_text(small.read_text().replace('"pgd-linf:eps=8/255"', '"pgd-l2:eps=1", "fgsm-linf:1/255"'))
    [asked] = parse_grids(audited(small))
    assert {"square-l2:eps=1,queries=1000", "square-linf:eps=1/255,queries=1000", "pgd-linf:eps=1/255"} <= set(asked.noises)


def test_a_grid_without_an_attack_is_refused(small):
    small.write_text(small.read_text().replace('"pgd-linf:eps=8/255"', "clean"))
    with pytest.raises(SpecError, match="no attack with a budget"):
        audited(small)


def test_an_audited_run_leaves_no_check_open_but_the_number_of_pictures(small, tmp_path):
    assert bp.run(audited(small), tmp_path / "run").failed == 0
    rows = bp.results.load(tmp_path / "run")
    told = bp.analysis.audit(rows)
    assert told["recipe"].to_list() == ["fp32", "mse:w4a4"] and set(told["attacks"]) == {8}
    checks = told.unpivot(on=[name for name in told.columns if name.startswith("check_")])
    assert set(checks.filter(value="missing")["variable"]) <= {"check_gap", "check_zero", "check_steps"}, told.to_dicts()
    assert set(rows.filter(pl.col("name") == "square-linf")["gradient"]) == {None}
