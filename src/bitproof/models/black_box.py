"""A network of which nothing is known but its answers: a function from pictures to labels or logits."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bitproof.core import ModelError, SpecError

#: Pictures, float32 N×3×S×S in [0, 1] → labels N, whole numbers, or logits N×classes.
Answer = Callable[[Any], Any]


class BlackBox(nn.Module):
    """A function as a module without parameters: float N×3×S×S → N×classes; carries no gradient.

    A function that tells labels alone gets logits of 1 for the label and 0 elsewhere, and ``labels_only`` is set: they say which
    class it is and nothing else. Whether it does shows when it is asked about two grey pictures of ``size`` px.

    Raises SpecError where it tells labels and ``classes`` is not known, ModelError where it fails or answers something else.
    """

    def __init__(self, function: Answer, size: int, classes: int | None, spec: str) -> None:
        super().__init__()
        self.function, self.classes, self.spec = function, classes, spec
        told = self._ask(np.full((2, 3, size, size), 0.5, np.float32))
        self.labels_only = told.ndim == 1
        if self.labels_only and classes is None:
            raise SpecError(f"{spec!r} tells labels alone, so the number of classes has to be given. Type for example classes=10.")

    def forward(self, x: Tensor) -> Tensor:
        """Ask about all pictures at once."""
        told = torch.from_numpy(self._ask(x.detach().cpu().numpy().copy()))
        if not self.labels_only:
            return told.float().to(x.device)
        return nn.functional.one_hot(told.long(), self.classes or 0).float().to(x.device)

    def _ask(self, pictures: Any) -> Any:
        try:
            told = np.array(self.function(pictures))  # a copy: the function may answer with the same array again
        except Exception as error:  # the user's own code
            raise ModelError(f"{self.spec!r} failed on {len(pictures)} pictures: {type(error).__name__}: {error}") from error
        labels = told.shape == (len(pictures),) and told.dtype.kind in "iu"
        if not labels and not (told.ndim == 2 and len(told) == len(pictures) and told.dtype.kind == "f"):
            raise ModelError(
                f"{self.spec!r} must return labels N (whole numbers) or logits N×classes, found {told.dtype} {told.shape} "
                f"for {len(pictures)} pictures."
            )
        if labels and self.classes is not None and not (0 <= told.min() and told.max() < self.classes):
            raise ModelError(f"{self.spec!r} told the label {told.max()}, {self.classes} classes were expected.")
        return told


def source_of(function: Answer, spec: str) -> bytes:
    """Return the source of a function, which tells it from others. Raises SpecError where it has none."""
    try:
        return inspect.getsource(function).encode()
    except (OSError, TypeError):
        raise SpecError(
            f"{spec!r} has no source to be told from other functions by. Say what identifies it: wrap(…, code=b'name and version')."
        ) from None
