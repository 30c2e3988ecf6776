"""What makes a data set valid, and whether it fits a model."""

import pytest

from bitproof.core import DataError
from bitproof.tasks import ImageData, Sample


def data(labels, classes=None, ids=None):
    samples = tuple(Sample(ids[i] if ids else f"s{i}", label, bytes) for i, label in enumerate(labels))
    return ImageData("test data", samples, "digest", classes)


def test_empty_data_is_refused():
    with pytest.raises(DataError, match="test data holds no pictures"):
        data([])


def test_an_id_that_comes_twice_is_refused():
    with pytest.raises(DataError, match="the id 'b' comes 2 times"):
        data([0, 1, 2], ids=["a", "b", "b"])


@pytest.mark.parametrize(("labels", "found"), [([0, -1, 2], "'s1' has the label -1"), ([-2, -2], "'s0' has the label -2")])
def test_some_labels_and_odd_labels_are_refused(labels, found):
    with pytest.raises(DataError, match=found):
        data(labels)


def test_a_label_beyond_the_declared_classes_names_the_sample():
    with pytest.raises(DataError, match=r"'s1' has the label 10, but test data declares 10 classes \(labels 0 to 9\)"):
        data([9, 10], classes=10)


def test_unlabelled_data_calibrates_but_is_not_scored():
    photos = data([-1, -1, -1])
    assert not photos.labelled
    assert len(photos.calibration(2, 0)) == 2
    with pytest.raises(DataError, match="has no labels: it serves for calibration"):
        photos.check_classes(10)


def test_declared_classes_must_be_the_models():
    data([0], classes=10).check_classes(10)
    with pytest.raises(DataError, match="has 10 classes and the model 1000"):
        data([0], classes=10).check_classes(1000)


@pytest.mark.parametrize("labels", [[5], [9], [0, 5]])
def test_undeclared_classes_fit_where_the_largest_label_lies_in_the_upper_half(labels):
    data(labels).check_classes(10)


@pytest.mark.parametrize(("labels", "model"), [([0, 4], 10), ([9], 1000), ([0, 499], 1000), ([4], 11)])
def test_undeclared_classes_that_may_be_others_are_refused_with_the_way_out(labels, model):
    last = len(labels) - 1
    with pytest.raises(DataError, match=rf"largest label is {labels[-1]} \('s{last}'\).*{model} classes.*Write classes={model}"):
        data(labels).check_classes(model)


def test_undeclared_labels_beyond_the_model_name_the_sample():
    with pytest.raises(DataError, match=r"'s1' has the label 10, but the model has 10 classes"):
        data([9, 10]).check_classes(10)
