"""Our corruptions beside the reference's: the same pictures under both, and the same network on both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import torch

from bitproof.analysis import apart, features, fidelity_lines
from bitproof.bench.cache import SampleCache
from bitproof.bench.memory import keep_freed_memory
from bitproof.bench.peers import NOTES, Peer, peers
from bitproof.bench.pictures import Picture, Pipeline, draw, finite, to_tensor
from bitproof.bench.reporter import Reporter, Silent
from bitproof.bench.variants import as_evaluated
from bitproof.core import Geometry, ModelError, SpecError, UnknownName, digest, seed
from bitproof.models import load as load_model
from bitproof.noises import BENCHMARK, EXTRA, noise
from bitproof.results import Pieces
from bitproof.tasks import Sample
from bitproof.tasks import load as load_task

#: Raised when what is measured changes; part of the name of every piece.
VERSION = 1

#: The corruptions that draw nothing.
DETERMINISTIC = (
    *("defocus_blur", "zoom_blur", "gaussian_blur"),
    *("brightness", "contrast", "saturate", "pixelate", "jpeg_compression"),
)

#: ImageNet-C's geometry, where no network brings its own.
GEOMETRY = Geometry(224, 256)

_BATCH = 32

#: The columns of a piece: a row a picture.
SCHEMA = pl.Schema(
    {
        **dict.fromkeys(("noise", "name"), pl.String()),
        "severity": pl.Int64(),
        "reference": pl.String(),
        "random": pl.Boolean(),
        "sample": pl.String(),
        "delta_mean": pl.Float64(),
        "delta_max": pl.Int64(),
        **dict.fromkeys(("ours", "theirs"), pl.List(pl.Float64())),
        **dict.fromkeys(("ours_correct", "theirs_correct"), pl.Boolean()),
    }
)


@dataclass(frozen=True)
class Line:
    """One corruption at one severity against one reference."""

    name: str
    severity: int
    peer: Peer

    @property
    def spec(self) -> str:
        """The corruption by its ImageNet constants, the only ones that the references have, whatever the picture's size."""
        return f"{self.name}:{self.severity},constants=imagenet"


def fidelity(
    task: str,
    limit: int | None = None,
    model: str | None = None,
    names: Sequence[str] = (),
    severities: Sequence[int] = (),
    pieces: Pieces | None = None,
    reporter: Reporter | None = None,
) -> tuple[pl.DataFrame, dict[tuple[str, str], str]]:
    """Compare corruptions with their references; return the lines of ``analysis.fidelity_lines``, and what is known of each.

    ``names`` and ``severities`` choose; all 19 and all 5 without. With ``model`` a network is evaluated under both sides.
    With ``pieces`` finished lines are kept there, and not measured again.
    Raises SpecError, DataError, ModelError and MissingExtra before anything is measured.
    """
    keep_freed_memory()
    chosen, teller = _lines(names, severities), reporter or Silent()
    comparison = Comparison(task, limit, model, pieces)
    teller.begin(len(chosen))
    frames = []
    for line in chosen:
        teller.say(f"{line.name}:{line.severity}  {line.peer.title}")
        frames.append(comparison.pictures(line))
        teller.advance(1)
    notes = {(line.name, line.peer.title): NOTES.get((line.name, line.peer.package), "") for line in chosen}
    return fidelity_lines(pl.concat(frames)), {key: note for key, note in notes.items() if note}


def _lines(names: Sequence[str], severities: Sequence[int]) -> list[Line]:
    known = (*BENCHMARK, *EXTRA)
    for name in names:
        if name not in known:
            raise UnknownName("corruption", name, known, f"The reference has {len(known)}: {', '.join(known)}.")
    wrong = next((severity for severity in severities if severity not in range(1, 6)), None)
    if wrong is not None:
        raise SpecError(f"Severity {wrong} is out of range. Allowed: 1, 2, 3, 4, 5.")
    at = product(dict.fromkeys(names or known), dict.fromkeys(severities or range(1, 6)))
    return [Line(name, severity, peer) for name, severity in at for peer in peers(name)]


class Comparison:
    """Pictures, and perhaps a network, that lines are measured on."""

    def __init__(self, task: str, limit: int | None, model: str | None, pieces: Pieces | None) -> None:
        self.task, self.pieces = load_task(task), pieces
        self.network = load_model(model) if model else None
        self.geometry = GEOMETRY
        if self.network is not None:
            self.task.data.check_classes(self.network.classes)
            self.geometry = self.network.geometry
        if self.geometry.size < 32:
            raise ModelError(f"The reference takes pictures of at least 32 px; the input of {model!r} has {self.geometry.size} px.")
        self.samples = self.task.data.evaluation(limit, seed=0)
        self.clean = Pipeline(self.task, self.geometry, (), 0, SampleCache())
        self._victim = as_evaluated(self.network, self.network.module) if self.network else None

    def pictures(self, line: Line) -> pl.DataFrame:
        """Return a row a picture, as ``analysis.fidelity_lines`` takes them; read from ``pieces`` where they are kept."""
        piece = self._id(line)
        kept = self.pieces.read(piece) if self.pieces else None
        if kept is not None:
            return kept
        batches = (self.samples[i : i + _BATCH] for i in range(0, len(self.samples), _BATCH))
        frame = pl.DataFrame([row for batch in batches for row in self._rows(line, batch)], schema=SCHEMA)
        if self.pieces:
            self.pieces.keep(piece, frame)
        return frame

    def _id(self, line: Line) -> str:
        network = self.network.digest if self.network else None
        where = (self.task.data.digest, self.geometry, len(self.samples), network, torch.get_num_threads() if network else None)
        return digest("fidelity", VERSION, line.spec, noise(line.spec).version, line.peer.title, *where)

    def _rows(self, line: Line, batch: Sequence[Sample]) -> Iterator[dict[str, Any]]:
        clean = [self.clean.made(sample) for sample in batch]
        ours = [noise(line.spec)(x, draw(line.spec, 0, sample)) for x, sample in zip(clean, batch, strict=True)]
        seeds = [seed("fidelity", line.peer.package, line.name, line.severity, sample.id) for sample in batch]
        theirs = [line.peer.call(line.name, x, line.severity, s) for x, s in zip(clean, seeds, strict=True)]
        right = self._both_right(batch, ours, theirs)
        random = line.name not in DETERMINISTIC
        for i, sample in enumerate(batch):
            mean, largest = apart(ours[i], theirs[i])
            yield {
                "noise": f"{line.name}:{line.severity}",
                "name": line.name,
                "severity": line.severity,
                "reference": line.peer.title,
                "random": random,
                "sample": sample.id,
                "delta_mean": mean,
                "delta_max": largest,
                "ours": features(clean[i], ours[i]) if random else None,
                "theirs": features(clean[i], theirs[i]) if random else None,
                "ours_correct": right[0][i],
                "theirs_correct": right[1][i],
            }

    def _both_right(
        self, batch: Sequence[Sample], ours: list[Picture], theirs: list[Picture]
    ) -> tuple[list[bool | None], list[bool | None]]:
        """Whether the network is right, for each side; a picture that is the same on both is shown to it once."""
        first = self._right(batch, ours)
        second, differ = list(first), [i for i, pair in enumerate(zip(ours, theirs, strict=True)) if not np.array_equal(*pair)]
        for i, right in zip(differ, self._right([batch[i] for i in differ], [theirs[i] for i in differ]), strict=True):
            second[i] = right
        return first, second

    def _right(self, batch: Sequence[Sample], pictures: list[Picture]) -> list[bool | None]:
        if self._victim is None or not pictures:
            return [None] * len(batch)
        with torch.inference_mode():
            logits = finite(self._victim.logits(to_tensor(np.stack(pictures))), batch)
        return [p == sample.label for p, sample in zip(logits.argmax(dim=1).tolist(), batch, strict=True)]
