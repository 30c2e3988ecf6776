"""Instructions of a plan against NumPy, on every instruction set; those on packed words against the ops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitproof import kernels
from bitproof.core import ShapeError

SETS = [name for name in kernels.available() if name != kernels.REFERENCE]
pytestmark = pytest.mark.skipif(not SETS, reason="the C++ kernels were not built")
MAPS = {
    "clip": np.clip,
    "prelu": lambda x, a, b: np.where(x > 0, x, np.float32(a) * x),
    "add": lambda x, a, b: x + np.float32(a),
    "sub": lambda x, a, b: x - np.float32(a),
    "mul": lambda x, a, b: x * np.float32(a),
    "div": lambda x, a, b: x / np.float32(a),
}
PAIRS = {
    "prelu": lambda x, z: np.where(x > 0, x, z * x),
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def ran(name, add, *arrays, threads=1):
    """Run a plan of one instruction on slots of ``arrays``."""
    plan = kernels.Plan(name)
    add(plan, *[(plan.slot(array.ctypes.data), 0) for array in arrays])
    plan.run(0, len(plan), threads)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("f", MAPS)
def test_a_value_at_a_time(name, f):
    for n in (1, 15, 16, 33, 70_000):
        x, y = draw(n), np.empty(n, np.float32)
        x[0] = np.nan
        ran(name, lambda plan, a, b, n=n: plan.map(f, a, n, -0.3, 0.4, b), x, y, threads=2)
        assert np.array_equal(y, MAPS[f](x, -0.3, 0.4), equal_nan=True)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("f", PAIRS)
@pytest.mark.parametrize("repeats", [True, False])
def test_two_values_at_a_time(name, f, repeats):
    for rows, n in ((1, 1), (3, 17), (700, 64)):
        x, y = draw(rows, n), np.empty((rows, n), np.float32)
        z = draw(n, seed=1) if repeats else draw(rows, n, seed=1)
        ran(name, lambda plan, a, b, c, rows=rows, n=n: plan.pair(f, a, b, rows, n, repeats, c), x, z, y, threads=2)
        assert np.array_equal(y, PAIRS[f](x, z))


@pytest.mark.parametrize("name", SETS)
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 37), st.integers(1, 19), st.integers(1, 3), st.booleans())
def test_float_products(name, terms, outputs, positions, step, shuffled):
    x, w, bias = draw(3, 200), draw(terms, outputs, seed=1), draw(outputs, seed=2)
    offsets = np.random.default_rng(terms).permutation(terms) if shuffled else np.arange(terms)
    y = np.full((2, positions, outputs), np.nan, np.float32)
    ran(name, lambda p, a, b: p.dense(a, w, bias, offsets, (1, 2, positions), (0, 200, step), b), x, y)
    seen = np.stack([[x[r, p * step + offsets] for p in range(positions)] for r in (0, 1)])
    np.testing.assert_allclose(y, seen.astype(np.float64) @ w + bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SETS)
def test_means_copies_and_constants(name):
    x, y = draw(3, 5, 18), np.empty((3, 18), np.float32)
    ran(name, lambda plan, a, b: plan.means(a, x.shape, b), x, y)
    np.testing.assert_allclose(y, x.mean(1), rtol=1e-5, atol=1e-6)
    turned = np.empty((18, 3, 5), np.float32)
    ran(name, lambda plan, a, b: plan.copy(a, (18, 3, 5), (1, 90, 18), (15, 5, 1), b), x, turned)
    assert np.array_equal(turned, x.transpose(2, 0, 1))
    ran(name, lambda plan, a: plan.fill(a, 4, 2.5), y)
    assert (y.reshape(-1)[:4] == 2.5).all() and y.reshape(-1)[4] != 2.5


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("groups", [1, 2, 70])
def test_packed_products_are_those_of_the_ops(name, groups):
    x, w = draw(2, 6, 5, 70), kernels.pack_weight(draw(70, 70 // groups, 3, 3, seed=1), groups)
    words, at = kernels.pack(x), draw(70, seed=3)
    scale, bias = draw(70, seed=4), draw(70, seed=5)
    steps = {"stride": (2, 1), "padding": (1, 1), "dilation": (1, 1), "pad": 0}
    for then in (kernels.Affine(scale, bias), kernels.cut(scale, bias, 70, w.terms)):
        expected = kernels.conv2d(words, w, then, **steps)
        y = np.full(expected.shape, 7, expected.dtype)
        ran(name, lambda plan, a, b, then=then: plan.conv(a, (2, 6, 5), w, then, b, **steps), words, y)
        assert np.array_equal(y, expected)
    packed = np.zeros((2 * 6 * 5, 2), np.uint64)
    ran(name, lambda plan, a, b: plan.pack(a, (60, 70, 1), at, b), x, packed)
    assert np.array_equal(packed.reshape(2, 6, 5, 2), kernels.pack(x, threshold=at))


def test_memory_is_given_anew_and_parts_run_alone():
    plan, x, y, z = kernels.Plan(), draw(20), np.zeros(20, np.float32), np.zeros(20, np.float32)
    first, second = plan.slot(x.ctypes.data), plan.slot(y.ctypes.data)
    plan.map("mul", (first, 0), 20, 2.0, 0.0, (second, 0))
    plan.map("add", (second, 10), 10, 1.0, 0.0, (second, 10))
    plan.run(0, 1)
    assert np.array_equal(y, 2 * x)
    plan.bind(second, z.ctypes.data)
    plan.run(0, len(plan))
    assert np.array_equal(z[10:], 2 * x[10:] + 1) and np.array_equal(y, 2 * x)


def test_what_a_plan_refuses():
    plan = kernels.Plan()
    with pytest.raises(ValueError, match="no float step erf"):
        plan.map("erf", (0, 0), 1, 0, 0, (0, 0))
    with pytest.raises(ShapeError, match="has a bias"):
        plan.dense((0, 0), draw(3, 4), draw(3), np.arange(3), (1, 1, 1), (0, 0, 0), (0, 0))
