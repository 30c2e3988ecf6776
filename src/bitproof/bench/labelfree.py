"""What patches are worth without knowing the class: all are tried, and the class that likes its own patch best is the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from bitproof.models import TorchVictim
from bitproof.tasks import Sample

#: Log-probability of a class that has no patch.
NEVER = -1e4

Batched = Iterable[tuple[list[Sample], Tensor]]


class Answered:
    """A victim whose logits were found before: what it is shown are they."""

    labels_only = False
    device = torch.device("cpu")

    def logits(self, x: Tensor) -> Tensor:
        """N×classes → itself."""
        return x


def answers(
    victim: TorchVictim, labels: Sequence[int], shown: Callable[[int], Batched], classes: int
) -> Iterator[tuple[list[Sample], Tensor]]:
    """Yield (samples, N×classes): z_c = log p_c(x ⊕ P_c) for each class c of ``labels``, else ``NEVER``.

    ``shown`` returns the batches of the cell with the patch of a class. Source: arXiv 2206.13891 (C-AVP), its rule at test time.
    """
    chunks: list[list[Sample]] = []
    columns = []
    for label in labels:
        chunks, found = [], []
        for chunk, x in shown(label):
            with torch.inference_mode():
                found.append(victim.logits(x.to(victim.device)).float().cpu().log_softmax(dim=1)[:, label].clone())
            chunks.append(chunk)
        columns.append(torch.cat(found))
    count = sum(map(len, chunks))
    z = torch.full((count, classes), NEVER)
    z[:, list(labels)] = torch.stack(columns, dim=1)
    yield from zip(chunks, torch.split(z, [len(chunk) for chunk in chunks]), strict=True)
