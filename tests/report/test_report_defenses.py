"""The part of a page that tells what defenses gain."""

from dataclasses import replace

import pytest
from report_runs import png, rows, variant

from bitproof.core import digest
from bitproof.report import write
from bitproof.report.defending import defending
from bitproof.report.source import read
from bitproof.results import Store

PATCH = "defensive-patch:on=fp32"
CONTROLS = {"wrong": lambda label: (label + 3) % 10, "random": None, "alone": lambda label: label, "argmax": None}


def behind(store, recipe, noise, defense, shown=None, control=False):
    made = [
        replace(
            each,
            cell=digest(recipe, noise, defense),
            defense=defense,
            shown=shown(each.label) if shown else None,
            family="evidence" if control else each.family,
        )
        for each in rows("photos", "net:weights=w", recipe, noise, 60)
    ]
    store.write_cell(made[0].cell, made)


@pytest.fixture(params=[True, False], ids=["with controls", "without"])
def store(request, tmp_path):
    store = Store.create(tmp_path / "run")
    for recipe in ("fp32", "mse:w4a4"):
        store.write_variant(variant("photos", "net:weights=w", recipe), {"name": recipe, "layers": []})
        for noise in ("clean", "fog:3"):
            for defense in ("none", "jpeg"):
                behind(store, recipe, noise, defense)
            behind(store, recipe, noise, PATCH, lambda label: label)
            for control, shown in CONTROLS.items() if request.param else ():
                if control != "alone" or noise == "clean":
                    behind(store, recipe, noise, f"{PATCH},control={control}", shown, control=True)
    info = {"defense": PATCH, "task": "photos", "fitted_on": [{"model": "net:weights=w", "recipe": "fp32", "variant": "v"}]}
    info |= {"pictures": {"n": 12, "of": "photos"}, "labels": [0, 1], "area": 0.22, "time_s": 3.0}
    store.write_defense("abc123abc123", info, {"0.png": png(1, 2, 3)})
    store.write_picture("photos", f"clean behind {PATCH}", "00000.jpeg", png(9, 9, 9))
    return store, request.param


def test_a_page_shows_gains_beside_their_controls_or_says_which_are_missing(store):
    store, complete = store
    (part,) = defending(read(store.path))
    assert part.known
    texts = {(row[0].text, row[1].text, row[2].text): row for row in part.every.rows}
    patched = texts[PATCH, "fp32", "clean" if complete else "mean"]
    assert patched[0].note.startswith("label known")
    assert ("wrong" in patched[0].note) != complete
    assert (patched[5].text == "–") != complete
    assert texts["jpeg", "fp32", "clean"][0].note == "label free"
    assert len(part.transfer.rows) == complete
    for row in part.transfer.rows:
        assert row[0].note == "on net:weights=w fp32"
        assert all("over random " in cell.note and "label-free " in cell.note for cell in row[1:])
    assert [cell.text for cell in part.fits.rows[0]][:2] == [PATCH, "fp32 of net:weights=w"]
    html = write(store.path).read_text()
    assert "What defenses gain" in html
    assert "A patch knows the label" in html
    assert f"clean behind {PATCH}" in html
    assert f"net:weights=w on photos behind {PATCH}" not in html
    assert "net:weights=w on photos behind jpeg" in html


def test_without_a_defense_there_is_no_such_part(tmp_path):
    store = Store.create(tmp_path / "run")
    store.write_variant(variant("photos", "net:weights=w", "fp32"), {"name": "fp32", "layers": []})
    behind(store, "fp32", "clean", "none")
    assert defending(read(store.path)) == []
    assert "What defenses gain" not in write(store.path).read_text()
