"""Losses and decay against torch's own formulas and a second derivation."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from training_toy import settings

from bitproof.core import ModelError
from bitproof.training import distillation
from bitproof.training.losses import task_loss
from bitproof.training.optimizer import make_optimizer


def logits(seed: int, n: int = 5, classes: int = 7, scale: float = 3.0) -> Tensor:
    return torch.randn(n, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


labels = torch.tensor([0, 6, 3, 3, 1])


def test_label_smoothing_is_the_mixture_with_the_uniform_distribution():
    x = logits(0)
    target = functional.one_hot(labels, 7) * 0.9 + 0.1 / 7
    expected = -(target * x.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(task_loss(x, labels, None, settings(label_smoothing=0.1)), expected)


@given(st.integers(0, 10_000), st.floats(0.5, 20), st.floats(0, 50))
def test_distillation_is_the_divergence_written_out(seed: int, temperature: float, scale: float):
    s, t = logits(seed, scale=scale), logits(seed + 1, scale=scale)
    p = (t / temperature).softmax(1)
    expected = 0.0
    for p_n, s_n in zip(p.tolist(), s.tolist(), strict=True):
        high = max(s_n)
        log_sum = math.log(sum(math.exp((v - high) / temperature) for v in s_n)) + high / temperature
        expected += sum(a * (math.log(a) - v / temperature + log_sum) for a, v in zip(p_n, s_n, strict=True) if a > 0)
    found = float(distillation(s, t, temperature))
    assert found == pytest.approx(expected / len(s) * temperature**2, rel=1e-6, abs=1e-9)


@given(st.integers(0, 10_000), st.floats(0.5, 20), st.floats(-5, 5))
def test_distillation_is_never_negative_zero_at_the_teacher_and_blind_to_shifts(seed: int, temperature: float, shift: float):
    s, t = logits(seed), logits(seed + 1)
    assert float(distillation(s, t, temperature)) >= -1e-12
    assert float(distillation(t + shift, t, temperature)) == pytest.approx(0, abs=1e-9)
    a, b = distillation(s + shift, t, temperature), distillation(s, t, temperature)
    assert float(a) == pytest.approx(float(b), rel=1e-9)


@given(st.integers(0, 10_000), st.floats(0.5, 20))
def test_the_gradient_of_distillation(seed: int, temperature: float):
    """T/n·(softmax(s/T) − softmax(t/T)); none to the teacher."""
    s, t = logits(seed).requires_grad_(), logits(seed + 1).requires_grad_()
    distillation(s, t, temperature).backward()
    expected = temperature / len(s) * ((s / temperature).softmax(1) - (t / temperature).softmax(1))
    torch.testing.assert_close(s.grad, expected.detach())
    assert t.grad is None


@given(st.integers(0, 10_000), st.floats(0.01, 1))
def test_the_share_of_the_teacher(seed: int, share: float):
    s, t = logits(seed), logits(seed + 1)
    found = task_loss(s, labels, t, settings(distill=share, temperature=3.0))
    expected = (1 - share) * functional.cross_entropy(s, labels) + share * distillation(s, t, 3.0)
    torch.testing.assert_close(found, expected)


class Quantized(nn.Module):
    """A weight of two axes, a bias, a normalisation, and a scale a channel and one for all."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.channel_scale = nn.Parameter(torch.ones(4, 1, 1, 1))
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
        self.again = self.conv
        self.head = nn.Linear(4, 1, bias=False)
        self.slope = nn.PReLU(4)


@pytest.mark.parametrize("decay_norm", [True, False])
@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_what_decays(decay_norm: bool, name: str):
    model = Quantized()
    groups = make_optimizer(model, settings(optimizer=name, weight_decay=0.5, decay_norm=decay_norm)).param_groups
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    found = {key: decay.get(id(p)) for key, p in model.named_parameters()}
    norm = 0.5 if decay_norm else 0.0
    assert found == {
        "channel_scale": 0.0,
        "scale": 0.0,
        "frozen": None,
        "head.weight": 0.5,
        "slope.weight": 0.0,
        "conv.weight": 0.5,
        "conv.bias": 0.5,
        "norm.weight": norm,
        "norm.bias": norm,
    }


def test_nothing_to_train_is_refused():
    with pytest.raises(ModelError, match="nothing to train"):
        make_optimizer(nn.Flatten(), settings())
