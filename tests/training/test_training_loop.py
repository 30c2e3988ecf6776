"""The loop learns, counts, calls its hooks, and leaves alone what is not its own."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from training_toy import Toy, network, run, same, settings

from bitproof.training import Progress, learning_rate
from bitproof.training.data import Order, steps_per_epoch


def test_learns_the_toy_and_writes_a_row_an_epoch():
    trained = run(network(), Toy(), epochs=8)
    assert trained.history[-1].accuracy > 0.95 and trained.history[-1].loss < trained.history[0].loss
    assert [row.epoch for row in trained.history] == list(range(8))
    assert not trained.resumed and not trained.model.training
    assert trained.time_s >= sum(row.time_s for row in trained.history) > 0


def test_equals_a_loop_written_by_hand():
    """Same batches, plain torch: the same weights, bit for bit."""
    data, ours, bare = Toy(), network(), network()
    run(ours, data, weight_decay=1e-3)
    config = settings(weight_decay=1e-3)
    optimizer = torch.optim.SGD(bare.parameters(), lr=1.0, momentum=0.9, nesterov=True, weight_decay=1e-3)
    for cut in Order(len(data), config, 7, 0, list):
        optimizer.param_groups[0]["lr"] = learning_rate(config, cut.step, steps_per_epoch(len(data), config))
        optimizer.zero_grad()
        rows = list(cut.indices)
        functional.cross_entropy(bare(data.x[rows]), data.y[rows]).backward()
        optimizer.step()
    assert same(ours, bare)


def test_history_counts_what_the_network_said():
    """With a rate of almost 0 the epoch's numbers are those of the network as it was handed in."""
    data, model = Toy(50), network(norm=False)
    logits = model(data.x).detach()
    row = run(model, data, epochs=1, lr=1e-12).history[0]
    assert row.loss == pytest.approx(float(functional.cross_entropy(logits, data.y)), rel=1e-5)
    assert row.accuracy == pytest.approx(float((logits.argmax(1) == data.y).float().mean()))


def test_progress_comes_after_every_step():
    seen: list[Progress] = []
    trained = run(network(), Toy(), progress=seen.append)
    assert [p.step for p in seen] == list(range(1, 9)) and {p.steps for p in seen} == {8}
    assert [p.epoch for p in seen] == [0] * 4 + [1] * 4
    assert seen[3].loss == trained.history[0].loss and seen[7].lr == trained.history[1].lr
    assert str(seen[3]).startswith("epoch 1/2, step 4/8, loss ")


def test_accumulation_equals_the_big_batch():
    small, big = network(norm=False), network(norm=False)
    run(small, Toy(), batch_size=5, accumulate=4)
    run(big, Toy(), batch_size=20)
    for a, b in zip(small.parameters(), big.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_fewer_samples_than_a_batch():
    assert len(run(network(), Toy(6), batch_size=128, accumulate=4).history) == 2


def test_the_last_batch_is_not_a_single_sample():
    config = settings(batch_size=16)
    assert sorted(len(cut.indices) for cut in Order(33, config, 0, 0, list))[0] == 11


@pytest.mark.parametrize("changes", [{"batch_size": 4}, {"batch_size": 7, "accumulate": 3}])
def test_every_epoch_sees_every_sample_once_in_an_order_of_its_own(changes):
    cuts = list(Order(60, settings(**changes), 3, 0, list))
    epochs = [[i for cut in cuts if cut.epoch == e for i in cut.indices] for e in (0, 1)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(60)) and epochs[0] != epochs[1]
    assert epochs[0] == [i for cut in Order(60, settings(), 3, 0, list) if cut.epoch == 0 for i in cut.indices]


class Fast(Toy):
    """The same pictures in a batch, as bytes."""

    def __init__(self, *, fast: bool) -> None:
        super().__init__()
        self.x = (self.x * 255).round().to(torch.uint8)
        if fast:
            self.batch = lambda indices: (self.x[list(indices)], self.y[list(indices)])

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.x[index].float().div_(255), int(self.y[index])


def test_the_fast_path_and_the_item_path_train_the_same_network():
    fast, items, workers = network(), network(), network()
    run(fast, Fast(fast=True), augment="crop-flip")
    run(items, Fast(fast=False), augment="crop-flip")
    run(workers, Fast(fast=False), augment="crop-flip", workers=2)
    assert same(fast, items) and same(items, workers)


def test_the_seed_decides_and_others_generators_stay():
    models = [network(dropout=0.5) for _ in range(3)]
    before = torch.get_rng_state()
    for model, seed in zip(models, (7, 7, 8), strict=True):
        run(model, Toy(), seed=seed)
    assert same(models[0], models[1]) and not same(models[0], models[2])
    assert torch.equal(before, torch.get_rng_state())


class Hooked(nn.Module):
    """A schedule and a penalty: α is pulled to 0 and used by nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(2.0))
        self.shares: list[float] = []

    def forward(self, x: Tensor) -> Tensor:
        return x

    def on_step(self, progress: float) -> None:
        self.shares.append(progress)

    def penalty(self) -> Tensor:
        return self.alpha**2


def test_hooks_are_called_once_a_step_and_the_penalty_once_a_loss():
    hooked = Hooked()
    run(nn.Sequential(hooked, network(norm=False)), Toy(), epochs=1, batch_size=5, accumulate=3, lr=0.1, schedule="constant")
    assert hooked.shares == [0, 0.25, 0.5, 0.75]
    alpha = torch.tensor(2.0, requires_grad=True)
    optimizer = torch.optim.SGD([alpha], lr=0.1, momentum=0.9, nesterov=True)
    for _ in range(4):
        optimizer.zero_grad()
        (alpha**2).backward()
        optimizer.step()
    assert hooked.alpha.item() == pytest.approx(alpha.item(), rel=1e-6)


class Wrapper(nn.Module):
    """Passes attributes of the layer inside on, as quantized layers do."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def __getattr__(self, name: str) -> object:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self._modules["layer"], name)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


def test_a_wrapped_hook_is_called_once():
    hooked = Hooked()
    run(nn.Sequential(Wrapper(hooked), network(norm=False)), Toy(), epochs=1)
    assert hooked.shares == [0, 0.25, 0.5, 0.75]


def test_the_teacher_is_followed_and_not_touched():
    data, teacher, student = Toy(), network(dropout=0.5), network(seed=1)
    run(teacher, data, epochs=8)
    teacher.zero_grad()
    before = copy.deepcopy(teacher)
    data.y = 1 - data.y  # with distill=1 the labels, wrong on purpose, count for nothing
    run(student, data, epochs=8, teacher=teacher.train(), distill=1.0, temperature=2.0)
    assert same(teacher, before) and all(p.grad is None for p in teacher.parameters())
    agreement = (student(data.x).argmax(1) == teacher(data.x).argmax(1)).float().mean()
    assert agreement > 0.95


def test_perturb_changes_what_is_trained_on():
    seen: list[Tensor] = []

    def darken(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        seen.append(x)
        assert model.training and len(x) == len(y)
        return x * 0

    model = network(norm=False)
    weight = model[0].weight.detach().clone()
    run(model, Toy(), perturb=darken, weight_decay=0.0)
    assert len(seen) == 8 and torch.equal(model[0].weight, weight)  # black pictures give the first weights no gradient


def test_validation_stands_in_the_history():
    modes: list[bool] = []

    def validate(model: nn.Module) -> float:
        modes.append(model.training)
        return len(modes) / 10

    plain, watched = network(dropout=0.5), network(dropout=0.5)
    run(plain, Toy())
    trained = run(watched, Toy(), validate=validate)
    assert [row.validation for row in trained.history] == [0.1, 0.2] and modes == [False, False]
    assert same(plain, watched)


def test_grad_clip_bounds_the_step():
    model, before = network(norm=False), network(norm=False)
    run(model, Toy(), epochs=1, batch_size=60, lr=1.0, weight_decay=0.0, grad_clip=1e-3)
    moved = torch.cat([(a - b).flatten() for a, b in zip(model.parameters(), before.parameters(), strict=True)])
    assert moved.norm().item() == pytest.approx(1.9e-3, rel=1e-3)  # Nesterov: (1 + momentum) times the gradient


def test_bf16_trains_float32_weights():
    dtypes = set()
    model = network()
    model[5].register_forward_hook(lambda module, args, output: dtypes.add(output.dtype))
    trained = run(model, Toy(), epochs=6, precision="bf16")
    assert dtypes == {torch.bfloat16} and {p.dtype for p in model.parameters()} == {torch.float32}
    assert trained.history[-1].accuracy > 0.9
