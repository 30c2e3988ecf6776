"""Forward and gradient of each binarization method, written again in NumPy from its docstring."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bitproof.core import SpecError
from bitproof.quantizers import QUANTIZERS

METHODS = ("bnn", "xnor", "bireal", "xnorpp", "reactnet", "recu", "fda", "dorefa", "bibert", "elastic")


def make(name, x, role="weight", **words):
    quantizer = QUANTIZERS.load(name).at_width(1)(bits=1, role=role, **words)
    quantizer.observe(torch.from_numpy(x).float())
    quantizer.freeze()
    return quantizer


def draw(seed=0, shape=(6, 50), wide=1.0):
    rng = np.random.default_rng(seed)
    x = (wide * rng.standard_normal(shape)).astype(np.float32)
    x[0, :3] = 0, 1, -1
    return x.astype(float), rng.standard_normal(shape).astype(np.float32).astype(float)


def both(quantizer, x, g):
    """Return x_hat, dx and the learned number's gradient, if there is one."""
    free = torch.from_numpy(x).float().requires_grad_()
    x_hat = quantizer(free)
    x_hat.backward(torch.from_numpy(g).float())
    learned = [p.grad.double().numpy() for p in quantizer.parameters() if p.grad is not None]
    return x_hat.detach().double().numpy(), free.grad.double().numpy(), learned[0] if learned else None


def sign(x):
    return np.where(x < 0, -1.0, 1.0)


def tent(x):
    return np.maximum(0, 2 - 2 * np.abs(x))


def rows(x):
    return x.mean(1, keepdims=True)


def close(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


ROWS = {"channels": 6, "axis": -2}


def test_bnn():
    x, g = draw()
    for role in ("weight", "activation"):
        x_hat, dx, _ = both(make("bnn", x, role), x, g)
        close(x_hat, sign(x))
        close(dx, g * (np.abs(x) <= 1))


def test_xnor_weights_follow_the_product_rule():
    w, g = draw()
    w_hat, dw, _ = both(make("xnor", w, **ROWS), w, g)
    alpha = rows(np.abs(w))
    close(w_hat, alpha * sign(w))
    inside = np.where(w == 0, 0.0, np.sign(w)) / w.shape[1] * (g * sign(w)).sum(1, keepdims=True)  # |w| has no slope at 0
    close(dw, alpha * g * (np.abs(w) <= 1) + inside)


@pytest.mark.parametrize("name", ["bireal", "reactnet"])
def test_bireal_and_reactnet_weights(name):
    w, g = draw()
    w_hat, dw, _ = both(make(name, w, **ROWS), w, g)
    close(w_hat, rows(np.abs(w)) * sign(w))
    close(dw, rows(np.abs(w)) * g * (np.abs(w) <= 1))


def test_bireal_inputs():
    x, g = draw()
    x_hat, dx, _ = both(make("bireal", x, "activation"), x, g)
    close(x_hat, sign(x))
    close(dx, g * tent(x))


def test_bireals_tent_is_the_slope_of_its_parabola():
    x = np.linspace(-0.99, 0.99, 201)
    parabola = np.where(x < 0, 2 * x + x**2, 2 * x - x**2)
    slope = np.gradient(parabola, x)
    _, dx, _ = both(make("bireal", x[None].astype(np.float32).astype(float), "activation"), x[None], np.ones((1, 201)))
    np.testing.assert_allclose(dx[0, 1:-1], slope[1:-1], atol=0.02)


def test_reactnet_inputs_learn_their_threshold():
    x, g = draw()
    quantizer = make("reactnet", x, "activation", channels=6, axis=-2)
    theta = np.linspace(-0.5, 0.5, 6)[:, None]
    with torch.no_grad():
        quantizer.theta.copy_(torch.from_numpy(theta))
    theta = quantizer.theta.detach().double().numpy()
    x_hat, dx, dtheta = both(quantizer, x, g)
    close(x_hat, sign(x - theta))
    close(dx, g * tent(x - theta))
    close(dtheta, -(g * tent(x - theta)).sum(1, keepdims=True))
    close(quantizer.info().threshold.numpy(), theta)


def test_xnorpp_learns_its_scale():
    w, g = draw()
    quantizer = make("xnorpp", w, **ROWS)
    close(quantizer.info().scale.numpy(), rows(np.abs(w)))
    with torch.no_grad():
        quantizer.scale[0] = -0.3
    alpha = np.abs(quantizer.scale.detach().double().numpy())
    w_hat, dw, dalpha = both(quantizer, w, g)
    close(w_hat, alpha * sign(w))
    close(dw, alpha * g * (np.abs(w) <= 1))
    turned = np.where(np.arange(6) == 0, -1.0, 1.0)[:, None]
    close(dalpha, turned * (g * sign(w)).sum(1, keepdims=True))
    assert bool((quantizer.info().scale > 0).all())


@pytest.mark.parametrize("progress", [0.0, 0.4, 1.0])
def test_recu_weights(progress):
    w, g = draw(wide=0.1)
    quantizer = make("recu", w, **ROWS)
    quantizer.on_step(progress)
    rise = 0.14 / (np.e - 1)
    tau = rise * np.exp(progress) + 0.85 - rise
    centred = w - rows(w)
    deviation = np.sqrt(centred.var(1, ddof=1, keepdims=True) + 1e-5)
    w1 = centred * 2 * np.sqrt(2) / deviation
    q = -np.abs(w1).mean() * np.log(2 - 2 * tau)
    alpha = rows(np.abs(centred))
    w_hat, dw, dalpha = both(quantizer, w, g)
    close(w_hat, alpha * sign(centred))
    close(dalpha, (g * sign(centred)).sum(1, keepdims=True))
    d1 = alpha * g * (np.abs(w1) <= q)
    through = d1 * 2 * np.sqrt(2) / deviation - w1 * (d1 * centred).sum(1, keepdims=True) / deviation**2 / (w.shape[1] - 1)
    close(dw, through - rows(through))
    assert 0 < (np.abs(w1) <= q).sum() < w.size


def test_recu_inputs_are_standardised_in_training_alone():
    x, g = draw(wide=3)
    quantizer = make("recu", x, "activation").eval()
    x_hat, dx, _ = both(quantizer, x, g)
    close(x_hat, sign(x))
    close(dx, g * tent(x))
    x_hat, trained, _ = both(quantizer.train(), x, g)
    deviation = np.sqrt(x.var(1, ddof=1, keepdims=True) + 1e-5)
    du = g * tent(x / deviation)
    along = (x - rows(x)) * (du * x).sum(1, keepdims=True) / deviation**3 / (x.shape[1] - 1)
    close(x_hat, sign(x))
    close(trained, du / deviation - along)


@pytest.mark.parametrize(("progress", "terms"), [(0.0, 10), (0.5, 14), (1.0, 19)])
@pytest.mark.parametrize("role", ["weight", "activation"])
def test_fda_follows_the_series(progress, terms, role):
    x, g = draw()
    words = ROWS if role == "weight" else {"channels": 6, "axis": -2}
    quantizer = make("fda", x, role, noise=False, **words)
    quantizer.on_step(progress)
    s = rows(np.abs(x)) if role == "weight" else 1
    cosines = sum(np.cos((2 * i + 1) * 0.1 * x) for i in range(terms))
    x_hat, dx, _ = both(quantizer, x, g)
    close(x_hat, s * sign(x))
    close(dx, s * g * 4 * 0.1 / np.pi * cosines * (np.abs(x) <= 1))


def test_fda_trains_with_noise_that_is_never_evaluated():
    x, _ = draw()
    quantizer = make("fda", x, "activation", channels=6, axis=-2)
    given = torch.from_numpy(x).float()
    eta = quantizer.adaptation
    hidden = torch.relu(eta.squeeze.detach().double() @ torch.from_numpy(x))
    noise = (eta.expand.detach().double() @ hidden).numpy() + 0.1 * np.sin(x)
    for progress in (0.0, 0.5, 1.0):
        quantizer.on_step(progress)
        close(quantizer.train()(given).detach().numpy(), sign(x) + 0.05 * (1 + np.cos(np.pi * progress)) * noise)
        close(quantizer.eval()(given).numpy(), sign(x))


def test_dorefa_weights_have_one_scale_and_all_of_the_gradient():
    w, g = draw(wide=3)
    w_hat, dw, _ = both(make("dorefa", w), w, g)
    close(w_hat, np.abs(w).mean() * sign(w))
    close(dw, np.abs(w).mean() * g)


def test_dorefa_inputs_are_0_or_1():
    x, g = draw()
    x[0, 3:7] = 0.5, np.nextafter(np.float32(0.5), np.float32(1)), 1 + 2.0**-23, -1e-3
    x_hat, dx, _ = both(make("dorefa", x, "activation"), x, g)
    close(x_hat, np.round(np.clip(x, 0, 1)))
    close(dx, g * ((x >= 0) & (x <= 1)))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("role", ["weight", "activation"])
def test_other_gradient_modes_take_the_place_of_the_methods_own(name, role):
    x, g = draw()
    words = ROWS if role == "weight" or name in ("reactnet", "fda") else {}
    quantizer = make(name, x, role, **words).eval()
    if name in ("recu", "bibert", "elastic") and role == "weight":
        quantizer.transform = lambda w: w  # its gradient goes on through what is done to it first
    if name == "elastic" and role == "activation":
        quantizer.scale.data.fill_(1)  # else its steps are not where those of the others are
    s, info = quantizer.step().detach().double().numpy(), quantizer.info()
    v = (x - (0.5 if info.low == 0 else 0)) / info.spacing + 0.5  # rounding v to 0 or 1 is what is done
    soft = (1 - np.tanh((v - 0.5) / 0.5) ** 2) / (2 * 0.5 * np.tanh(1 / (2 * 0.5)))
    beyond = np.exp(-np.maximum(np.maximum(-v, v - 1), 0))
    for mode, slope in (("exact", 0), ("ste-full", 1), ("soft", soft), ("bpda:decay", beyond)):
        quantizer.gradient = mode
        x_hat, dx, _ = both(quantizer, x, g)
        close(dx, s * g * slope)
        assert np.array_equal(x_hat, quantizer.dequantize(quantizer.codes(torch.from_numpy(x).float())).double().numpy())


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=20), st.sampled_from(METHODS))
def test_no_code_is_ever_0_between_the_two(values, name):
    x = np.array([values, [-1.0] * len(values)])
    quantizer = make(name, x, "activation", **({"channels": 2, "axis": -2} if name in ("reactnet", "fda") else {})).eval()
    given_x, info = torch.from_numpy(x).float(), quantizer.info()
    q = quantizer.codes(given_x)
    assert set(q.unique().tolist()) <= {info.low, info.high} and (info.levels, info.bits) == (2, 1)
    assert torch.equal(q, torch.where(given_x < info.threshold, info.low, info.high))


@pytest.mark.parametrize("name", METHODS)
def test_a_weights_scale_is_that_of_the_weight_seen_last(name):
    """Weights move after calibration, also by an optimizer's last step; what is deployed must not be behind."""
    quantizer = make(name, draw()[0], **ROWS).eval()
    w = torch.from_numpy(draw(seed=1)[0]).float()
    q = quantizer.codes(w)
    assert torch.equal(quantizer.dequantize(q), quantizer(w))
    assert torch.equal(q * quantizer.info().scale, quantizer(w))


@pytest.mark.parametrize("name", [m for m in METHODS if m not in ("dorefa", "elastic")])
def test_inputs_of_one_sign_are_refused(name):
    words = {"channels": 6, "axis": -2} if name in ("reactnet", "fda") else {}
    with pytest.raises(SpecError, match=r"never negative.*Hardtanh"):
        make(name, np.abs(draw()[0]), "activation", **words)


@pytest.mark.parametrize(
    ("name", "words", "says"),
    [
        ("recu", {"first_tau": 0.4}, "first_tau"),
        ("recu", {"last_tau": 1.0}, "last_tau"),
        ("fda", {"order": -1}, "order=9"),
        ("fda", {"omega": 0.0}, "omega=0.1"),
        ("bnn", {"bits": 2}, "1 bit alone"),
    ],
)
def test_settings_without_meaning_are_refused(name, words, says):
    with pytest.raises(SpecError, match=says):
        QUANTIZERS.load(name)(**{"bits": 1, **words})
