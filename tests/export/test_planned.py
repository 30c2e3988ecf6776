"""Programs as native calls: the same numbers as step by step, on every instruction set."""

import copy
import pickle
import re
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import bitproof as bp
from bitproof import kernels

SETS = [name for name in kernels.available() if name != kernels.REFERENCE]
pytestmark = pytest.mark.skipif(not SETS, reason="the C++ kernels were not built")


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def near(program, x):
    """Float layers may be summed in another order; nothing else may differ."""
    with torch.no_grad():
        torch.testing.assert_close(program(x), program.stepwise(x), rtol=1e-4, atol=1e-5)


class Mixed(nn.Module):
    """Layers of every kind around binary ones; ``seed`` chooses which, and how they are put together."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.seed = seed
        one = [nn.PReLU(), nn.PReLU(24), nn.Hardtanh(), nn.LeakyReLU(0.1), nn.Hardswish(), nn.GELU(), nn.Tanh()]
        self.first = nn.Conv2d(3, 24, 3, stride=1 + seed % 2, padding=seed % 3)
        self.norms = nn.ModuleList(nn.BatchNorm2d(24) for _ in range(3))
        for norm in self.norms:
            nn.init.uniform_(norm.running_mean, -0.5, 0.5)
            nn.init.uniform_(norm.running_var, 0.5, 2)
            nn.init.normal_(norm.bias)
        self.acts = nn.ModuleList(one[(seed + i) % len(one)] for i in range(3))
        groups = (1, 24, 4)[seed % 3]
        self.convs = nn.ModuleList(nn.Conv2d(24, 24, 3, padding=1, groups=groups) for _ in range(3))
        self.mix, self.last = nn.Linear(24, 40), nn.Linear(40, 7)

    def forward(self, x):
        y = self.acts[0](self.first(x * 1.5 - 0.25))
        for i, (conv, norm, act) in enumerate(zip(self.convs, self.norms, self.acts, strict=True)):
            z = conv(y)
            z = act(norm(z)) if (self.seed + i) % 2 else norm(act(z) + y)
            y = torch.cat([z[:, :12], y[:, 12:]], 1) if self.seed % 5 == 1 else z - y / 3
        if self.seed % 4 == 1:
            y = nn.functional.max_pool2d(y, 2)
        if self.seed % 2:
            return self.last(self.mix(y.mean((2, 3))))
        return self.last(self.mix(y.flatten(2).transpose(1, 2)).reshape(x.shape[0], -1, 40).mean(1))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(SETS))
def test_random_networks(seed, name):
    x = draw(3, 3, 8, 8, seed=seed)
    program = bp.deploy(bp.quantize(Mixed(seed).eval(), "bireal:w1a1,relu=keep", [x]).model, x).model
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BITPROOF_KERNELS", name)
        for sample in (x, x[:1], x[1:], x.contiguous(memory_format=torch.channels_last)):
            near(program, sample)
    assert program.native >= 0.8 * len(program.steps)


@pytest.fixture(scope="module")
def keyword():
    torch.manual_seed(0)
    x = 20 * draw(3, 1, 32, 32) - 30
    model = bp.quantize(bp.model("bifsmn:depth=2").module, "bifsmn:w1a1", [x]).model
    for norm in [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]:
        nn.init.normal_(norm.bias)
    return bp.deploy(model, x).model, x


def test_a_keyword_network_is_one_native_call(keyword):
    program, x = keyword
    near(program, x[:1])
    assert program.native == len(program.steps) and f"{program.native} of the steps" in repr(program)


def test_an_answer_is_the_callers_own(keyword):
    program, x = keyword
    with torch.no_grad():
        first, kept = program(x), program(x).clone()
        program(-x)
        assert torch.equal(first, kept)
        assert torch.equal(program(x.requires_grad_()), kept) and program(x[:0]).shape == (0, 12)
    x.requires_grad_(False)


def test_threads_and_copies(keyword):
    program, x = keyword
    inputs = [draw(2, 1, 32, 32, seed=i) for i in range(6)]
    expected, found = [program(each) for each in inputs], {}

    def run(i):
        for _ in range(20):
            found[i] = program(inputs[i])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[i], expected[i]) for i in range(6))
    for again in (copy.deepcopy(program), pickle.loads(pickle.dumps(program))):
        assert torch.equal(again(x), program(x))


def test_the_reference_and_what_is_large_run_step_by_step(keyword, monkeypatch):
    program, x = copy.deepcopy(keyword[0]), keyword[1]
    monkeypatch.setattr("bitproof.export.program._MOST_BYTES", 1000)
    near(program, x)
    assert program.native == 0
    monkeypatch.setenv("BITPROOF_KERNELS", "reference")
    near(program, x[:1])
    assert program.native == 0


def test_an_input_of_another_shape_is_refused_as_torch_does():
    net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.Flatten(2), nn.LayerNorm(16), nn.Linear(16, 4))
    x = draw(2, 3, 8, 8)
    program = bp.deploy(bp.quantize(net, "bnn:w1a1", [x]).model, x).model
    near(program, x)
    for wrong in (x[:, :1], torch.cat([x, x], 1), draw(2, 3, 9, 9)):
        with pytest.raises(RuntimeError) as stepwise:
            program.stepwise(wrong)
        with pytest.raises(type(stepwise.value), match=re.escape(str(stepwise.value))):
            program(wrong)
