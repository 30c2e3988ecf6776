"""What patches are worth without knowing the class: all are tried, and the class that likes its own patch best is the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from bitproof.defenses import Patches
from bitproof.models import TorchVictim
from bitproof.tasks import Sample

Batched = Iterable[tuple[list[Sample], Tensor]]


class Answered:
    """A victim whose logits were found before: what it is shown are they."""

    labels_only = False
    device = torch.device("cpu")

    def logits(self, x: Tensor) -> Tensor:
        """N×classes → itself."""
        return x


def answers(
    victim: TorchVictim, labels: Sequence[int], shown: Callable[[int | None], Batched], classes: int
) -> Iterator[tuple[list[Sample], Tensor]]:
    """Yield (samples, N×classes): z_c = log p_c(x ⊕ P_c) for each class c of ``labels``, log p_c(x) for a class without a patch.

    ``shown`` returns the batches of the cell with the patch of a class, and of None without any. So the answer is among all
    classes, as a bare network's is. Source: arXiv 2206.13891 (C-AVP), its rule at test time, where every class has a patch.
    """
    chunks: list[list[Sample]] = []

    def asked(label: int | None) -> Tensor:
        chunks.clear()
        found = []
        for chunk, x in shown(label):
            with torch.inference_mode():
                z = victim.logits(x.to(victim.device)).float().cpu().log_softmax(dim=1)
            found.append((z if label is None else z[:, label]).clone())
            chunks.append(chunk)
        return torch.cat(found)

    columns = {label: asked(label) for label in labels}
    z = asked(None) if len(labels) < classes else torch.empty(len(columns[labels[0]]), classes)
    for label, column in columns.items():
        z[:, label] = column
    yield from zip(chunks, torch.split(z, [len(chunk) for chunk in chunks]), strict=True)


class Tried(nn.Module):
    """The same rule as one network, which an attack can go through: N×3×S×S → N×classes, a pass a patch."""

    def __init__(self, network: nn.Module, patches: Patches) -> None:
        super().__init__()
        self.network, self.patches = network, patches
        self.train(network.training)

    def forward(self, x: Tensor) -> Tensor:
        """z_c = log p_c(x ⊕ P_c), log p_c(x) in one more pass for classes without a patch; all passes are kept for the gradient."""
        own = {label: self._log_p(self.patches(x, label, 0)) for label in self.patches.labels}
        classes = next(iter(own.values())).shape[1]
        bare = self._log_p(x) if len(own) < classes else x
        return torch.stack([own[c][:, c] if c in own else bare[:, c] for c in range(classes)], dim=1)

    def _log_p(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x)
        return logits.float().log_softmax(dim=1)
