"""Low-bit networks: every learned number moves, and an interruption changes none."""

from pathlib import Path

import pytest
import torch
from torch import nn
from training_toy import Toy, network, run, same

from bitproof.convert import QuantLayer, quantize
from bitproof.training import Progress


def low_bit(recipe: str, seed: int = 0):
    made = between(seed) if recipe.partition(":")[0] in BINARY else network(seed=seed)
    return quantize(made, recipe, [Toy().x[:20]]).model


def between(seed: int = 0):
    """A network with a convolution and a linear layer between the first and the last layer."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        convs = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1, groups=2), nn.BatchNorm2d(8)
        return nn.Sequential(*convs, nn.ReLU(), nn.Flatten(), nn.Linear(128, 16), nn.BatchNorm1d(16), nn.Linear(16, 2))


BINARY = ("bnn", "xnor", "bireal", "xnorpp", "reactnet", "recu", "fda")
ONE_BIT = [f"{method}:w1a1" for method in BINARY]


@pytest.mark.parametrize(
    "recipe", ["lsq:w4a4", "lsq:w3a3,per=channel", "pact:w4a4", "dorefa:w4a4", *ONE_BIT, "dorefa:w1a1,first=8"]
)
def test_every_parameter_of_a_low_bit_network_is_trained(recipe: str):
    model = low_bit(recipe)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    trained = run(model, Toy(), epochs=8)
    assert trained.history[-1].accuracy > 0.9
    assert [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])] == []


@pytest.mark.parametrize("stop_at", [3, 4, 6])
def test_two_stages_go_on_bit_for_bit(stop_at: int, tmp_path: Path):
    """Within the first stage, at its end, within the second; there are 4 steps an epoch."""

    def stop(now: Progress) -> None:
        if now.step == stop_at:
            raise KeyboardInterrupt

    options = {"epochs": 2, "two_stage": 1, "optimizer": "adamw"}
    whole, fresh = low_bit("bireal:w1a1"), low_bit("bireal:w1a1", seed=1)
    run(whole, Toy(), **options)
    options |= {"checkpoint": tmp_path / "checkpoint.pt", "checkpoint_every_s": 0.0}
    with pytest.raises(KeyboardInterrupt):
        run(low_bit("bireal:w1a1"), Toy(), **options, progress=stop)
    assert run(fresh, Toy(), **options).resumed and same(fresh, whole)


def test_in_the_first_stage_weights_are_float_and_inputs_are_not():
    model, seen = low_bit("bireal:w1a1"), []
    layer = next(m for m in model.modules() if isinstance(m, QuantLayer))

    def look(now: Progress) -> None:
        quantizer = layer.input_quantizer
        seen.append((torch.equal(layer.weight, layer.layer.weight), len(quantizer(torch.randn(99)).unique())))

    run(model, Toy(), epochs=3, two_stage=1, progress=look)
    assert seen == [(True, 2)] * 4 + [(False, 2)] * 8
    assert not layer.float_weight and len(layer.weight[0].unique()) == 2


def test_an_ended_first_stage_leaves_a_low_bit_network():
    def stop(now: Progress) -> None:
        raise KeyboardInterrupt

    model = low_bit("bireal:w1a1")
    with pytest.raises(KeyboardInterrupt):
        run(model, Toy(), two_stage=1, progress=stop)
    assert not any(m.float_weight for m in model.modules() if isinstance(m, QuantLayer))


def test_the_second_stage_starts_with_an_optimizer_that_remembers_nothing():
    both = low_bit("bireal:w1a1")
    ends: dict[int, dict[str, torch.Tensor]] = {}

    def keep(now: Progress) -> None:
        ends[now.step] = {name: value.clone() for name, value in both.state_dict().items()}

    run(both, Toy(), epochs=2, two_stage=1, optimizer="adamw", progress=keep)
    moved = max(float((ends[5][key] - ends[4][key]).abs().max()) for key in ends[4] if key.endswith("layer.weight"))
    assert moved == pytest.approx(0.05, rel=0.05)  # Adam's first step is as long as the rate, whatever the gradient


@pytest.mark.parametrize("recipe", ["lsq:w4a4", "pact:w4a4", "xnorpp:w1a1", "recu:w1a1", "fda:w1a1"])
def test_a_low_bit_training_goes_on_bit_for_bit(recipe: str, tmp_path: Path):
    def stop(now: Progress) -> None:
        if now.step == 6:
            raise KeyboardInterrupt

    options = {"epochs": 3, "augment": "crop-flip", "teacher": network(seed=3), "distill": 0.5}
    whole, fresh = low_bit(recipe), low_bit(recipe, seed=1)
    run(whole, Toy(), **options)
    options |= {"checkpoint": tmp_path / "checkpoint.pt", "checkpoint_every_s": 0.0}
    with pytest.raises(KeyboardInterrupt):
        run(low_bit(recipe), Toy(), **options, progress=stop)
    assert run(fresh, Toy(), **options).resumed and same(fresh, whole)
