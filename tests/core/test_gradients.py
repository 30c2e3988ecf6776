import pytest

from bitproof.core import GRADIENT_MODES, Gradient, SpecError


@pytest.mark.parametrize("text", [*GRADIENT_MODES, "soft:0.3", "soft:2..0.1", "bpda:decay"])
def test_a_mode_prints_back_as_it_was_read(text):
    assert str(Gradient.parse(text)) == text


def test_one_mode_has_one_name():
    assert str(Gradient.parse("soft:0.5")) == str(Gradient.parse("soft:0.5..0.5")) == "soft"
    assert str(Gradient.parse("soft:0.250")) == "soft:0.25"


@pytest.mark.parametrize(
    "text", ["", "straight", "soft:", "soft:0", "soft:-1", "soft:x", "soft:1..0", "soft:nan", "ste:1", "bpda:"]
)
def test_what_is_no_mode_is_refused(text):
    with pytest.raises(SpecError, match="gradient mode"):
        Gradient.parse(text)


def test_annealing_goes_by_equal_factors():
    gradient = Gradient.parse("soft:4..1")
    assert gradient.annealed
    assert [gradient.at(share).start for share in (0, 0.5, 1)] == pytest.approx([4, 2, 1])
    assert not any(gradient.at(share).annealed for share in (0, 0.5, 1))
    assert Gradient.parse("ste").at(0.5) == Gradient.parse("ste")
