"""Keywords in a long recording, window by window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bitproof.convert import thin_
from bitproof.core import Clip, DataError, SpecError
from bitproof.export import front_end
from bitproof.models import Network
from bitproof.models import load as load_model
from bitproof.noises import noise

#: The words of the 12-class task, by label, and those of them that are nothing to be told.
WORDS = ("silence", "unknown", "yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
NOTHING = ("silence", "unknown", "_silence_", "_unknown_")

_BATCH = 64

Wave = NDArray[np.float32]


@dataclass(frozen=True)
class Heard:
    """A word, where its window begins and ends in the recording, and the network's confidence in that window."""

    start_s: float
    end_s: float
    word: str
    confidence: float


@dataclass(frozen=True)
class Listening:
    """What is listened with, and how.

    Args: model: a spec of a network of clips. hop_s: from one window to the next. threshold: the least confidence, 0 to 1.
    words: names of the classes, by label; None means those of the 12-class task. depth: of a thinnable network; None: its
    own. Raises SpecError where these do not fit one another.
    """

    model: str
    hop_s: float = 0.25
    threshold: float = 0.7
    words: Sequence[str] | None = None
    depth: int | None = None

    def __post_init__(self) -> None:
        if not 0.01 <= self.hop_s <= 10 or not 0 <= self.threshold <= 1:
            raise SpecError(f"hop={self.hop_s} s and threshold={self.threshold} are not possible: 0.01 to 10 s, and 0 to 1.")

    def hear(self, path: Path) -> Iterator[Heard]:
        """Yield the words of a recording in their order. Raises DataError where it cannot be read, SpecError, ModelError."""
        network = load_model(self.model)
        if self.depth is not None:
            thin_(network.module, self.depth)
        form, words = _form(network), self._words(network)
        starts, windows = cut(_wave(path, form), form, self.hop_s)
        found = [
            (start, words[label], share)
            for start, (label, share) in zip(starts, _answers(network, form, windows), strict=True)
            if share >= self.threshold and words[label] not in NOTHING
        ]
        yield from merged(found, self.hop_s, form.time_s)

    def _words(self, network: Network) -> Sequence[str]:
        words = self.words or (WORDS if network.classes == len(WORDS) else [f"class {i}" for i in range(network.classes)])
        if len(words) != network.classes:
            raise SpecError(f"{len(words)} words were given and {network.spec!r} has {network.classes} classes.")
        return words


def _form(network: Network) -> Clip:
    if not isinstance(network.form, Clip):
        raise SpecError(
            f"{network.spec!r} takes samples of the kind {network.form.kind!r}; to listen, a network of clips is needed."
        )
    return network.form


def _wave(path: Path, form: Clip) -> Wave:
    """The whole recording at the model's rate, at least one clip long."""
    try:
        data = path.read_bytes()
        recording = noise("decode-sndfile")(data)
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    except DataError as error:
        raise DataError(f"{str(path)!r}: {error}") from None
    time_s = max(form.time_s, len(recording.wave) / recording.rate)
    whole: Wave = noise(form.resample)(recording, replace(form, time_s=time_s))
    return whole


def cut(wave: Wave, form: Clip, hop_s: float) -> tuple[list[float], torch.Tensor]:
    """Return where windows of the model's length begin, in s, and the windows N×L; the last one ends with the recording."""
    hop = max(1, round(hop_s * form.rate))
    places = [*range(0, len(wave) - form.length, hop), len(wave) - form.length]
    return [place / form.rate for place in places], torch.from_numpy(np.stack([wave[p : p + form.length] for p in places]))


@torch.inference_mode()
def _answers(network: Network, form: Clip, windows: torch.Tensor) -> Iterator[tuple[int, float]]:
    front = front_end(form.features)
    for part in windows.tensor_split(-(-len(windows) // _BATCH)):
        share, label = network.module(front(part)).float().softmax(dim=1).max(dim=1)
        yield from zip(label.tolist(), share.tolist(), strict=True)


def merged(found: Sequence[tuple[float, str, float]], hop_s: float, time_s: float) -> Iterator[Heard]:
    """Yield one ``Heard`` for windows that follow one another with the same word: the surest of them."""
    best: Heard | None = None
    last = -np.inf
    for start, word, share in found:
        if best is not None and (word != best.word or start - last > 1.5 * hop_s):
            yield best
            best = None
        if best is None or share > best.confidence:
            best = Heard(start, start + time_s, word, share)
        last = start
    if best is not None:
        yield best
