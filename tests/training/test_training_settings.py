"""Settings: what is refused, what is identity, and the rate of every step."""

import dataclasses
import warnings

import pytest
import torch
from training_toy import settings

from bitproof.core import SpecError
from bitproof.training import Training, learning_rate
from bitproof.training.settings import RUN_TIME

#: Another allowed value of every field that is part of the identity, with what it needs to have an effect.
OTHER = {
    "epochs": {"epochs": 3},
    "lr": {"lr": 0.01},
    "batch_size": {"batch_size": 4},
    "accumulate": {"accumulate": 2},
    "optimizer": {"optimizer": "adamw"},
    "weight_decay": {"weight_decay": 0.0},
    "decay_norm": {"decay_norm": False},
    "schedule": {"schedule": "constant"},
    "min_lr": {"min_lr": 1e-5},
    "milestones": {"milestones": (1.0, 1.5), "schedule": "step"},
    "decay": {"decay": 0.5, "milestones": (1.0,), "schedule": "step"},
    "warmup_epochs": {"warmup_epochs": 1.0},
    "warmup_lr": {"warmup_lr": 1e-4, "warmup_epochs": 1.0},
    "label_smoothing": {"label_smoothing": 0.1},
    "distill": {"distill": 0.5},
    "temperature": {"temperature": 4.0, "distill": 0.5},
    "teacher": {"teacher": "float", "distill": 0.5},
    "two_stage": {"two_stage": 1},
    "augment": {"augment": "flip"},
    "precision": {"precision": "bf16"},
    "grad_clip": {"grad_clip": 1.0},
    "adversarial": {"adversarial": "pgd-linf:eps=0.1"},
    "teacher_lr": {"teacher_lr": 1e-3, "teacher": "float", "distill": 0.5},
    "start": {"start": "teacher", "teacher": "float", "distill": 0.5},
    "match": {"match": "hed", "distill": 0.5},
    "depths": {"depths": "8=1,4=0.5"},
    "jitter": {"jitter": 0.2},
    "mix": {"mix": "white_noise:2"},
    "processes": {"processes": 2},
    "trades": {"trades": 6.0, "adversarial": "pgd-linf:eps=0.1"},
}

#: What a field had before, where it has no default with the others.
BEFORE = {"milestones": {"milestones": (1.0,)}}


def test_every_field_is_classified():
    names = {field.name for field in dataclasses.fields(Training)}
    assert names == OTHER.keys() | RUN_TIME, "put a new field into OTHER (identity) or into settings.RUN_TIME"


@pytest.mark.parametrize("name", OTHER)
def test_each_field_of_the_identity_changes_it(name: str):
    changed = OTHER[name]
    reference = {key: value for key, value in changed.items() if key != name} | BEFORE.get(name, {})
    assert settings(**changed).identity() != settings(**reference).identity()


def test_identity_is_canonical_and_blind_to_run_time():
    assert settings(lr=1).identity() == settings(lr=1.0).identity()
    assert settings(checkpoint_every_s=1).identity() == settings(checkpoint_every_s=2).identity()
    assert Training(epochs=5, lr=4e-3).identity() == (
        "version=1,accumulate=1,augment=none,batch_size=128,decay_norm=True,distill=0.0,epochs=5,grad_clip=None,"
        "label_smoothing=0.0,lr=0.004,min_lr=0.0,optimizer=sgd,precision=no,schedule=cosine,temperature=1.0,"
        "warmup_epochs=0.0,warmup_lr=0.0,weight_decay=0.0001"
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs=0 must be at least 1"),
        ({"epochs": 1.5}, "epochs=1.5 must be a whole number"),
        ({"epochs": True}, "epochs=True must be a whole number"),
        ({"lr": 0}, "lr=0 must be more than 0"),
        ({"lr": float("nan")}, "lr=nan must be"),
        ({"lr": float("inf")}, "lr=inf must be"),
        ({"lr": "0.1"}, "lr='0.1' must be a number"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"accumulate": -1}, "accumulate=-1"),
        ({"optimizer": "adam"}, "optimizer='adam' is not known; allowed are 'sgd', 'adamw'"),
        ({"schedule": "exponential"}, "allowed are 'cosine', 'linear', 'step', 'constant'"),
        ({"schedule": "step"}, "needs milestones that rise"),
        ({"schedule": "step", "milestones": (1.5, 1)}, "found [1.5, 1]"),
        ({"schedule": "step", "milestones": (0, 1)}, "found [0, 1]"),
        ({"schedule": "step", "milestones": (1, 2)}, "below epochs=2"),
        ({"schedule": "step", "milestones": (0.5,), "warmup_epochs": 1}, "from warmup_epochs=1"),
        ({"schedule": "step", "milestones": (float("nan"),)}, "found [nan]"),
        ({"schedule": "step", "milestones": [1]}, "milestones=[1] must be a tuple of numbers"),
        ({"schedule": "step", "milestones": ("1",)}, "milestones='1' must be a number"),
        ({"schedule": "step", "milestones": (1.5,), "two_stage": 1}, "milestones are epochs of the whole training"),
        ({"schedule": "step", "milestones": (1,), "decay": 0}, "decay=0 must be more than 0"),
        ({"schedule": "step", "milestones": (1,), "min_lr": 1e-3}, "has no effect without schedule='cosine' or schedule='linear'"),
        ({"milestones": (1,)}, "milestones=(1,) has no effect without schedule='step'"),
        ({"decay": 0.2, "schedule": "linear"}, "decay=0.2 has no effect without schedule='step'"),
        ({"augment": "crop"}, "allowed are 'none', 'flip', 'crop-flip'"),
        ({"precision": "fp16"}, "allowed are 'no', 'bf16'"),
        ({"weight_decay": -1e-4}, "weight_decay=-0.0001 must be at least 0"),
        ({"decay_norm": 1}, "decay_norm=1 must be true or false"),
        ({"label_smoothing": 1.1}, "at least 0 and at most 1"),
        ({"distill": 2}, "distill=2"),
        ({"temperature": 0, "distill": 1}, "temperature=0 must be more than 0"),
        ({"grad_clip": 0}, "grad_clip=0 must be more than 0"),
        ({"grad_clip": "1"}, "grad_clip='1' must be a number or None"),
        ({"warmup_epochs": -1}, "warmup_epochs=-1"),
        ({"warmup_epochs": 3}, "warmup_epochs=3 must be at most epochs=2"),
        ({"min_lr": 1.0}, "min_lr=1.0 must be at most lr=0.05"),
        ({"warmup_lr": 1.0, "warmup_epochs": 1}, "warmup_lr=1.0 must be at most lr=0.05"),
        ({"checkpoint_every_s": -1}, "checkpoint_every_s=-1"),
        ({"teacher_lr": 1e-3}, "has no effect without teacher='float'"),
        ({"teacher_lr": 1e-3, "min_lr": 1e-2, "teacher": "float", "distill": 1}, "min_lr=0.01 must be at most lr=0.001"),
        ({"temperature": 2.0}, "has no effect without distill > 0"),
        ({"min_lr": 1e-3, "schedule": "constant"}, "has no effect without schedule='cosine' or"),
        ({"warmup_lr": 1e-3}, "has no effect without warmup_epochs > 0"),
        ({"label_smoothing": 0.1, "distill": 1.0}, "has no effect without distill < 1"),
        ({"decay_norm": False, "weight_decay": 0.0}, "has no effect without weight_decay > 0"),
    ],
)
def test_what_is_not_allowed_is_refused_at_construction(wrong: dict[str, object], message: str):
    with pytest.raises(SpecError) as caught:
        settings(**wrong)
    assert message in str(caught.value)


def rates(config: Training, per_epoch: int) -> list[float]:
    return [learning_rate(config, step, per_epoch) for step in range(config.epochs * per_epoch)]


def torch_rates(make, steps: int, lr: float) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler, found = make(optimizer), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SequentialLR hands a deprecated argument to its own parts
        for _ in range(steps):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    return found


def test_cosine_is_torchs():
    config = settings(epochs=4, lr=0.3, min_lr=0.01)
    oracle = torch_rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 40, eta_min=0.01), 40, 0.3)
    assert rates(config, 10) == pytest.approx(oracle, rel=1e-9)


def test_warmup_then_cosine_is_torchs():
    config = settings(epochs=4, lr=0.4, warmup_epochs=1.5, warmup_lr=0.1)
    lr = torch.optim.lr_scheduler

    def make(optimizer):
        parts = [lr.LinearLR(optimizer, start_factor=0.25, total_iters=15), lr.CosineAnnealingLR(optimizer, 25)]
        return lr.SequentialLR(optimizer, parts, milestones=[15])

    assert rates(config, 10) == pytest.approx(torch_rates(make, 40, 0.4), rel=1e-9)


def test_linear_is_torchs_and_has_its_closed_form():
    config = settings(epochs=4, lr=0.4, warmup_epochs=1.0, schedule="linear", min_lr=0.04)
    lr = torch.optim.lr_scheduler
    oracle = torch_rates(lambda o: lr.LinearLR(o, start_factor=1.0, end_factor=0.1, total_iters=30), 30, 0.4)
    assert rates(config, 10)[10:] == pytest.approx(oracle, rel=1e-9)
    bare = rates(settings(epochs=2, lr=1.0, schedule="linear"), 5)
    assert bare == pytest.approx([1 - step / 10 for step in range(10)])  # the last step is one before 0


def test_steps_are_torchs_behind_a_warm_up():
    config = settings(epochs=6, lr=0.4, warmup_epochs=1.0, schedule="step", milestones=(2, 4.5), decay=0.3)
    lr = torch.optim.lr_scheduler
    oracle = torch_rates(lambda o: lr.MultiStepLR(o, [20, 45], gamma=0.3), 60, 0.4)
    found = rates(config, 10)
    assert found[:10] == pytest.approx([0.04 * step for step in range(10)]) and found[10:] == pytest.approx(oracle[10:], rel=1e-9)
    assert found[19:21] == pytest.approx([0.4, 0.12]) and found[44:46] == pytest.approx([0.12, 0.036])


def test_milestones_stand_in_the_identity_once_whether_whole_numbers_or_not():
    stepped = [settings(schedule="step", milestones=each) for each in ((1,), (1.0,), (1.0, 1.5))]
    assert stepped[0].identity() == stepped[1].identity() and ",milestones=1.0;1.5,min_lr=" in stepped[2].identity()


def test_constant_stays_and_fractions_of_a_step_are_no_trouble():
    assert set(rates(settings(schedule="constant"), 5)) == {0.05}
    assert max(rates(settings(warmup_epochs=0.33), 7)) <= 0.05
    assert len(rates(settings(warmup_epochs=2.0), 3)) == 6


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_two_stages_each_have_a_rate_of_their_own(schedule: str):
    whole = settings(epochs=5, two_stage=2, warmup_epochs=1.0, min_lr=0.01, schedule=schedule)
    rates = [learning_rate(whole, step, per_epoch=3) for step in range(15)]
    first, second = (settings(epochs=n, warmup_epochs=1.0, min_lr=0.01, schedule=schedule) for n in (2, 3))
    assert rates == [learning_rate(first, s, 3) for s in range(6)] + [learning_rate(second, s, 3) for s in range(9)]


@pytest.mark.parametrize("changes", [{"two_stage": 2}, {"two_stage": 1, "warmup_epochs": 1.5}, {"two_stage": -1}])
def test_stages_without_room_are_refused(changes: dict[str, float]):
    with pytest.raises(SpecError, match="two_stage"):
        settings(**changes)


def test_the_control_of_a_float_teacher_is_not_taught():
    whole = settings(epochs=4, distill=0.9, temperature=4.0, teacher="float", two_stage=2)
    assert whole.of_control() == settings(epochs=4) and settings(distill=0.5).of_control() == settings(distill=0.5)
    assert settings(lr=1e-2, teacher="float", distill=1.0, teacher_lr=1e-3).of_control() == settings(lr=1e-3)
