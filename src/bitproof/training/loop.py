"""The door to a training: what it takes, what it refuses, and what it leaves as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

from bitproof.core import SpecError
from bitproof.training.data import Samples, check_not_empty
from bitproof.training.history import Progress, Trained
from bitproof.training.run import Run
from bitproof.training.settings import Training
from bitproof.training.step import Perturb, Step


def train(
    model: nn.Module,
    data: Samples,
    settings: Training,
    *,
    seed: int,
    teacher: nn.Module | None = None,
    checkpoint: Path | None = None,
    perturb: Perturb | None = None,
    validate: Callable[[nn.Module], float] | None = None,
    progress: Callable[[Progress], None] | None = None,
    accelerator: Accelerator | None = None,
    workers: int = 0,
) -> Trained:
    """Train ``model`` in place on ``data``; the numbers follow from weights, data, ``settings``, ``seed``, device and threads.

    Formula: ``task_loss + Σ penalty()`` over the modules that have one; ``on_step(step / steps)`` before each step, and in a
    training of two stages ``keep_weight_float``.
    Shapes: x N×3×H×W in [0, 1] → logits N×classes; normalisation is the model's own.

    Args:
        model: comes back in evaluation mode, on the device where it was.
        data: map-style, deterministic; ``batch(indices)`` is used where it exists.
        settings: all that decides what is learned.
        seed: of order, augmentation and dropout.
        teacher: float network that is distilled from, exactly if ``settings.taught``; put in evaluation mode.
        checkpoint: file that is written every ``checkpoint_every_s`` and each epoch, and gone on from if it exists: the result is
            that of an uninterrupted run, bit for bit. It is the caller's to delete.
        perturb: called with each batch before the forward pass, needed where ``settings.adversarial`` names an attack; it may
            draw from torch's generator, must keep no state, and must leave the parameters' gradients alone.
        validate: called after each epoch with the model in evaluation mode; its number goes into the history.
        progress: called after each step; what it raises ends the training, and the checkpoint stays.
        accelerator: devices and processes; by default all that ``accelerate launch`` gave, else one GPU if there is one.
        workers: processes that fetch batches ahead; they change no number.

    Raises:
        SpecError: a teacher without ``distill`` or the reverse; ``adversarial`` without ``perturb``; an accelerator with a
            precision or accumulation of its own.
        DataError: no samples; a label that the model has no logit for.
        ShapeError: samples, logits or a perturbed batch of another shape or range.
        ModelError: nothing to train; a loss that is not finite.
        StoreError: a checkpoint that is damaged, or another run's, told by settings, seed, number of samples and layers.

    Source: the loop has none; arXiv 1503.02531 for distillation.
    Differs from the paper: see ``distillation``.
    """
    check_not_empty(data)
    accelerator = _checked(accelerator or Accelerator())
    if (teacher is None) == settings.taught:
        found = "no teacher was handed in" if teacher is None else "a teacher was handed in"
        asked = f"distill={settings.distill}" + (f" and match={settings.match!r}" if settings.match else "")
        raise SpecError(f"Training has {asked} and {found}. Give a teacher and distill > 0 or a match, or neither.")
    if settings.adversarial is not None and perturb is None:
        raise SpecError(f"Training has adversarial={settings.adversarial!r} and no perturb was handed in: bitproof run makes one.")
    with _own_randomness(accelerator.device), _moved(accelerator.device, model, teacher):
        run = Run(Step(model, settings, seed, accelerator, teacher, perturb), data, checkpoint)
        resumed = run.resume()
        try:
            run.go(validate, progress, workers)
        finally:
            run.step.stage(first=False, begins=False)
            run.step.close()
    return Trained(model.eval(), run.state.history, run.state.time_s, resumed)


def _checked(accelerator: Accelerator) -> Accelerator:
    for name, allowed in (("mixed_precision", "no"), ("gradient_accumulation_steps", 1)):
        found = getattr(accelerator, name)
        if found != allowed:
            raise SpecError(
                f"The accelerator has {name}={found!r}; precision and accumulation are settings of Training. "
                f"Make it with {name}={allowed!r} and set Training's precision or accumulate."
            )
    return accelerator


@contextlib.contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """Seed torch's generators at will and leave them to others as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


@contextlib.contextmanager
def _moved(device: torch.device, *modules: nn.Module | None) -> Iterator[None]:
    """Hold the modules on ``device``, and bring them back to where they were."""
    present = [(module, next(module.parameters(), None)) for module in modules if module is not None]
    homes = [(module, parameter.device) for module, parameter in present if parameter is not None]
    for module, _ in homes:
        module.to(device)
    try:
        yield
    finally:
        for module, home in homes:
            module.to(home)
