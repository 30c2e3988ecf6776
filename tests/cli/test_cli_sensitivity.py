"""What ``bitproof sensitivity`` prints of what was measured."""

import dataclasses

import pytest

from bitproof.bench import Measured, Score, Sensitivity
from bitproof.cli.sensitivity import _print


def score(noise, accuracy):
    return Score(noise, 60, accuracy, accuracy - 9, accuracy + 9, 1.5, -2.0, 5.0, 0.25)


def measured(kind, noisy=70.0, layer="", recipe="mse:w4a4"):
    return Measured(kind, layer, "w4a4", recipe, 160_000, 114_000, (score("clean", 90.0), score("gaussian_noise:3", noisy)))


def told(capsys, *networks):
    _print(Sensitivity("m", "t", networks))
    return capsys.readouterr().out


BASE = (measured("float"), measured("kept"), measured("low"), measured("layer", layer="conv1"))
SUGGESTED = measured("suggested", recipe='mse:w4a4,layers="conv1=w8a8"')


def test_without_other_pictures_it_says_so(capsys):
    said = told(capsys, *BASE, SUGGESTED)
    assert (
        "Suggested, 0.16 MB" in said and "flatters it" in said and "smaller --limit" in said and "other pictures, that" not in said
    )


def test_other_pictures_have_a_table_of_their_own(capsys):
    fresh = [dataclasses.replace(one, fresh=True) for one in (*BASE[:3], SUGGESTED)]
    said = told(capsys, *BASE, SUGGESTED, *fresh)
    before, _, after = said.partition("On 60 other pictures, that nothing was chosen on:")
    assert "conv1" in before and "flatters" not in said
    assert [line.split("  ")[0].strip() for line in after.splitlines()[2:]] == [
        "float network",
        "all at 8 bits",
        "all low-bit",
        "suggested",
    ]


@pytest.mark.parametrize(("left", "warned"), [(29.0, True), (31.0, False)])
def test_a_noise_that_leaves_nothing_is_told(capsys, left, warned):
    said = told(capsys, measured("float"), measured("kept", left), measured("low"))
    assert ("Under gaussian_noise:3" in said) == warned and "Under clean" not in said
