"""Every way in which a training cannot go on says what was found and what to type."""

import pytest
import torch
from accelerate import Accelerator
from torch import nn
from training_toy import Toy, network, run

from bitproof.core import DataError, ModelError, ShapeError, SpecError


def changed(**attributes: object) -> Toy:
    data = Toy()
    for name, value in attributes.items():
        setattr(data, name, value)
    return data


def test_no_data():
    with pytest.raises(DataError, match="hold no sample"):
        run(network(), Toy(0))


@pytest.mark.parametrize("label", [2, -1])
def test_a_label_without_a_logit_names_the_sample(label: int):
    y = Toy().y.clone()
    y[17] = label
    with pytest.raises(DataError, match=rf"sample 17 has label {label}; the network has 2 logits, so labels must be 0 to 1"):
        run(network(), changed(y=y))


def test_a_loss_that_is_not_finite_stops_before_the_step():
    model = network(norm=False)
    with torch.no_grad():
        model[5].bias[0] = float("nan")
    weight = model[0].weight.detach().clone()
    with pytest.raises(ModelError, match=r"became nan at step 0 \(epoch 0, learning rate 0.05\). Try a lower lr"):
        run(model, Toy())
    assert torch.equal(model[0].weight, weight)


def test_a_diverging_training_is_reported():
    with pytest.raises(ModelError, match="Try a lower lr"):
        run(network(norm=False), Toy(), lr=1e12, epochs=20)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed(x=Toy().x * 255), r"must lie in \[0, 1\], found values from .* belongs inside the model"),
        (changed(x=Toy().x - 0.5), r"must lie in \[0, 1\]"),
        (changed(x=Toy().x * float("nan")), r"must lie in \[0, 1\], found values from nan"),
        (changed(x=(Toy().x * 255).long()), "must be uint8, or float"),
        (changed(x=Toy().x[:, 0, 0]), "must be x 15×3×H×W and y 15, found x 15×8"),
        (changed(batch=lambda indices: (Toy().x[:3], Toy().y[:2])), "found x 3×3×8×8 and y 2"),
        (
            changed(x=[torch.zeros(3, 8 + i % 2, 8) for i in range(60)]),
            r"one shape to make a batch, found \(3, 8, 8\), \(3, 9, 8\)",
        ),
        (changed(x=["a picture"] * 60), "must be tensors of one shape to make a batch, found str"),
        (changed(batch=lambda indices: (Toy().x[list(indices)], Toy().y[list(indices)] / 2)), "ask for a number"),
    ],
)
def test_pictures_that_are_none(data: Toy, message: str):
    with pytest.raises(ShapeError, match=message):
        run(network(), data)


def test_a_network_without_logits():
    with pytest.raises(ShapeError, match="must return logits 15×classes, found 15×6×8×8"):
        run(nn.Conv2d(3, 6, 3, padding=1), Toy())


def test_a_teacher_of_other_classes():
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    with pytest.raises(ShapeError, match="The teacher gives logits 15×3, the network 15×2"):
        run(network(), Toy(), teacher=teacher, distill=0.5)


@pytest.mark.parametrize("options", [{"teacher": network()}, {"distill": 0.5}])
def test_a_teacher_and_its_share_come_together(options: dict[str, object]):
    with pytest.raises(SpecError, match="Give a teacher and distill > 0 or a match, or neither"):
        run(network(), Toy(), **options)


def test_perturb_keeps_the_shape():
    with pytest.raises(ShapeError, match="perturb returned 14×3×8×8 for a batch of 15×3×8×8"):
        run(network(), Toy(), perturb=lambda model, x, y: x[1:])


@pytest.mark.parametrize(("name", "value"), [("mixed_precision", "bf16"), ("gradient_accumulation_steps", 4)])
def test_an_accelerator_with_settings_of_its_own(name: str, value: object, monkeypatch):
    accelerator = Accelerator(cpu=True)
    monkeypatch.setattr(Accelerator, name, value)
    with pytest.raises(SpecError, match=rf"{name}={value!r}; .* set Training's precision or accumulate"):
        run(network(), Toy(), accelerator=accelerator)
