"""What is minimised: cross-entropy, a teacher's distribution, and the penalties of the network's own modules."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bitproof.training.settings import Training


def distillation(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return how far a student's distribution is from its teacher's.

    Formula: ``T²·mean_n Σ_c p_c·(log p_c − log q_c)`` with p = softmax(teacher/T) and q = softmax(logits/T).
    Shapes: N×classes and N×classes → scalar, at least 0. The teacher gets no gradient.

    Source: arXiv 1503.02531, section 2.1.
    Differs from the paper: the teacher's entropy is subtracted, which shifts the value and no gradient.
    """
    target = functional.log_softmax(teacher.detach() / temperature, dim=1)
    output = functional.log_softmax(logits / temperature, dim=1)
    return functional.kl_div(output, target, reduction="batchmean", log_target=True) * temperature**2


def divergence(logits: Tensor, attacked: Tensor) -> Tensor:
    """Return how far the answers to an attacked batch are from those to the clean one.

    Formula: ``mean_n KL(softmax(logits) ‖ softmax(attacked))``.
    Shapes: N×classes and N×classes → scalar, at least 0. Both get a gradient.

    Source: arXiv 1901.08573, equation 5 (TRADES).
    Differs from the paper: the attack that made the batch climbs its own loss, as a rule the cross-entropy on the label, not this.
    """
    p, q = functional.log_softmax(logits, dim=1), functional.log_softmax(attacked, dim=1)
    return functional.kl_div(q, p, reduction="batchmean", log_target=True)


def number_loss(values: Tensor, y: Tensor, teacher: Tensor | None, share: float) -> Tensor:
    """Return ``(1 − share)·mean (v − y)² + share·mean (v − t)²`` of answers N×1, targets N and the teacher's answers N×1."""
    loss = (1 - share) * functional.mse_loss(values[:, 0], y.to(values.dtype))
    return loss if teacher is None else loss + share * functional.mse_loss(values, teacher)


def task_loss(logits: Tensor, y: Tensor, teacher: Tensor | None, settings: Training) -> Tensor:
    """Return ``(1 − distill)·cross_entropy + distill·distillation``, a scalar in nats, of logits N×classes and labels N."""
    share = settings.distill
    if y.is_floating_point():
        return number_loss(logits, y, teacher, share)
    loss = torch.zeros((), device=logits.device)
    if share < 1:
        loss = loss + (1 - share) * functional.cross_entropy(logits, y, label_smoothing=settings.label_smoothing)
    if teacher is not None:
        loss = loss + share * distillation(logits, teacher, settings.temperature)
    return loss
