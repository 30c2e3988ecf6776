"""PTQ4ViT, APQ-ViT and RepQ-ViT against their formulas in NumPy, and what holds for any input."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bitproof.core import BitproofError, ShapeError, SpecError
from bitproof.quantizers import QUANTIZERS
from bitproof.quantizers.guided import GELU_LOWEST

METHODS = ("ptq4vit", "apq-vit", "repq-vit")


def calibrated(name, x, operand=None, **words):
    method = QUANTIZERS.load(name)
    method = method if operand is None else method.at_operand(operand)
    symmetric = {} if name == "ptq4vit" or words.get("role", "activation") == "weight" else {"symmetric": False}
    quantizer = method(**{"role": "activation", **symmetric, **words})
    quantizer.observe(x)
    quantizer.freeze()
    return quantizer


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def attention_map(heads=3, n=16, seed=0):
    return (3 * drawn(4, heads, n, n, seed=seed)).softmax(-1)


@pytest.mark.parametrize("k", [0.3, 1.0, 1.2])
def test_ptq4vit_is_its_formula(k):
    x = drawn(8, 20)
    quantizer = calibrated("ptq4vit", x, bits=4)
    quantizer.take(torch.tensor(k))
    values = x.double().numpy()
    s = k * np.abs(values).max() / 7.5
    np.testing.assert_allclose(quantizer(x).numpy(), s * np.clip(np.rint(values / s), -8, 7), rtol=1e-5, atol=1e-6)
    assert quantizer.choices()[0] == 0.01 and quantizer.choices()[-1] == pytest.approx(1.2) and len(quantizer.choices()) == 101


@pytest.mark.parametrize("name", ["ptq4vit", "apq-vit"])
def test_gelu_has_two_steps(name):
    x = torch.nn.functional.gelu(2 * drawn(50, 40))
    quantizer = calibrated(name, x, bits=4)
    assert quantizer.twin
    quantizer.take(torch.tensor(0.8))
    values = x.double().numpy()
    up = 0.8 * values.max() / (7.5 if name == "ptq4vit" else 7)
    down = GELU_LOWEST / 8
    expected = np.where(values < 0, down * np.clip(np.rint(values / down), -8, 0), up * np.clip(np.rint(values / up), 0, 7))
    np.testing.assert_allclose(quantizer(x).numpy(), expected, rtol=1e-5, atol=1e-6)
    info, q = quantizer.info(), quantizer.codes(x)
    assert torch.equal(info.values[(q - info.low).long()], quantizer(x)) and len(info.values) == 16
    given = x.clone().requires_grad_()
    quantizer(given).sum().backward()
    np.testing.assert_array_equal(given.grad.numpy(), (values <= 7.5 * up) * 1.0)


@pytest.mark.parametrize("low", [-0.5, -0.18])
def test_other_inputs_have_one_step(low):
    assert not calibrated("apq-vit", torch.tensor([low, 0.1, 3.0]), bits=4).twin


@pytest.mark.parametrize("split", [2.0**-1, 2.0**-4])
def test_ptq4vits_map_is_its_formula(split):
    x = attention_map()
    quantizer = calibrated("ptq4vit", x, "map", bits=4)
    quantizer.take(torch.tensor(split))
    values = x.double().numpy()
    fine = split / 7
    expected = np.where(values >= split, np.rint(values * 7) / 7, fine * np.clip(np.rint(values / fine), 0, 7))
    np.testing.assert_allclose(quantizer(x).numpy(), expected, rtol=1e-5, atol=1e-6)
    assert quantizer.choices() == [2.0**-i for i in range(20)]


@pytest.mark.parametrize("k", [0.9, 1.0, 1.2])
def test_apqs_operands_have_a_range_a_head(k):
    x = drawn(4, 3, 8, 5) * torch.tensor([1.0, 10.0, 0.1]).view(3, 1, 1) + 0.02
    quantizer = calibrated("apq-vit", x, "query", bits=4)
    quantizer.take(torch.full((3, 1, 1), k))
    values = x.double().numpy()
    lo, hi = (getattr(values, end)(axis=(0, 2, 3)).reshape(3, 1, 1) * k for end in ("min", "max"))
    s = (hi - lo) / 15
    z = np.clip(np.rint(-lo / s), 0, 15)
    x_hat, expected = quantizer(x).numpy(), s * (np.clip(np.rint(values / s + z), 0, 15) - z)
    np.testing.assert_allclose(x_hat, expected, rtol=1e-5, atol=1e-5)
    assert quantizer.info().scale.shape == (3, 1, 1)
    given = x.clone().requires_grad_()
    quantizer(given).sum().backward()
    inside = (values / s + z >= -0.5) & (values / s + z <= 15.5)
    np.testing.assert_allclose(given.grad.numpy(), inside * 1.0, rtol=1e-5)


def test_the_largest_attention_stays():
    """Matthew-effect preserving: each head's largest value has the top code, and 0 is a code."""
    x = attention_map()
    quantizer = calibrated("apq-vit", x, "map", bits=4)
    largest = x.amax((0, 2, 3))
    torch.testing.assert_close(quantizer(x).amax((0, 2, 3)), largest, rtol=0.04, atol=0)
    assert not quantizer(torch.zeros(1, 3, 2, 2)).any()


def test_repqs_map_is_powers_of_root_two():
    x = attention_map()
    quantizer = calibrated("repq-vit", x, "map", bits=4)
    d = float(quantizer.levels[0])
    assert 0.9 * float(x.max()) < d <= float(x.max())
    values = x.double().numpy()
    n = np.clip(np.rint(-2 * np.log2(values / d)), 0, 15)
    expected = np.where(n < 15, d * 2.0 ** (-n / 2), 0)
    near_a_threshold = np.abs(np.abs(-2 * np.log2(values / d) % 1) - 0.5) < 1e-4
    np.testing.assert_allclose(quantizer(x).numpy()[~near_a_threshold], expected[~near_a_threshold], rtol=1e-5)
    # The page of the paper: 2^(−⌈n/2⌉)·((n mod 2)·(√2 − 1) + 1)·D
    m = np.arange(15)
    np.testing.assert_allclose(quantizer.levels[:15], d * 2.0 ** -np.ceil(m / 2) * ((m % 2) * (np.sqrt(2) - 1) + 1), rtol=1e-6)


def test_repq_leaves_tails_out_where_that_rounds_better():
    x = drawn(100_000)
    plain = calibrated("repq-vit", x, bits=4).info().scale
    x[0] = 50.0
    assert float(calibrated("repq-vit", x, bits=4).info().scale) == pytest.approx(float(plain), rel=0.1)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("operand", ["query", "key", "map", "value"])
def test_operands_keep_their_promises(name, operand):
    """What the contract asks of every quantizer, of the forms that are met in attentions."""
    x = attention_map() if operand == "map" else drawn(4, 3, 16, 8)
    for bits in (2, 4, 8):
        quantizer = calibrated(name, x, operand, bits=bits)
        before, x_hat = x.clone(), quantizer(x)
        assert torch.equal(x, before) and torch.equal(quantizer.dequantize(quantizer.codes(x)), x_hat)
        info = quantizer.info()
        for head in x_hat.unbind(1):
            assert len(head.unique()) <= info.levels <= 2**bits
        fresh = type(quantizer)(bits=bits, role="activation", symmetric=quantizer.symmetric)
        fresh.load_state_dict(quantizer.state_dict())
        assert torch.equal(fresh(x), x_hat)
        for mode in quantizer.gradients:
            quantizer.gradient = "bpda:decay" if mode == "bpda" else mode
            given = x.clone().requires_grad_()
            (quantizer(given) * x).sum().backward()
            assert bool(given.grad.isfinite().all()) and bool(given.grad.any()) == (mode != "exact")


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.float32, (2, 3, 6, 6), elements=st.floats(0, 1, width=32)),
    st.sampled_from(METHODS),
    st.sampled_from([2, 3, 4, 6, 8]),
    st.integers(0, 19),
)
def test_maps_of_any_values(values, name, bits, choice):
    """Ordered as they were, twin maps within each range; at most 2^bits levels; rounding twice changes nothing where it is said."""
    x = torch.from_numpy(values)
    quantizer = calibrated(name, x, "map", bits=bits)
    if name == "ptq4vit":
        quantizer.take(torch.tensor(quantizer.choices()[choice]))
    split = float(quantizer.split) if name == "ptq4vit" else 2.0
    for head in range(3):
        given, x_hat = x[:, head].flatten(), quantizer(x)[:, head].flatten()
        assert len(x_hat.unique()) <= 2**bits
        for part in (given < split, given >= split):
            assert bool((x_hat[part][given[part].argsort()].diff() >= -1e-6).all())
    assert bool(quantizer(x).isfinite().all()) and bool((quantizer(x) >= 0).all())
    if quantizer.idempotent:
        torch.testing.assert_close(quantizer(quantizer(x)), quantizer(x))


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.float32, (2, 2, 4, 3), elements=st.floats(-100, 100, width=32)),
    st.sampled_from(["ptq4vit", "apq-vit"]),
    st.sampled_from([2, 4, 8]),
    st.floats(0.5, 1.2),
)
def test_ranges_of_any_share(values, name, bits, k):
    x = torch.from_numpy(values)
    quantizer = calibrated(name, x, "query", bits=bits)
    quantizer.take(torch.full((2, 1, 1), k))
    x_hat, info = quantizer(x), quantizer.info()
    inside = (x >= (info.low - info.zero_point) * info.scale) & (x <= (info.high - info.zero_point) * info.scale)
    assert bool(((x_hat - x).abs()[inside] <= (0.501 * info.scale).expand_as(x)[inside] + 1e-6).all())
    assert torch.equal(quantizer.dequantize(quantizer.codes(x)), x_hat)


@pytest.mark.parametrize(
    ("recipe", "words", "message"),
    [
        ("apq-vit", {"eliminate": 1.0}, "0 ≤ eliminate < 1"),
        ("apq-vit", {"candidates": 0}, "candidates=0"),
        ("ptq4vit", {"rounds": 0}, "rounds=0"),
        ("ptq4vit", {"symmetric": False}, "symmetric ranges only"),
    ],
)
def test_bad_settings_are_refused(recipe, words, message):
    with pytest.raises(SpecError, match=message):
        QUANTIZERS.load(recipe)(bits=4, role="activation", **words)


def test_what_cannot_be_is_said():
    with pytest.raises(ShapeError, match="heads"):
        QUANTIZERS.load("apq-vit").at_operand("key")(bits=4, role="activation").observe(torch.ones(3, 4))
    with pytest.raises(BitproofError, match="calibrate"):
        QUANTIZERS.load("apq-vit").at_operand("key")(bits=4, role="activation")(torch.ones(3, 4, 4))
    with pytest.raises(BitproofError, match="calibrate anew"):
        QUANTIZERS.load("apq-vit")(bits=4, role="activation").take(torch.tensor(1.0))
