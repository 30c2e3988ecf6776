"""F1, Matthews' and two correlations against scikit-learn and SciPy, and their intervals against planted truth."""

import numpy as np
import polars as pl
import pytest

from bitproof.analysis import metrics

sklearn = pytest.importorskip("sklearn.metrics")
stats = pytest.importorskip("scipy.stats")


def rows(**columns):
    n = len(next(iter(columns.values())))
    cell = {"task": "t", "model": "m", "recipe": "r", "noise": "clean", "defense": "none", "seed": 0, "family": "clean"}
    cell |= {"variant": "v", "cell": "c"}
    return pl.DataFrame({**{key: [value] * n for key, value in cell.items()}, **columns})


def classes(label, answer):
    return rows(label=label, prediction=answer, correct=[a == b for a, b in zip(label, answer, strict=True)])


def found(frame):
    return {row["metric"]: (row["value"], row["low"], row["high"]) for row in metrics(frame).iter_rows(named=True)}


def test_two_classes():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 300)
    answer = np.where(rng.random(300) < 0.8, label, 1 - label)
    figures = found(classes(label, answer))
    assert list(figures) == ["accuracy", "f1", "matthews"]
    assert figures["f1"][0] == pytest.approx(100 * sklearn.f1_score(label, answer))
    assert figures["matthews"][0] == pytest.approx(100 * sklearn.matthews_corrcoef(label, answer))
    assert all(low < value < high and high - low < 25 for value, low, high in figures.values())


def test_three_classes_have_accuracy_alone():
    assert list(found(classes([0, 1, 2, 1], [0, 1, 1, 1]))) == ["accuracy"]


def test_one_answer_for_all():
    figures = found(classes([0, 1, 0, 1], [0, 0, 0, 0]))
    assert figures["matthews"][0] == sklearn.matthews_corrcoef([0, 1, 0, 1], [0, 0, 0, 0]) == 0
    assert figures["f1"][0] == 0


def test_numbers():
    rng = np.random.default_rng(1)
    target = np.round(rng.uniform(0, 5, 200) * 4) / 4  # equals, as people's scores have
    value = target + rng.normal(0, 1, 200)
    frame = rows(label=[0] * 200, prediction=[0] * 200, correct=(abs(value - target) <= 0.5).tolist(), value=value, target=target)
    figures = found(frame)
    assert list(figures) == ["accuracy", "pearson", "spearman"]
    assert figures["pearson"][0] == pytest.approx(100 * stats.pearsonr(value, target)[0])
    assert figures["spearman"][0] == pytest.approx(100 * stats.spearmanr(value, target)[0])
    low, high = figures["pearson"][1:]
    theirs = stats.pearsonr(value, target).confidence_interval()
    assert abs(low - 100 * theirs.low) < 2 and abs(high - 100 * theirs.high) < 2


def test_what_is_not_defined_is_null():
    frame = rows(label=[1, 2], prediction=[1, 1], correct=[True, False], value=[1.0, 1.0], target=[1.0, 2.0])
    assert found(frame)["pearson"] == (None, None, None)


def test_cells_stay_apart():
    frame = pl.concat([classes([0, 1], [0, 1]), classes([0, 1], [1, 0]).with_columns(noise=pl.lit("typos:3"))])
    found_rows = metrics(frame).filter(pl.col("metric") == "accuracy")
    assert found_rows.select("noise", "value").rows() == [("clean", 100.0), ("typos:3", 0.0)]


def test_a_cell_at_two_limits_counts_once_and_two_trainings_stay_apart():
    small, large = classes([0, 1], [1, 0]).with_columns(cell=pl.lit("d")), classes([0, 1, 0, 1], [0, 1, 0, 1])
    other = classes([0, 1], [1, 0]).with_columns(cell=pl.lit("e"), variant=pl.lit("w"))
    found_rows = metrics(pl.concat([small, large, other])).filter(pl.col("metric") == "accuracy")
    assert sorted(found_rows.select("recipe", "value", "n").rows()) == [("r [v]", 100.0, 4), ("r [w]", 0.0, 2)]
