"""A defense on its way with a picture: what stands before the corruption, and what an attack has to go through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bitproof.bench.pictures import Picture, to_tensor
from bitproof.core import Attacked, Shield, Strike, Victim, seed
from bitproof.tasks import Sample


@dataclass(frozen=True, eq=False)
class Worn:
    """A fitted defense in the cells of one run seed.

    ``key`` tells it apart from all others; ``label``: the class that it is told instead of the right one.
    """

    key: str
    shield: Shield
    at: str
    knows_label: bool
    run_seed: int
    label: int | None = None

    def told(self, label: int) -> Worn:
        """The same, told this class whatever is on the picture."""
        return replace(self, key=f"{self.key} as {label}", label=label)

    def _label(self, sample: Sample) -> int:
        return sample.label if self.label is None else self.label

    def _draw(self, sample: Sample) -> int:
        return seed(self.run_seed, "defense", sample.id)

    def shown(self, sample: Sample) -> int | None:
        """The class that it gives away of a sample."""
        return self.shield.shown(self._label(sample), self._draw(sample))

    def on_picture(self, image: Picture, sample: Sample) -> Picture:
        """uint8 H×W×3 → uint8 H×W×3, a new array."""
        with torch.no_grad():
            x = self.shield(to_tensor(image[None]), self._label(sample), self._draw(sample))[0]
        made: Picture = (x * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
        return made

    def on_batches(self, batches: Iterable[tuple[list[Sample], Tensor]]) -> Iterator[tuple[list[Sample], Tensor]]:
        """Put it on float pictures N×3×S×S, where no attack comes between."""
        for chunk, x in batches:
            labels, draws = [self._label(sample) for sample in chunk], [self._draw(sample) for sample in chunk]
            out = torch.empty_like(x)
            with torch.no_grad():
                for (label, draw), rows in self.groups(labels, draws).items():
                    out[rows] = self.shield(x[rows], label, draw)
            yield chunk, out

    def groups(self, labels: Sequence[int], draws: Sequence[int]) -> dict[tuple[int, int], list[int]]:
        """(label, draw) → the rows that it treats alike."""
        found: dict[tuple[int, int], list[int]] = defaultdict(list)
        for row, (label, draw) in enumerate(zip(labels, draws, strict=True)):
            found[label if self.knows_label else 0, draw if self.shield.draws else 0].append(row)
        return found


class Behind:
    """A victim behind a shield, for pictures of one class: the protocol ``bitproof.core.Victim``."""

    def __init__(self, victim: Any, shield: Shield, label: int, draw: int) -> None:
        self.victim, self.shield, self.label, self.draw = victim, shield, label, draw
        self.bounds, self.differentiable, self.labels_only = victim.bounds, victim.differentiable, victim.labels_only

    def logits(self, x: Tensor) -> Tensor:
        """N×3×S×S without the shield → N×classes behind it."""
        logits: Tensor = self.victim.logits(self.shield(x, self.label, self.draw))
        return logits

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy of each sample, nats."""
        return F.cross_entropy(self.logits(x), y, reduction="none")

    def decide(self, x: Tensor) -> Tensor:
        """Predicted class of each sample."""
        with torch.no_grad():
            return self.logits(x).argmax(dim=1)

    def with_gradient(self, mode: str) -> Behind:
        """The same with another gradient mode."""
        return Behind(self.victim.with_gradient(mode), self.shield, self.label, self.draw)


@dataclass(frozen=True)
class Through:
    """An attack on pictures that a shield will be put on: the attacker knows it, its class and its draw, and goes through it.

    ``build`` returns the attack, with all other networks that it needs put behind the same shield.
    """

    worn: Worn
    build: Callable[[Callable[[Victim], Victim]], Strike]

    def __call__(self, victim: Victim, x: Tensor, y: Tensor, seeds: Sequence[int]) -> Attacked:
        """Attack rows that are treated alike together; what is returned wears the shield."""
        draws = [seed("defense", each) for each in seeds]
        found: list[tuple[list[int], Attacked]] = []
        for (label, draw), rows in self.worn.groups(y.tolist(), draws).items():

            def behind(each: Victim, label: int = label, draw: int = draw) -> Victim:
                return Behind(each, self.worn.shield, label, draw)

            attacked = self.build(behind)(behind(victim), x[rows], y[rows], [seeds[i] for i in rows])
            with torch.no_grad():
                seen = self.worn.shield(attacked.x, label, draw)
            found.append((rows, replace(attacked, x=seen)))
        return _joined(found)


def _joined(found: Sequence[tuple[list[int], Attacked]]) -> Attacked:
    """Parts of a batch, in the order of its rows."""
    order = torch.tensor([row for rows, _ in found for row in rows]).argsort()

    def whole(read: Callable[[Attacked], Tensor]) -> Tensor:
        joined = torch.cat([read(part) for _, part in found])
        return joined[order.to(joined.device)]

    columns = {name: whole(lambda part, name=name: part.columns[name]) for name in found[0][1].columns}  # type: ignore[misc]
    return Attacked(
        whole(lambda part: part.x),
        whole(lambda part: part.success),
        whole(lambda part: part.queries),
        whole(lambda part: part.gradients),
        columns,
    )
