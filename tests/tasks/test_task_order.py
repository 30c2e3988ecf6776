"""The one order: drawn by seed, stratified from either end, so that subsets are nested and calibration never meets evaluation."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitproof.core import DataError
from bitproof.tasks import ImageData, Sample

label_lists = st.lists(st.integers(0, 5), min_size=1, max_size=60)
seeds = st.integers(0, 2**40)


def data(labels, ids=None):
    samples = tuple(Sample(ids[i] if ids else f"s{i}", label, bytes) for i, label in enumerate(labels))
    return ImageData("test data", samples, "digest")


def in_proportion(labels, part):
    """Whether some share t of each class rounds to what ``part`` holds of it."""
    total, found = Counter(labels), Counter(part)
    lows = [(found[c] - 0.5) / total[c] for c in total]
    highs = [(found[c] + 0.5) / total[c] for c in total]
    return max(lows) <= min(highs) + 1e-12


@settings(deadline=None)
@given(label_lists, seeds)
def test_a_permutation_whose_every_prefix_and_suffix_is_stratified(labels, seed):
    order = data(labels).order(seed)
    assert sorted(order) == list(range(len(labels)))
    drawn = [labels[i] for i in order]
    for n in range(len(labels) + 1):
        assert in_proportion(labels, drawn[:n])
        assert in_proportion(labels, drawn[n:])


def test_the_check_itself_fails_on_sorted_classes():
    assert not in_proportion([0] * 10 + [1] * 10, [0] * 10)


@given(st.integers(1, 7), st.integers(1, 9), seeds)
def test_classes_of_equal_size_take_turns(classes, each, seed):
    labels = [c for c in range(classes) for _ in range(each)]
    drawn = [labels[i] for i in data(labels).order(seed)]
    first = drawn[:classes]
    assert sorted(first) == list(range(classes))
    assert drawn == first * each


@given(label_lists, seeds)
def test_equal_seeds_give_equal_orders(labels, seed):
    assert data(labels).order(seed) == data(labels).order(seed)


def test_other_seeds_give_other_orders_of_classes_and_members():
    labels = [i % 10 for i in range(200)]
    orders = [data(labels).order(seed) for seed in range(20)]
    assert len({tuple(order) for order in orders}) == 20
    assert len({tuple(labels[i] for i in order[:10]) for order in orders}) > 10
    firsts = {next(i for i in order if labels[i] == 0) for order in orders}
    assert len(firsts) > 10


def test_the_order_is_the_same_on_every_machine():
    # A recorded order: results name their samples by it, so it must never drift.
    assert data([0, 0, 0, 1, 1, 1, 2, 2, 2]).order(7) == [6, 1, 4, 7, 0, 3, 8, 2, 5]


@given(label_lists, seeds)
def test_a_draw_depends_on_its_id_and_not_on_its_place(labels, seed):
    ids = [f"s{i}" for i in range(len(labels))]
    forward = data(labels, ids)
    backward = data(labels[::-1], ids[::-1])
    assert [forward.samples[i].id for i in forward.order(seed)] == [backward.samples[i].id for i in backward.order(seed)]


@given(label_lists, seeds, st.data())
def test_subsets_are_nested_and_calibration_is_apart(labels, seed, draw):
    whole = data(labels)
    large = draw.draw(st.integers(1, len(labels)))
    small = draw.draw(st.integers(1, large))
    assert whole.subset(large, seed)[:small] == whole.subset(small, seed)
    assert len(whole.subset(None, seed)) == len(labels)
    n = draw.draw(st.integers(0, len(labels) - 1))
    calibration, evaluation = whole.calibration(n, seed), whole.evaluation(None, seed, exclude=n)
    assert len(calibration) == n
    assert {sample.id for sample in calibration} | {sample.id for sample in evaluation} == {sample.id for sample in whole.samples}
    assert len(calibration) + len(evaluation) == len(labels)


def test_calibration_grows_from_the_end():
    whole = data([i % 3 for i in range(12)])
    assert whole.calibration(8, 0)[-3:] == whole.calibration(3, 0)
    assert whole.calibration(0, 0) == []
    assert {sample.label for sample in whole.calibration(3, 0)} == {0, 1, 2}


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda d: d.evaluation(11, 0), r"11 pictures were asked of test data, which holds 10: 10 are left\."),
        (lambda d: d.evaluation(8, 0, exclude=3), r"8 pictures .* holds 10, of which 3 are kept for calibration: 7 are left\."),
        (lambda d: d.evaluation(None, 0, exclude=10), r"Pictures were asked .* of which 10 are kept for calibration: 0 are left"),
        (lambda d: d.evaluation(1, 0, exclude=12), r"12 are kept for calibration: 0 are left"),
        (lambda d: d.evaluation(0, 0), r"0 pictures .* Set a limit between 1 and what is left"),
        (lambda d: d.subset(11, 0), r"11 pictures .* 10 are left"),
        (lambda d: d.calibration(11, 0), r"11 calibration pictures were asked of test data, which holds 10\."),
        (lambda d: d.calibration(-1, 0), r"-1 calibration pictures"),
    ],
)
def test_too_few_left_is_refused_with_figures(ask, message):
    with pytest.raises(DataError, match=message):
        ask(data([0] * 10))
