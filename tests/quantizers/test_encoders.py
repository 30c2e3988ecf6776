"""Forward and gradient of the methods for encoders, written again in NumPy from their docstrings."""

import numpy as np
import pytest
import torch
from test_binary import ROWS, both, close, draw, make, sign

from bitproof.core import SpecError
from bitproof.quantizers import OPERANDS, QUANTIZERS


@pytest.mark.parametrize("name", ["bibert", "elastic"])
def test_weights_are_centred_and_keep_the_mean_of_what_was(name):
    w, g = draw()
    w = w + 0.3
    centre, scale = w.mean(1, keepdims=True), np.abs(w).mean(1, keepdims=True)
    dv = scale * g * (np.abs(w - centre) <= 1)
    w_hat, dw, _ = both(make(name, w, **ROWS), w, g)
    close(w_hat, scale * sign(w - centre))
    close(dw, dv - dv.mean(1, keepdims=True))


def test_bibert_inputs_have_no_scale():
    x, g = draw()
    x_hat, dx, _ = both(make("bibert", x, "activation"), x, g)
    close(x_hat, sign(x))
    close(dx, g * (np.abs(x) <= 1))


def bi_attention_map(a):
    quantizer = QUANTIZERS.load("bibert").at_operand("map")(bits=1, role="activation")
    quantizer.observe(torch.from_numpy(a).float())
    quantizer.freeze()
    return quantizer


def test_bi_attention_is_a_threshold_with_a_gradient_inside_1():
    d = 64  # scores lie on the grid of even numbers over √d, so that ±8/√64 = ±1 comes up, and is outside
    a = np.random.default_rng(0).integers(-8, 9, (6, 50)) * 2 / np.sqrt(d)
    g = draw()[1]
    m, da, _ = both(bi_attention_map(a), a, g)
    assert (np.abs(a) == 1).any()
    close(m, (a >= 0).astype(float))
    close(da, g * (np.abs(a) < 1))


def test_the_threshold_of_bi_attention_keeps_most_entropy():
    """Scores that are symmetric around 0: no other threshold lets a map say more (arXiv 2203.06390, theorem 1)."""
    a = np.random.default_rng(0).standard_normal(200_000)

    def entropy(t):
        p = (a >= t).mean()
        return -p * np.log2(p) - (1 - p) * np.log2(1 - p)

    assert entropy(0) > max(entropy(t) for t in (-0.5, -0.1, 0.1, 0.5))
    assert entropy(0) == pytest.approx(1, abs=1e-4)


def test_only_the_map_has_a_form_of_its_own():
    method = QUANTIZERS.load("bibert")
    assert [method.at_operand(word).of_scores for word in OPERANDS] == [word == "map" for word in OPERANDS]


def test_elastic_inputs_of_both_signs():
    x, g = draw()
    quantizer = make("elastic", x, "activation")
    assert quantizer.low == -1
    close(quantizer.info().scale, 2 * np.abs(x).mean())
    s, t = 1.3, 0.2
    x_hat, dx = moved(quantizer, s, t, x, g)
    v = (x - t) / s
    close(x_hat, s * sign(x - t))
    close(dx, g * (np.abs(v) <= 1))
    close(quantizer.scale.grad, (g * sign(x - t)).sum() / np.sqrt(x.size))
    close(quantizer.shift.grad, -dx.sum() / np.sqrt(x.size))


@pytest.mark.parametrize("lowest", [0.0, -0.1699])
def test_elastic_inputs_that_hardly_fall_below_0(lowest):
    x, g = draw()
    x = np.maximum(x, lowest).astype(np.float32).astype(float)
    quantizer = make("elastic", x, "activation")
    assert quantizer.low == 0 and quantizer.info().levels == 2
    s, t = 0.9, 0.15
    x_hat, dx = moved(quantizer, s, t, x, g)
    v = (x - t) / s
    code, inside = (v >= 0.5).astype(float), (v >= 0) & (v <= 1)
    close(x_hat, s * code)
    close(dx, g * inside)
    close(quantizer.scale.grad, (g * (code - np.where(inside, v, 0))).sum() / np.sqrt(x.size))
    close(quantizer.shift.grad, -dx.sum() / np.sqrt(x.size))


def moved(quantizer, s, t, x, g):
    """Run away from where it started, since there some terms vanish; return x_hat and dx."""
    with torch.no_grad():
        quantizer.scale.fill_(s)
        quantizer.shift.fill_(t)
    return both(quantizer, x, g)[:2]


def test_elastic_codes_survive_a_state_dict():
    x = torch.from_numpy(np.maximum(draw()[0], 0)).float()
    quantizer, fresh = make("elastic", x.numpy(), "activation"), QUANTIZERS.load("elastic")(bits=1, role="activation")
    fresh.load_state_dict(quantizer.state_dict())
    assert torch.equal(fresh(x), quantizer(x)) and fresh.low == 0
    assert torch.equal(fresh.codes(x), torch.where(x < fresh.info().threshold, 0, 1).int())


@pytest.mark.parametrize("name", ["bibert", "elastic"])
def test_more_bits_are_refused(name):
    with pytest.raises(SpecError, match="1 bit alone"):
        QUANTIZERS.load(name)(bits=2)
