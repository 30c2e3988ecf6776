"""Every registered method through one list of checks."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bitproof.core import BitproofError, ShapeError, SpecError, UnknownName
from bitproof.quantizers import QUANTIZERS, Quantizer

METHODS = [name for name in QUANTIZERS if 4 in QUANTIZERS.load(name).widths]  # 1 bit: the files test_binary*
POST_TRAINING = [name for name in METHODS if not QUANTIZERS.load(name).trainable]
TRAINED = [name for name in METHODS if QUANTIZERS.load(name).trainable]
#: role, per channel, symmetric
USES = [("weight", True, True), ("weight", False, True), ("activation", False, True), ("activation", False, False)]
CASES = [(n, *use) for n in METHODS for use in USES if use[2] or not QUANTIZERS.load(n).symmetric_only]
FIXED = [case for case in CASES if case[:2] != ("n2uq", "weight")]  # its scale follows the weight, and 0 is none of its levels

values = hnp.arrays(
    np.float32, (3, 7), elements=st.floats(-1e4, 1e4, width=32) | st.sampled_from([0.0, -0.0, 1e-30, -1e-30, 0.5, 1.0, -1.0])
)


def build(name, role="weight", per_channel=False, symmetric=True, bits=4, **settings_):
    channels = 3 if per_channel else None
    return QUANTIZERS.load(name)(bits=bits, role=role, channels=channels, axis=-2, symmetric=symmetric, **settings_)


def calibrated(x, *args, **kwargs):
    quantizer = build(*args, **kwargs)
    quantizer.observe(x)
    quantizer.freeze()
    return quantizer


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=25, deadline=None)
@given(x=values, y=values, bits=st.integers(2, 8))
def test_a_grid_of_codes(case, x, y, bits):
    x, y = torch.from_numpy(x.copy()), torch.from_numpy(y.copy())
    quantizer = calibrated(x, *case, bits=bits)
    info = quantizer.info()
    for z in (x, y):  # also on data that calibration did not see
        q = quantizer.codes(z)
        x_hat = quantizer(z)
        assert q.dtype == torch.int32
        assert info.low <= int(q.min()) and int(q.max()) <= info.high
        assert info.levels == 2**bits
        assert torch.equal(quantizer.dequantize(q), x_hat)
        assert torch.isfinite(x_hat).all()
        assert x_hat.shape == z.shape and x_hat.dtype == torch.float32
        worth = (q - info.zero_point).float() * info.scale if info.values is None else info.values[(q - info.low).long()]
        assert torch.equal(worth, x_hat)
        if quantizer.idempotent:
            assert torch.equal(quantizer(x_hat), x_hat)
    assert (info.scale > 0).all()


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=15, deadline=None)
@given(x=values, bits=st.integers(2, 8))
def test_monotone_and_zero_is_a_level(case, x, bits):
    x = torch.from_numpy(x.copy())
    quantizer = calibrated(x, *case, bits=bits)
    ordered = quantizer(x.sort(dim=1).values)
    assert (ordered.diff(dim=1) >= 0).all()
    info = quantizer.info()
    if (info.zero_point - info.low) % info.spacing == 0:  # not where all codes are odd
        assert (quantizer(torch.zeros_like(x)) == 0).all()


@pytest.mark.parametrize("case", FIXED, ids=str)
def test_zeros_have_a_scale(case):
    x = torch.randn(3, 7)
    x[1] = 0
    quantizer = calibrated(x, *case)
    assert (quantizer(x)[1] == 0).all()
    assert (quantizer.info().scale > 0).all()
    nothing = calibrated(torch.zeros(3, 7), *case)
    assert torch.equal(nothing(torch.zeros(3, 7)), torch.zeros(3, 7))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_state_dict_is_the_whole_state(case):
    x = torch.randn(3, 7)
    quantizer = calibrated(x, *case)
    fresh = build(*case)
    fresh.load_state_dict(quantizer.state_dict())
    assert torch.equal(fresh(x), quantizer(x))
    assert torch.equal(fresh.codes(x), quantizer.codes(x))
    assert torch.equal(copy.deepcopy(quantizer)(x), quantizer(x))
    unsigned = calibrated(x.abs(), *case)
    quantizer.load_state_dict(unsigned.state_dict())  # the numbers read before must not outlive the load
    assert torch.equal(quantizer.codes(x), unsigned.codes(x))


@pytest.mark.parametrize("case", FIXED, ids=str)
def test_ranges_do_not_move_after_freeze(case):
    x = torch.randn(3, 7)
    quantizer = calibrated(x, *case).eval()
    before = {key: value.clone() for key, value in quantizer.state_dict().items()}
    alone = quantizer(x[:, :2] * 100)
    together = quantizer(torch.cat([x[:, :2] * 100, x], 1))[:, :2]
    if quantizer.role == "activation":
        assert torch.equal(alone, together)
    assert all(torch.equal(before[key], value) for key, value in quantizer.state_dict().items())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_batching_does_not_matter_to_ranges(case):
    if case[0] in ("lsq", "n2uq") or case[:2] == ("lsqplus", "weight"):
        pytest.skip("it starts from one batch, as its paper does")
    x = torch.randn(3, 64)
    whole, parts = calibrated(x, *case), build(*case)
    for part in x.split(5, dim=1):
        parts.observe(part)
    parts.freeze()
    assert torch.equal(whole(x), parts(x))


@pytest.mark.parametrize("name", METHODS)
def test_calibrate_first(name):
    quantizer = build(name)
    with pytest.raises(BitproofError, match="calibrate first"):
        quantizer(torch.ones(3, 7))
    with pytest.raises(BitproofError, match="calibrate first"):
        quantizer.info()
    with pytest.raises(BitproofError, match="observe"):
        quantizer.freeze()


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("bits", [-1, 0, 1, 9, 32])
def test_bits_outside_2_to_8_are_refused(name, bits):
    with pytest.raises(SpecError, match="2 to 8"):
        build(name, bits=bits)


def test_one_bit_is_named_as_binarization():
    with pytest.raises(SpecError, match="Binarization"):
        build("lsq", bits=1)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("per_channel", [False, True])
def test_numbers_that_are_none_are_refused(name, bad, per_channel):
    x = torch.ones(3, 7)
    x[1, 3] = bad
    if bad != bad or name not in ("dorefa", "pact"):  # tanh makes infinite weights finite
        with pytest.raises(ShapeError, match="NaN or infinity"):
            build(name, per_channel=per_channel).observe(x)


def test_wrong_shapes_are_refused():
    with pytest.raises(ShapeError, match="3 channels"):
        build("minmax", per_channel=True).observe(torch.ones(4, 7))
    with pytest.raises(ShapeError, match="empty"):
        build("minmax").observe(torch.ones(0, 7))


@pytest.mark.parametrize(
    "words",
    [{"role": "input"}, {"channels": 0}, {"channels": 3, "axis": 0}, {"channels": 3, "axis": -1, "symmetric": False}],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(words):
    with pytest.raises(SpecError):
        QUANTIZERS.load("minmax")(bits=4, **words)


@pytest.mark.parametrize("name", [name for name in METHODS if QUANTIZERS.load(name).symmetric_only])
def test_symmetric_methods_refuse_affine(name):
    with pytest.raises(SpecError, match="symmetric"):
        build(name, "activation", symmetric=False)


def test_an_unknown_gradient_mode_is_refused():
    quantizer = calibrated(torch.randn(3, 7), "minmax")
    quantizer.gradient = "smooth"
    x = torch.randn(3, 7, requires_grad=True)
    with pytest.raises(SpecError, match="ste-full"):
        quantizer(x).sum().backward()


@pytest.mark.parametrize("name", METHODS)
def test_the_input_is_not_changed(name):
    x = torch.randn(3, 7)
    kept = x.clone()
    quantizer = calibrated(x, name)
    quantizer(x)
    quantizer.codes(x)
    assert torch.equal(x, kept)


def test_registry_words():
    with pytest.raises(UnknownName, match="'lsq'"):
        QUANTIZERS.load("lqs")
    for card in QUANTIZERS.cards():
        assert card.summary.endswith(".") and card.source.startswith("arXiv") and card.version >= 1
    built = QUANTIZERS.build("percentile:bits=4,q=99.9,role=activation")
    assert isinstance(built, Quantizer) and built.q == 99.9
    assert {f.name for f in dataclasses.fields(Quantizer) if f.init} == {"bits", "role", "channels", "axis", "symmetric"}


@pytest.mark.parametrize("name", QUANTIZERS)
def test_docstrings_are_complete(name):
    text = QUANTIZERS.load(name).__doc__
    for part in ("Forward", "Backward", "Shapes:", "Source: arXiv", "Differs from the paper:"):
        assert part in text
