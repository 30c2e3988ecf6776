"""The published statements on rows whose truth is planted."""

import numpy as np
import polars as pl
import pytest
from statements_rows import attacked, flipping, planted

from bitproof.analysis import audit, findings
from bitproof.analysis.permutation import FLIPS, one_sided
from bitproof.analysis.statements import STATEMENTS
from bitproof.analysis.statements.published import published

CORRUPTIONS = ("impulse_noise:3", "glass_blur:3", "fog:3", "contrast:3", "brightness:3")
RESIZES = ("pil-nearest", "pil-box", "pil-cubic", "cv-nearest", "cv-area", "cv-lanczos")


def networks(fp32, w8, w4, w2, noises):
    """Every noise costs a network what it costs all others."""
    base = {"fp32": fp32, "lsq:w8a8": w8, "lsq:w4a4": w4, "lsq:w2a2": w2}
    return {recipe: {noise: level - cost for noise, cost in noises.items()} for recipe, level in base.items()}


def status(rows):
    return dict(findings(rows)[0].select("id", "status").iter_rows())


def line(rows, key):
    return findings(rows)[0].row(by_predicate=pl.col("id") == key, named=True)


def test_what_is_planted_is_supported():
    harm = {"clean": 0.0, "impulse_noise:3": 0.45, "glass_blur:3": 0.4, "fog:3": 0.2, "contrast:3": 0.2, "brightness:3": 0.05}
    resizes = {"pil-nearest": 0.4, "pil-box": 0.2, "pil-cubic": 0.02, "cv-nearest": 0.4, "cv-area": 0.02, "cv-lanczos": 0.2}
    found = status(planted(networks(0.97, 0.87, 0.77, 0.67, harm | resizes), n=600))
    assert {key for key in found if found[key] == "supported"} == {"F3", "F4", "F5", "F6", "F7", "F8"}
    assert "contradicted" not in {found[key] for key in found if key != "F13"}


def test_a_resize_and_something_else_is_no_resize():
    resizes = {"clean": 0.0, "pil-nearest": 0.4, "pil-box": 0.2, "cv-nearest": 0.4, "cv-area": 0.02}
    rows = planted(networks(0.97, 0.87, 0.77, 0.67, resizes | {"cv-lanczos": 0.02, "pil-cubic": 0.5}), n=600)
    assert status(rows)["F7"] == "contradicted"
    joined = {"cv-lanczos": "cv-nearest+fp16", "pil-cubic": "pil-bilinear+fp16"}
    assert status(rows.with_columns(pl.col("noise").replace(joined)))["F7"] == "supported"


def test_the_opposite_is_contradicted():
    harm = {"clean": 0.0, "impulse_noise:3": 0.05, "glass_blur:3": 0.05, "fog:3": 0.2, "contrast:3": 0.4, "brightness:3": 0.45}
    resizes = {"pil-nearest": 0.02, "pil-box": 0.02, "pil-cubic": 0.3, "cv-nearest": 0.02, "cv-area": 0.3, "cv-lanczos": 0.02}
    rows = planted(networks(0.6, 0.7, 0.8, 0.9, harm | resizes), n=600)
    found = status(rows)
    assert {key for key in found if found[key] == "contradicted"} == {"F3", "F4", "F5", "F6", "F7", "F8", "F13"}
    assert "against it: lsq:w2a2" in line(rows, "F3")["why"] and line(rows, "F3")["effect"] < 0


def test_one_counterexample_contradicts_a_statement_about_all():
    shares = networks(0.9, 0.8, 0.7, 0.6, dict.fromkeys(["clean", *CORRUPTIONS], 0.0))
    shares["pact:w4a4"] = dict.fromkeys(["clean", *CORRUPTIONS], 0.98)
    rows = planted(shares)
    assert status(rows)["F3"] == "contradicted"
    assert line(rows, "F3")["why"].startswith("against it: pact:w4a4 against fp32") and line(rows, "F3")["agree"] == 3


def test_f13_and_f9():
    shares = {"fp32": {"clean": 0.7, "fog:3": 0.6}, "lsq:w8a8": {"clean": 0.8, "fog:3": 0.5}, "pact:w2a2": {"clean": 0.1}}
    found = status(planted(shares))
    assert found["F13"] == found["F9"] == "supported"
    shares |= {"lsq:w8a8": {"clean": 0.8, "fog:3": 0.8}, "pact:w2a2": {"clean": 0.6}}
    found = status(planted(shares))
    assert found["F13"] == found["F9"] == "contradicted"


def test_nothing_under_attack_is_decided_without_an_audit_that_holds():
    noises = {"clean": 0.0, "pgd-linf:eps=2/255": 0.0}
    shares = {"fp32": {**noises, "clean": 0.95, "pgd-linf:eps=2/255": 0.2}, "lsq:w4a4": {"clean": 0.95, "pgd-linf:eps=2/255": 0.7}}
    found = line(planted(shares), "F1")
    assert found["status"] == "undecided" and found["verdict"] == "undecided" and found["p_for"] < 0.05
    assert "bitproof audit" in found["why"]


STANDING = {"fp32": 0.2, "lsq:w8a8": 0.35, "lsq:w4a4": 0.5, "lsq:w2a2": 0.65}
UNDER_ATTACK = ("F1", "F1w", "F2", "F2w")


def test_under_attack_the_published_order_is_supported_where_the_audit_holds():
    rows = attacked(STANDING)
    assert set(audit(rows)["verdict"]) == {"holds"}, audit(rows)["why"].to_list()
    found = status(rows)
    assert [found[key] for key in UNDER_ATTACK] == ["supported"] * 4
    first, worst = line(rows, "F1"), line(rows, "F1w")
    assert (first["verdict"], first["comparisons"], worst["comparisons"]) == ("holds", 21, 3)  # three recipes, seven attacks
    assert first["effect"] == pytest.approx(100 * (0.5 - 0.2) / 0.95, abs=4) and first["low"] > 20
    assert line(rows, "F2w")["effect"] == pytest.approx(100 * 0.15 / 0.95, abs=3)


def test_under_attack_the_opposite_order_is_contradicted_where_the_audit_holds():
    rows = attacked(dict(zip(STANDING, reversed(STANDING.values()), strict=True)))
    assert set(audit(rows)["verdict"]) == {"holds"}
    found = status(rows)
    assert [found[key] for key in UNDER_ATTACK] == ["contradicted"] * 4
    assert line(rows, "F1")["why"].startswith("against it: lsq:w2a2 against fp32") and line(rows, "F1")["agree"] == 0


def test_under_attack_bits_and_control_are_two_statements():
    """All low bits above the control, but the more bits the more robust: F1 holds and F2 does not."""
    found = status(attacked({"fp32": 0.2, "lsq:w8a8": 0.65, "lsq:w4a4": 0.5, "lsq:w2a2": 0.35}))
    assert [found[key] for key in UNDER_ATTACK] == ["supported", "supported", "contradicted", "contradicted"]


def test_one_masked_network_leaves_all_that_rests_on_it_undecided():
    rows = attacked(STANDING, beaten={"lsq:w2a2": 0.25})
    assert dict(audit(rows).select("recipe", "verdict").iter_rows())["lsq:w2a2"] == "masked"
    for key in UNDER_ATTACK:
        found = line(rows, key)
        assert (found["status"], found["verdict"]) == ("undecided", "masked") and "masked" in found["why"]
    assert line(rows, "F1w")["p_for"] < 0.05  # the rows alone would have decided


def test_where_nothing_stands_there_is_nothing_to_compare():
    shares = {recipe: {"clean": 0.95, "pgd-linf:eps=8/255": 0.0} for recipe in ("fp32", "lsq:w4a4")}
    assert line(planted(shares), "F1")["comparisons"] == 0


SEQUENCES = ("gaussian_noise_p", "shot_noise_p", "zoom_blur_p", "brightness_p", "tilt_p")


@pytest.mark.parametrize(
    ("smooth", "noise", "word"), [(3.0, 1.2, "supported"), (1.2, 3.0, "contradicted"), (2.0, 2.0, "undecided")]
)
def test_flips(smooth, noise, word):
    base = {"gaussian_noise_p": 0.15, "shot_noise_p": 0.25, "zoom_blur_p": 0.12, "brightness_p": 0.05, "tilt_p": 0.12}
    grown = {name: level * (noise if "noise" in name else smooth) for name, level in base.items()}
    less = {name: (level + base[name]) / 2 for name, level in grown.items()}
    found = status(flipping({"fp32": base, "lsq:w4a4": less, "lsq:w2a2": grown}, n=1200))
    assert found["F12"] == word and found["F10"] == "supported"
    assert status(flipping({"fp32": base, "lsq:w4a4": base}, n=1200))["F11"] == "supported"


def test_what_a_run_lacks_is_said():
    empty = findings(planted({"fp32": {"clean": 0.9}}))[0]
    assert empty.height == len(STATEMENTS) and set(empty["status"]) == {"undecided"}
    needs = dict(empty.select("id", "why").iter_rows())
    assert "a low-bit recipe" in needs["F3"] and "corruptions:3" in needs["F3"] and "control" not in needs["F3"]
    assert needs["F9"] == "needs: the recipe pact:w2a2"
    split = pl.concat([
        planted({"fp32": {"clean": 0.9}}, model="a"),
        planted({"lsq:w4a4": {"clean": 0.9, "fog:3": 0.5}}, model="b"),
    ])  # fmt: skip
    assert "in one model and task" in line(split, "F3")["why"]


def test_the_chance_of_a_wrong_word_is_bounded_where_nothing_differs():
    same = dict.fromkeys(["clean", *CORRUPTIONS, *RESIZES], 0.6)
    shares = dict.fromkeys(["fp32", "lsq:w8a8", "lsq:w4a4"], same)
    wrong = [set(status(planted(shares, n=60, draw=draw)).values()) - {"undecided"} for draw in range(12)]
    assert sum(map(bool, wrong)) <= 2


def test_the_table_of_comparisons_holds_what_was_published():
    shares = {recipe: {"fog:3": 0.5, "clean": 0.7} for recipe in ("fp32", "lsq:w8a8", "mse:w8a8")}
    lines = findings(planted(shares))[1].filter(pl.col("id") == "F3")
    told = dict(lines.select("comparison", "published").iter_rows())
    assert told == {"lsq:w8a8 against fp32": pytest.approx(32.78 - 31.70), "mse:w8a8 against fp32": None}


def test_the_published_rows_are_those_of_the_article():
    sequences = ["gaussian", "shot", "motion", "zoom", "snow", "brightness", "translate", "rotate", "tilt", "scale"]
    assert published("mfp", "float") == 9.8 and published("mfp", "dorefa:w2a2") == 28.3 and published("mfp", "pact:w2a2") is None
    assert published("clean", "lsq:w4a8") is None
    for recipe in ("fp32", "dorefa:w2a2", "lsq:w2a2", "pact:w4a4", "lsq:w6a6", "pact:w8a8"):
        names = [
            f"flip:{name}{'_noise' * (name in ('gaussian', 'shot'))}{'_blur' * (name in ('motion', 'zoom'))}_p"
            for name in sequences
        ]
        assert np.mean([published(name, recipe) for name in names]) == pytest.approx(published("mfp", recipe), abs=0.11)


def test_one_sided_p_values():
    rng = np.random.default_rng(0)
    differences = rng.normal(size=(200, 6))
    differences[:, 1] += 0.5
    differences[:, 2] -= 0.5
    differences[:, 5] = 0
    above, below = one_sided(differences, [[0, 1], [2, 3], [5], []], "test")
    assert above[1] == 1 / (FLIPS + 1) and above[2] > 0.99 and above[5] == 1 and 0.01 < above[0] < 0.99
    assert below[0] > 0.05 and below[1] == 1 / (FLIPS + 1) and list(below[2:]) == [1, 1]


def test_one_sided_is_uniform_where_nothing_differs():
    rng = np.random.default_rng(1)
    found = [one_sided(rng.normal(size=(40, 3)), [[0, 1, 2]], i) for i in range(60)]
    assert 0.35 < np.mean([below[0] for _, below in found]) < 0.65
    assert 0.35 < np.mean([above[0] for above, _ in found]) < 0.65
