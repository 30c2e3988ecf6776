"""Sentences as inputs, and the way of one up to the network: text → tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from bitproof.bench.cache import SampleCache
from bitproof.bench.inputs import Inputs
from bitproof.bench.pictures import draw
from bitproof.bench.ways import Way
from bitproof.core import SpecError, Words, seed
from bitproof.models import Network, TorchVictim, WordVictim
from bitproof.noises import noise, tokenizer_json
from bitproof.tasks import Sample, Task, sentences

if TYPE_CHECKING:
    from bitproof.bench.plan import Plan

Planes = NDArray[np.int64]

#: What the first piece of a word begins with in vocabularies that mark it; in others (WordPiece) the further pieces are marked.
WORD_STARTS = ("▁", "Ġ")

#: What a network is probed with: one sentence, and a pair of them.
_PROBE = (
    ("A network was made low-bit.",),
    ("What does it still withstand?", "Noise of all kinds, and not only of words, may tell."),
)


@dataclass(frozen=True)
class TextPipeline(Way):
    """The occupants of a sentence's first two sites for one cell."""

    form: Words

    dtype: ClassVar[torch.dtype] = torch.int64

    @property
    def shape(self) -> tuple[int, ...]:
        """3×length: token ids, mask, sentence."""
        return 3, self.form.length

    @property
    def size_bytes(self) -> int:
        """Bytes of a sample's tokens."""
        return 3 * 8 * self.form.length

    def made(self, sample: Sample) -> Planes:
        """Return int64 3×length."""
        at = self.occupants
        key = (self.task.data.digest, sample.id, at.get("text"), at["tokens"], self.form, self.run_seed if "text" in at else 0)
        return self.cache.get(key, lambda: self._made(sample))

    def _made(self, sample: Sample) -> Planes:
        planes: Planes = self._built["tokens"](self.said(sample), self.form)
        return planes

    def said(self, sample: Sample) -> tuple[str, ...]:
        """Return the sentences as the tokenizer meets them; each draws for itself."""
        plain = sentences(sample.read())
        if "text" not in self._built:
            return plain
        drawn = draw(self.occupants["text"], self.run_seed, sample)
        return tuple(self._built["text"](text, seed(drawn, i)) for i, text in enumerate(plain))

    @staticmethod
    def fill(row: NDArray[Any], made: NDArray[Any]) -> None:
        """Copy the tokens into ``row``."""
        row[:] = made


class TextInputs(Inputs):
    """Sentences, and pairs of them."""

    usual = "typos:3"

    def pipeline(
        self, task: Task, form: Words, noises: Sequence[str], run_seed: int, cache: SampleCache, attacked: bool = False
    ) -> TextPipeline:
        """Return the way of a sentence; attacked or not, it ends at its tokens."""
        return TextPipeline(task, form, tuple(noises), run_seed, cache)

    def probe(self, form: Words) -> torch.Tensor:
        """Return a sentence and a pair."""
        return torch.from_numpy(np.stack([noise("tokens")(texts, form) for texts in _PROBE]))

    def training(self, pipeline: TextPipeline, workers: int) -> TrainingSentences:
        """Return the clean tokens of a pipeline."""
        return TrainingSentences(pipeline)

    def check(self, network: Network, plan: Plan) -> None:
        """Refuse what is said of pictures."""
        if plan.grid.geometry.model_dump(exclude_none=True):
            raise SpecError(
                f"geometry is of pictures, and {network.spec!r} takes text. Leave the key out; type length=N at the model."
            )

    def before(self, victim: TorchVictim, form: Words, noises: Sequence[str]) -> TorchVictim:
        """Return the network from its word embeddings on."""
        if not victim.differentiable:
            return victim
        return WordVictim(victim.module, victim.mode, fixed=fixed_tokens(form).to(victim.device))

    def misfit(self, part: str, task: Task, network: Network) -> str | None:
        """A tokenizer must differ from the model's own."""
        built: Any = noise(part)
        same = built.site == "tokens" and not built.differs(network.form)
        return "It is the model's own tokenizer, spelled out." if same else None


@lru_cache(maxsize=4)
def fixed_tokens(form: Words) -> torch.Tensor:
    """Return V, true of tokens that no attack exchanges or puts in: special ones, reserved ones, parts of words, signs."""
    plan = json.loads(tokenizer_json(form))
    special = {token["id"] for token in plan.get("added_tokens", ()) if token.get("special")}
    held = plan["model"]["vocab"]
    vocabulary: dict[str, int] = held if isinstance(held, dict) else {piece: i for i, (piece, _) in enumerate(held)}
    fixed = torch.ones(max(*vocabulary.values(), *special, 0) + 1, dtype=torch.bool)
    marked = any(word[:1] in WORD_STARTS for word in vocabulary)
    for word, token in vocabulary.items():
        whole = word[1:] if word[:1] in WORD_STARTS else "" if marked else word
        fixed[token] = token in special or not whole.isalpha()
    return fixed


class TrainingSentences(torch.utils.data.Dataset[tuple[torch.Tensor, Any]]):
    """Clean training sentences as tokens, made once."""

    def __init__(self, pipeline: TextPipeline) -> None:
        samples = pipeline.task.data.samples
        self.y = torch.tensor([sample.truth for sample in samples])
        self.kept = torch.from_numpy(np.stack([pipeline.made(sample) for sample in samples]).astype(np.int32))

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, Any]:
        return self.kept[index].long(), self.y[index].item()

    def batch(self, indices: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (int64 N×3×length, labels or targets N)."""
        rows = torch.as_tensor(indices)
        return self.kept[rows].long(), self.y[rows]

    @staticmethod
    def finish(x: torch.Tensor) -> torch.Tensor:
        """Tokens are what they are."""
        return x
