"""Tables of signs are kept bit for bit, from few bytes; what is none, or damaged, is not taken for one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.export.tables import LEAST, signs_of, table_of

SCALES = st.lists(st.floats(0, 2.0**100, width=32), min_size=1, max_size=6)


@given(SCALES, st.integers(LEAST, 40), st.integers(0, 2**32 - 1))
def test_a_table_of_signs_comes_back_bit_for_bit(scales, columns, seed):
    minus = np.random.default_rng(seed).random((len(scales), columns)) < 0.5
    table = np.where(minus, -1, 1).astype(np.float32) * np.array(scales, np.float32)[:, None]
    kept = signs_of(table)
    assert kept is not None and kept["signs"].nbytes == -(-table.size // 8)
    assert table_of(kept, *table.shape).tobytes() == table.tobytes()


@pytest.mark.parametrize(
    "table",
    [
        np.linspace(-1, 1, 64, dtype=np.float32).reshape(2, 32),
        np.full((2, 32), np.nan, np.float32),
        np.ones((2, 32)),
        np.ones(64, np.float32),
        np.ones((2, LEAST - 1), np.float32),
        np.ones((0, 32), np.float32),
        np.repeat(np.array([[1.0, 1.0 + 2**-23]], np.float32), 16, axis=1),
    ],
    ids=["a ramp", "no numbers", "float64", "one axis", "narrow", "empty", "nearly one magnitude"],
)
def test_what_is_no_table_of_signs_stays(table):
    assert signs_of(table) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"signs": np.zeros(7, np.uint8)},
        {"signs": np.zeros(8, np.int8)},
        {"scale": np.zeros(3, np.float32)},
        {"scale": np.zeros(2, np.float64)},
    ],
)
def test_what_does_not_fit_is_refused(damage):
    kept = {"signs": np.zeros(8, np.uint8), "scale": np.ones(2, np.float32)}
    assert table_of(kept, 2, 32).tolist() == [[1.0] * 32] * 2
    with pytest.raises(ValueError, match="2×32"):
        table_of({**kept, **damage}, 2, 32)
    with pytest.raises(ValueError):
        table_of(kept, 2**40, 32)
