"""Every instruction set of this processor against the reference: equal, bit by bit."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels_cases import NATIVE, Layer, needs_native, packed

from bitproof import kernels

pytestmark = needs_native


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


LAYERS = st.builds(
    Layer,
    seed=st.integers(0, 2**32),
    c=st.sampled_from([1, 2, 5, 31, 32, 33, 64, 65, 96, 130]),
    o=st.sampled_from([1, 3, 15, 16, 17, 32, 33, 64, 70]),
    groups=st.sampled_from([1, 1, 2, 3]),
    kernel=pairs(1, 3),
    stride=pairs(1, 3),
    padding=pairs(0, 3),
    dilation=pairs(1, 3),
    pad=st.sampled_from([1, -1, 0]),
    size=pairs(1, 9),
    images=st.integers(1, 3),
)
DEPTHWISE = st.builds(
    Layer,
    seed=st.integers(0, 2**32),
    c=st.just(1),
    o=st.just(1),
    groups=st.sampled_from([2, 31, 32, 64, 65, 600]),
    kernel=pairs(1, 5),
    stride=pairs(1, 2),
    padding=pairs(0, 2),
    dilation=pairs(1, 2),
    pad=st.sampled_from([1, -1, 0]),
    size=pairs(1, 6),
)
EPILOGUES = st.sampled_from(["counts", "affine", "cut"])


def epilogue(layer: Layer, kind: str):
    scale, bias = layer.affine()
    terms = layer.c * layer.kernel[0] * layer.kernel[1]
    return {"counts": None, "affine": kernels.Affine(scale, bias), "cut": kernels.cut(scale, bias, layer.outputs, terms)}[kind]


def same(layer: Layer, kind: str, threads: int) -> None:
    then = epilogue(layer, kind)
    expected = packed(layer, then, kernels="reference")
    for name in NATIVE:
        found = packed(layer, then, kernels=name, threads=threads)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected, err_msg=f"{name}, {threads} threads, {kind}, {layer}")


@given(LAYERS, EPILOGUES, st.integers(1, 3))
@settings(deadline=None, max_examples=250)
def test_convolutions(layer, kind, threads):
    same(layer, kind, threads)


@given(DEPTHWISE, EPILOGUES, st.integers(1, 3))
@settings(deadline=None, max_examples=80)
def test_depthwise_convolutions(layer, kind, threads):
    same(layer, kind, threads)


@pytest.mark.parametrize(("m", "k", "n"), product((1, 7, 8, 9, 65, 130), (1, 32, 63, 64, 65, 768, 2100), (1, 16, 31, 33, 130)))
def test_gemms_of_ragged_shapes(m, k, n):
    random = np.random.default_rng(m * 10**6 + k * 10**3 + n)
    x, w = random.standard_normal((m, k), dtype=np.float32), kernels.pack_weight(random.standard_normal((n, k)))
    words = kernels.pack(x, kernels="reference")
    expected = kernels.gemm(words, w, kernels="reference")
    for name, threads in product(NATIVE, (1, 2)):
        np.testing.assert_array_equal(kernels.pack(x, kernels=name, threads=threads), words)
        np.testing.assert_array_equal(kernels.gemm(words, w, kernels=name, threads=threads), expected)


@pytest.mark.parametrize("value", [1, -1])
def test_counts_that_fill_the_byte_counters(value):
    """All products alike over many words: the byte counters of AVX2, NEON and portable code are at their fullest."""
    x, w = np.full((3, 5000), value, np.float32), kernels.pack_weight(np.ones((20, 5000)))
    for name in NATIVE:
        assert (kernels.gemm(kernels.pack(x), w, kernels=name) == 5000 * value).all()


@given(st.integers(0, 2**32), st.integers(1, 140), st.integers(1, 140), st.booleans(), st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_packing_along_either_axis_with_and_without_thresholds(seed, channels, positions, shifted, threads):
    random = np.random.default_rng(seed)
    x = random.integers(-2, 3, (2, channels, positions)).astype(np.float32)
    threshold = random.integers(-1, 2, channels).astype(np.float32) if shifted else None
    for axis, array in ((1, x), (2, np.ascontiguousarray(x.transpose(0, 2, 1)))):
        expected = kernels.pack(array, axis=axis, threshold=threshold, kernels="reference")
        for name in NATIVE:
            found = kernels.pack(array, axis=axis, threshold=threshold, threads=threads, kernels=name)
            np.testing.assert_array_equal(found, expected, err_msg=name)


BIG = Layer(c=64, o=64, size=(20, 20), images=1)


def test_callers_in_several_threads_get_their_own_results():
    expected = packed(BIG, kernels="reference")
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: packed(BIG, threads=2), range(40)):
            np.testing.assert_array_equal(found, expected)


def _in_a_child(connection):
    connection.send(packed(BIG, threads=2).sum())


@pytest.mark.filterwarnings("ignore")  # forking beside threads is what is tested
def test_a_forked_child_has_threads_of_its_own():
    expected = packed(BIG, threads=2).sum()
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_in_a_child, args=(theirs,))
    child.start()
    assert ours.poll(60), "the child never answered"
    assert ours.recv() == expected
    child.join()
