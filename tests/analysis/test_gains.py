"""What a defense gains, against sums by hand; and that nothing is shown without its controls."""

import dataclasses

import polars as pl
import pytest

from bitproof.analysis import accuracy, audit, defended, knowing, metrics, pareto, regressions, summary
from bitproof.analysis.defended import fitted_on
from bitproof.core import SampleRow
from bitproof.results.schema import SAMPLES, VARIANTS

PATCH = "defensive-patch:on=float"
N = 40


def rows(defense, right, noise="clean", recipe="float", prediction=None, shown=None, family=None, queries=None):
    """One cell: sample i is right where ``right(i)``; its class is i % 4."""
    found = []
    for i in range(N):
        label = i % 4
        answer = prediction(i) if prediction else label if right(i) else (label + 1) % 4
        found.append(
            SampleRow(
                variant=recipe,
                task="parquet:x",
                model="m",
                seed=0,
                gradient=None,
                margin=1.0 if answer == label else -1.0,
                loss=0.5,
                confidence=0.7,
                success=None,
                queries=queries,
                gradients=None,
                cell=f"{recipe} {noise} {defense}",
                recipe=recipe,
                noise=noise,
                name=noise.partition(":")[0],
                family=family or ("evidence" if "control" in defense else "clean" if noise == "clean" else "natural"),
                severity=int(noise[-1]) if noise[-1].isdigit() else None,
                defense=defense,
                sample=f"s{i:02}",
                label=label,
                prediction=answer,
                correct=answer == label,
                shown=None if shown is None else shown(i),
            )
        )
    return found


def run(noise="clean", recipe="float", alone=True):
    """Bare 20 of 40 right, patched 30, random 22, wrong 4 with 12 pulled, argmax 24, alone 36."""
    found = [
        *rows("none", lambda i: i < 20, noise, recipe),
        *rows(PATCH, lambda i: i < 30, noise, recipe, shown=lambda i: i % 4),
        *rows(f"{PATCH},control=random", lambda i: i < 22, noise, recipe),
        *rows(
            f"{PATCH},control=wrong",
            None,
            noise,
            recipe,
            prediction=lambda i: i % 4 if i < 4 else (i + 2) % 4 if i < 16 else (i + 1) % 4,
            shown=lambda i: (i + 2) % 4,
        ),
        *rows(f"{PATCH},control=argmax", lambda i: i < 24, noise, recipe),
    ]
    return found + (rows(f"{PATCH},control=alone", lambda i: i < 36, noise, recipe, shown=lambda i: i % 4) if alone else [])


def frame(found):
    return pl.DataFrame([dataclasses.asdict(each) for each in found], schema=SAMPLES)


def test_a_gain_stands_beside_all_that_it_is_compared_with():
    (line,) = defended(frame(run())).to_dicts()
    assert (line["label"], line["noise"], line["n"]) == ("known", "clean", N)
    expected = {"without": 50, "value": 75, "gain": 25, "gain_free": 10, "gain_random": 5, "over_random": 20}
    expected |= {"wrong": 10, "pulled": 30, "alone": 90}
    for name, value in expected.items():
        assert line[name] == pytest.approx(value), name
        assert line[f"{name}_low"] <= value <= line[f"{name}_high"]
    assert line["gain_low"] > 0


def test_a_mean_over_a_family_comes_first_and_has_no_patch_alone():
    both = frame(run() + run("fog:3", alone=False) + run("snow:2", alone=False))
    lines = {(line["family"], line["noise"]): line for line in defended(both).to_dicts()}
    assert set(lines) == {("clean", "clean"), ("natural", "mean"), ("natural", "fog:3"), ("natural", "snow:2")}
    assert lines["natural", "mean"]["gain"] == pytest.approx(25)
    assert lines["natural", "mean"]["alone"] is None


@pytest.mark.parametrize("left_out", ["wrong", "random", "alone", "argmax"])
def test_without_a_control_no_number_of_the_patch_is_given_anywhere(left_out):
    lacking = frame([each for each in run() if f"control={left_out}" not in each.defense])
    (line,) = defended(lacking).to_dicts()
    assert left_out in line["note"]
    assert line["value"] is None
    assert line["gain"] is None


@pytest.mark.parametrize("control", ["wrong", "random", "argmax"])
def test_a_noise_whose_own_control_failed_has_no_figure_and_no_mean(control):
    both = run() + run("fog:3", alone=False) + run("snow:2", alone=False)
    lacking = frame([each for each in both if (each.noise, each.defense) != ("fog:3", f"{PATCH},control={control}")])
    lines = {line["noise"]: line for line in defended(lacking).to_dicts()}
    assert lines["fog:3"]["note"] == f"not shown without its controls: {control}"
    assert lines["mean"]["note"] == "not shown without the controls of fog:3"
    for noise in ("fog:3", "mean"):
        assert all(lines[noise][name] is None for name in ("value", "gain", "gain_free", "over_random", "wrong", "without", "n"))
    assert (lines["snow:2"]["gain"], lines["clean"]["gain"]) == (pytest.approx(25), pytest.approx(25))


def attacked(controls):
    shown = {"wrong": lambda i: (i + 2) % 4, "": lambda i: i % 4}
    name = "pgd-linf:eps=2/255"
    found = rows("none", lambda i: i < 2, name, family="adversarial", queries=20)
    for control in ("", *controls):
        defense, family = (f"{PATCH},control={control}", "evidence") if control else (PATCH, "adversarial")
        found += rows(defense, lambda i: i < 10, name, shown=shown.get(control), family=family, queries=20)
    return found


def test_under_attack_nobody_tries_all_patches_so_that_control_is_not_asked_for():
    lines = {line["noise"]: line for line in defended(frame(run() + attacked(("wrong", "random")))).to_dicts()}
    assert lines["pgd-linf:eps=2/255"]["gain"] == pytest.approx(20)
    lines = {line["noise"]: line for line in defended(frame(run() + attacked(("wrong",)))).to_dicts()}
    assert (lines["pgd-linf:eps=2/255"]["gain"], lines["pgd-linf:eps=2/255"]["verdict"]) == (None, None)
    assert lines["pgd-linf:eps=2/255"]["note"] == "not shown without its controls: random"


def test_frames_of_a_sequence_have_no_controls_and_so_no_figure():
    frames = rows("none", lambda i: i < 20, "translate:frame=1", family="perturbation")
    frames += rows(PATCH, lambda i: i < 30, "translate:frame=1", family="perturbation", shown=lambda i: i % 4)
    lines = {line["noise"]: line for line in defended(frame(run() + frames)).to_dicts()}
    assert lines["translate:frame=1"]["value"] is None and "wrong" in lines["translate:frame=1"]["note"]


def test_figures_without_room_for_controls_leave_out_whoever_knows_the_label():
    both = frame(run() + attacked(("wrong", "random")) + rows("jpeg", lambda i: i < 10))
    assert knowing(both) == [PATCH]
    for made in (accuracy, summary, metrics):
        assert set(made(both)["defense"]) == {"none", "jpeg"}
    assert set(regressions(both, both)[0]["defense"]) == set(regressions(both, both, cells=True)[0]["defense"]) == {"none", "jpeg"}
    judged = audit(both).filter(defense=PATCH).to_dicts()
    assert [(line["label"], line["n"]) for line in judged] == [("known", N)]
    assert judged[0]["verdict"] and not any(judged[0][name] for name in ("worst", "ste", "gap", "excess"))
    assert audit(both).filter(defense="none")["worst"].null_count() == 0


def test_how_many_samples_the_controls_have_stands_beside_them():
    fewer = [each for each in run() if "control" not in each.defense or each.sample < "s15"]
    (line,) = defended(frame(fewer)).to_dicts()
    assert (line["n"], line["n_controls"]) == (N, 15)


@pytest.mark.parametrize(
    ("defense", "networks"),
    [
        (PATCH, "m float"),
        ("defensive-patch", "m mse:w4a4"),
        ("defensive-patch:on=float+mse:w4a4,models=own+vgg", "m float + m mse:w4a4 + vgg:width=1 float + vgg:width=1 mse:w4a4"),
    ],
)
def test_own_says_which_network_a_patch_was_fitted_on(defense, networks):
    assert fitted_on(defense, "m", "mse:w4a4", ["m", "vgg:width=1"]) == networks


def test_controls_of_one_recipe_do_not_stand_for_another():
    half = frame(run() + [each for each in run(recipe="mse:w4a4") if "control" not in each.defense])
    notes = {(line["recipe"], line["note"] or "") for line in defended(half).to_dicts()}
    assert {recipe for recipe, note in notes if not note} == {"float"}
    assert {recipe for recipe, note in notes if note} == {"mse:w4a4"}


def test_a_purification_needs_no_control_and_its_label_is_free():
    (line,) = defended(frame(rows("none", lambda i: i < 20) + rows("jpeg", lambda i: i < 10))).to_dicts()
    assert (line["label"], line["gain"]) == ("free", pytest.approx(-25))


def test_evidence_of_controls_does_not_enter_the_audit():
    assert audit(frame(run())).is_empty()


def test_without_a_defense_there_is_nothing_to_tell():
    assert defended(frame(rows("none", lambda i: True))).is_empty()


def test_a_choice_is_made_behind_each_defense_that_needs_no_label():
    both = run() + run(recipe="mse:w4a4") + run("fog:3", alone=False) + run("fog:3", "mse:w4a4", alone=False)
    variants = pl.DataFrame(schema=VARIANTS)
    both += rows("jpeg", lambda i: i < 10) + rows("jpeg", lambda i: i < 10, recipe="mse:w4a4")
    assert [choice.defense for choice in pareto(frame(both), variants)] == ["jpeg", "none"]
