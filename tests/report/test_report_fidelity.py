import polars as pl

from bitproof.report import fidelity_text

LINE = {
    **{f"{moment}_{c}_{side}": 1.25 for moment in ("mean", "std") for c in "rgb" for side in ("ours", "theirs")},
    **{"name": "fog", "severity": 1, "reference": "peer 1", "n": 7, "delta_mean": 3.0, "delta_max": 9},
    **{"spectrum_db": 0.5, "accuracy_ours": 80.0, "accuracy_theirs": 82.0, "difference": -2.0, "low": -5.0, "high": 1.0},
}


def text(*lines, notes=None):
    return fidelity_text(pl.DataFrame([{**LINE, **line} for line in lines]), notes or {})


def test_each_kind_has_its_columns_and_its_count():
    shown = text(
        {"noise": "fog:1", "random": True, "p_holm": 0.3, "verdict": "pass"},
        {"noise": "fog:2", "random": True, "p_holm": 0.01, "verdict": "fail"},
        {"noise": "contrast:1", "random": False, "p_holm": None, "verdict": "pass"},
    )
    assert "With chance, against peer 1, 7 pictures" in shown
    assert "-2.0 [-5.0, +1.0]" in shown
    assert "1 of 2 lines pass: the paired 95 % interval" in shown
    assert "0.1 of 2 intervals miss 0 by chance alone" in shown
    assert "1 of 2 lines differ by the test" in shown
    assert "1 of 1 lines pass: mean |Δ|" in shown
    assert max(map(len, shown.splitlines())) < 200


def test_what_is_known_of_a_reference_stands_below_its_table():
    notes = {("fog", "peer 1"): "thicker", ("snow", "peer 1"): "wetter"}
    shown = text({"noise": "fog:1", "random": True, "p_holm": 1.0, "verdict": None}, notes=notes)
    assert "  fog: thicker\n" in shown
    assert "wetter" not in shown


def test_without_a_network_nothing_is_judged():
    line = {"noise": "fog:1", "random": True, "p_holm": 1.0, "verdict": None, "difference": None, "accuracy_ours": None}
    shown = text(line)
    assert "lines pass" not in shown
    assert shown.splitlines()[2].endswith("–")
