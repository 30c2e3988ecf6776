"""Low-bit networks: every learned number moves, and an interruption changes none."""

from pathlib import Path

import pytest
import torch
from training_toy import Toy, network, run, same

from bitproof.convert import quantize
from bitproof.training import Progress


def low_bit(recipe: str, seed: int = 0):
    return quantize(network(seed=seed), recipe, [Toy().x[:20]]).model


@pytest.mark.parametrize("recipe", ["lsq:w4a4", "lsq:w3a3,per=channel", "pact:w4a4", "dorefa:w4a4"])
def test_every_parameter_of_a_low_bit_network_is_trained(recipe: str):
    model = low_bit(recipe)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    trained = run(model, Toy(), epochs=8)
    assert trained.history[-1].accuracy > 0.9
    assert [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])] == []


@pytest.mark.parametrize("recipe", ["lsq:w4a4", "pact:w4a4"])
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
