"""Site ``tokens``: the model's tokenizer, and how a deployment's may differ from it.

Source: bitproof's own; the library tokenizers does the work. Differs from the paper: there is none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bitproof.core import DataError, MissingExtra, SpecError, Words

#: Of the three planes of a sample: token ids, 1 where a token counts, and the sentence it is of; −1 where there is nothing at all.
IDS, MASK, TYPES, NOTHING = 0, 1, 2, -1


@dataclass(frozen=True)
class Tokens:
    """The model's own tokenizer, or one that differs in what is named: sentences → int64 3×length.

    ``lower``: whether letters are made small first. ``accents``: whether they keep their accents. ``truncate``: left or right, the
    end that is cut where a text is too long. ``length``: how many tokens are left, at most the model's. ``pad``: ``batch``, up to
    the longest of a batch, or ``max``, up to the model's length; what is padded is masked. Planes: ids, mask (1 counts), sentence
    (0 or 1, −1 where not even padding stands).
    """

    lower: bool | None = None
    accents: bool | None = None
    truncate: str | None = None
    length: int | None = None
    pad: str = "batch"

    site: ClassVar[str] = "tokens"
    family: ClassVar[str] = "system"
    kinds: ClassVar[tuple[str, ...]] = ("text",)
    source: ClassVar[str] = "https://github.com/huggingface/tokenizers"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.truncate not in (None, "left", "right") or self.pad not in ("batch", "max"):
            raise SpecError(f"truncate={self.truncate!r}, pad={self.pad!r}: left or right, and batch or max, are known.")
        if self.length is not None and self.length < 3:
            raise SpecError(f"length={self.length}: at least 3 tokens are needed.")

    def __call__(self, sentences: Sequence[str], form: Words) -> NDArray[np.int64]:
        """Return the planes of one sample. Raises SpecError where the tokenizer has no such switch, MissingExtra without it."""
        encoded = _tokenizer(self, form).encode(*sentences)
        planes = np.zeros((3, form.length), dtype=np.int64)
        planes[TYPES, len(encoded.ids) if self.pad == "batch" else form.length :] = NOTHING
        for plane, values in ((IDS, encoded.ids), (MASK, encoded.attention_mask), (TYPES, encoded.type_ids)):
            planes[plane, : len(values)] = values
        return planes

    def differs(self, form: Words) -> bool:
        """Whether this is anything but the model's own tokenizer. Raises SpecError where it has no such switch."""
        own = _tokenizer(Tokens(), form)
        changed = _tokenizer(self, form)
        return self.pad != "batch" or changed.to_str() != own.to_str()


def tokenizer_json(form: Words) -> str:
    """Return what stands in the model's ``tokenizer.json``. Raises DataError where that cannot be read."""
    if not form.in_file:
        return form.tokenizer
    try:
        return Path(form.tokenizer).read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{form.tokenizer!r} cannot be read: {error.strerror}.") from None


@lru_cache(maxsize=32)
def _tokenizer(asked: Tokens, form: Words) -> Any:
    """Build the tokenizer; it is never changed afterwards, so threads may share it."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise MissingExtra("tokenizers", "text", "The task text") from None
    plan = json.loads(tokenizer_json(form))
    _switch_(plan, asked)
    built = Tokenizer.from_str(json.dumps(plan))
    built.no_padding()
    length = min(asked.length or form.length, form.length)
    built.enable_truncation(length, strategy="longest_first", direction=asked.truncate or form.truncate)
    return built


def _switch_(plan: dict[str, Any], asked: Tokens) -> None:
    """Change the normalizer in the tokenizer's own description."""
    if asked.lower is None and asked.accents is None:
        return
    normalizer = plan.get("normalizer") or {}
    if normalizer.get("type") != "BertNormalizer":
        raise SpecError(f"The tokenizer has no switch for case and accents: its normalizer is {normalizer.get('type') or 'none'}.")
    was = normalizer["lowercase"]
    if asked.lower is not None:
        normalizer["lowercase"] = asked.lower
    strips = normalizer["strip_accents"]
    if asked.accents is not None:
        normalizer["strip_accents"] = not asked.accents
    elif strips is None and asked.lower != was:
        normalizer["strip_accents"] = was  # else it would follow the case
