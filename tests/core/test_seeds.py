from hypothesis import given
from hypothesis import strategies as st

from bitproof.core import seed


def test_a_seed_is_the_same_on_every_machine():
    assert seed(0, "fog", 3, "a.jpg") == 5126852768975333342


@given(st.lists(st.text(max_size=8), min_size=1, max_size=4))
def test_a_seed_fits_every_generator(parts):
    assert 0 <= seed(*parts) < 2**63


def test_parts_do_not_run_into_one_another():
    assert seed("ab", "c") != seed("a", "bc") != seed("abc")
