import io

import pytest
from PIL import Image

from bitproof.core import SpecError
from bitproof.tasks import load


def test_it_is_as_many_pictures_as_are_asked_for():
    data = load("stand-in:2500,classes=1000").data
    assert len(data) == 2500 and data.classes == 1000 and {sample.label for sample in data.samples} == set(range(1000))
    file = data.samples[7].read()
    assert Image.open(io.BytesIO(file)).size == (500, 375) and 50_000 < len(file) < 200_000  # a photograph's
    assert "no figure" in data.note


def test_other_numbers_are_other_data():
    """So a grid may train on one and evaluate on another."""
    digests = {
        load(f"stand-in:{words}").data.digest for words in ("30,classes=3", "31,classes=3", "30,classes=4", "30,classes=3,width=20")
    }
    assert len(digests) == 4


def test_nothing_is_no_data():
    with pytest.raises(SpecError, match="n=0 has to be at least 1"):
        load("stand-in:0")
