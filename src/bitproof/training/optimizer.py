"""Which parameter decays, and the optimizer over them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from bitproof.core import ModelError
from bitproof.training.settings import Training

_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def make_optimizer(model: nn.Module, settings: Training) -> torch.optim.Optimizer:
    """Return the optimizer over the parameters of ``model`` that require a gradient. Raises ModelError if there are none."""
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for parameter, decays in _parameters(model, settings.decay_norm):
        groups[decays].append(parameter)
    if not any(groups.values()):
        raise ModelError(f"{type(model).__name__} has no parameter that requires a gradient, so there is nothing to train.")
    named = [{"params": p, "weight_decay": settings.weight_decay if decays else 0.0} for decays, p in groups.items() if p]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(named, lr=settings.lr, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(named, lr=settings.lr)


def _parameters(model: nn.Module, decay_norm: bool) -> Iterator[tuple[nn.Parameter, bool]]:
    """Yield each trainable parameter once, with whether it decays."""
    seen: set[nn.Parameter] = set()
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad and parameter not in seen:
                seen.add(parameter)
                yield parameter, decay_norm if isinstance(module, _NORMS) else _decays(name, parameter)


def _decays(name: str, parameter: nn.Parameter) -> bool:
    """Whether a parameter outside normalisation layers decays: all but scales and slopes, which 0 would rob of their meaning.

    Those have at most one axis longer than 1, and so have a bias and the weight of a layer with a single output.
    """
    spread = sum(size > 1 for size in parameter.shape) > 1
    return spread or name == "bias" or (name == "weight" and parameter.ndim > 1)
