"""What does not fit is refused, and a machine without the extension still computes."""

import subprocess
import sys

import numpy as np
import pytest

from bitproof import kernels
from bitproof.core import ShapeError, UnknownName
from bitproof.kernels import sets

X = np.ones((1, 8, 5, 5), np.float32)
W = kernels.pack_weight(np.ones((4, 8, 3, 3)))
WORDS = kernels.pack(X, axis=1)
LINEAR = kernels.pack_weight(np.ones((4, 8)))
CUT = kernels.cut(1, 0, 4, 72)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: kernels.pack(X, axis=4), "an array with an axis 4"),
        (lambda: kernels.pack(np.float32(1).reshape(())), "an array with an axis"),
        (lambda: kernels.pack(X, axis=1, threshold=np.ones(7)), "needs 1 value or 8"),
        (lambda: kernels.unpack(WORDS, 65), "65 signs are 2 uint64 words"),
        (lambda: kernels.unpack(WORDS.astype(np.int64), 8), "this array is int64"),
        (lambda: kernels.pack_weight(np.ones(4)), "a packed weight needs"),
        (lambda: kernels.pack_weight(np.ones((4, 0))), "without a 0"),
        (lambda: kernels.pack_weight(np.ones((4, 2, 3, 3)), groups=3), "groups=3 does not divide the 4"),
        (lambda: kernels.pack_weight(np.ones((1, 2**24), bool)), "not exact in float32"),
        (lambda: kernels.gemm(WORDS, W), "Use conv2d"),
        (lambda: kernels.gemm(WORDS.astype(np.int64), LINEAR), "Pack it with pack"),
        (lambda: kernels.conv2d(WORDS[0], W), r"needs packed \[n, h, w, words\]"),
        (lambda: kernels.conv2d(np.zeros((1, 5, 5, 2), np.uint64), W), "8 signs are 1 uint64 words"),
        (lambda: kernels.conv2d(WORDS, W, dilation=3), "does not fit"),
        (lambda: kernels.conv2d(WORDS, W, stride=0), "stride must be"),
        (lambda: kernels.conv2d(WORDS, W, padding=(1, -1)), "padding must be"),
        (lambda: kernels.conv2d(WORDS, W, pad=2), "pad=2 was asked for"),
        (lambda: kernels.conv2d(WORDS, W, kernels.Affine(np.ones(3))), "needs 1 value or 4"),
        (lambda: kernels.conv2d(WORDS, W, kernels.cut(1, 0, 5, 72)), "The cut has 5 thresholds"),
        (lambda: kernels.conv2d(WORDS, W, kernels.Cut(CUT.at, np.zeros(2, np.uint64))), "4 signs are 1"),
    ],
)
def test_what_does_not_fit_is_refused(call, words):
    with pytest.raises(ShapeError, match=f"(?i){words}"):
        call()


def test_an_unknown_set_is_refused_by_name(monkeypatch):
    with pytest.raises(UnknownName, match=r"(?s)'avx1024'.*reference"):
        kernels.gemm(kernels.pack(np.ones((1, 8), np.float32)), LINEAR, kernels="avx1024")
    monkeypatch.setenv("BITPROOF_KERNELS", "mmx")
    with pytest.raises(UnknownName, match="'mmx'"):
        kernels.chosen()


def test_the_variable_and_the_argument_choose(monkeypatch):
    monkeypatch.setenv("BITPROOF_KERNELS", "reference")
    assert kernels.chosen() == "reference"
    assert kernels.chosen(kernels.available()[0]) == kernels.available()[0]


@pytest.fixture
def without_the_extension(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitproof.kernels._native", None)
    cached = (sets.native, sets.available, sets._warn)
    for function in cached:
        function.cache_clear()
    yield
    monkeypatch.undo()
    for function in cached:
        function.cache_clear()


def test_without_the_extension_the_reference_works_and_says_so_once(without_the_extension):
    with pytest.warns(RuntimeWarning, match="NumPy reference is used.*pip install") as seen:
        words = kernels.pack(X, axis=1)
        assert kernels.conv2d(words, W).tolist() == np.full((1, 3, 3, 4), 72).tolist()
    assert len(seen) == 1
    assert kernels.available() == ("reference",)
    assert "were not built" in kernels.status()


def test_importing_the_room_imports_no_torch():
    code = "import sys, bitproof.kernels; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
