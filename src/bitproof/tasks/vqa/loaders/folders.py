"""``cds2k:DIR``, ``sun-seg:DIR``, ``image-sentiment:DIR``: the folder that a picture lies in is the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bitproof.core import DataError, SpecError
from bitproof.tasks.sources.files import folder
from bitproof.tasks.vqa.items import Question
from bitproof.tasks.vqa.loaders.base import Loader, pictures_below

FLAW = ("Is there a defect on the thing in this picture?", "Can you see any damage or flaw here?", "Does this part have a defect?")
POLYP = ("Is there a polyp in this endoscopic picture?", "Does this colonoscopy frame show a polyp?", "Can a polyp be seen here?")
MOOD = (
    "Is the mood of this picture positive or negative?",
    "Does the picture convey a positive or a negative feeling?",
    "Which is the sentiment of this scene, positive or negative?",
)
#: Folders of masks and edges, which are no pictures to ask about.
MASKS = frozenset({"gt", "groundtruth", "mask", "masks", "edge", "scribble", "polygon", "gt_object", "gt_instance", "gt_edge"})


def below(root: Path, name: str) -> list[Path]:
    """Return the pictures in folders called ``name``, in any case, at any depth below ``root``; masks are left out."""
    inside = ((path, [part.lower() for part in path.relative_to(root).parts[:-1]]) for path in pictures_below(root))
    return [path for path, parts in inside if name in parts and not MASKS & set(parts)]


@dataclass(frozen=True)
class Cds2k(Loader):
    """CDS2K: is there a defect; as many sound parts as flawed ones.

    **The published layout is confirmed in part**: readers of it name a folder ``Positive``; that sound parts lie in ``Negative`` is
    inferred. Pictures are taken at any depth below the two, folders of masks left out.
    """

    name: ClassVar[str] = "cds2k"
    source: ClassVar[str] = "CDS2K (arXiv 2304.11234), concealed defects"
    layout: ClassVar[str] = "Expected: pictures below Positive/ and below Negative/; masks in GroundTruth/ or GT/ are left out."

    def questions(self, root: Path) -> Iterator[Question]:
        """Yield one question a picture. Raises DataError."""
        for pictures, flawed in zip(
            self.paired(below(root, "positive"), below(root, "negative"), self.layout), (True, False), strict=True
        ):
            for path in pictures:
                yield self.yes_no(path, path.relative_to(root).as_posix(), "defect", "defects", FLAW, flawed)


@dataclass(frozen=True)
class ImageSentiment(Loader):
    """Pictures of good and bad mood, as many of each.

    **The published layout of the study's set could not be confirmed.** Read are pictures at any depth below ``positive/`` and below
    ``negative/``. Labels in a table: ``folder:``.
    """

    name: ClassVar[str] = "image-sentiment"
    source: ClassVar[str] = "pictures labelled positive or negative"
    layout: ClassVar[str] = "Expected: pictures below positive/ and below negative/."

    def questions(self, root: Path) -> Iterator[Question]:
        """Yield one question a picture. Raises DataError."""
        moods = ("positive", "negative")
        found = self.paired(below(root, "positive"), below(root, "negative"), self.layout)
        for pictures, mood in zip(found, moods, strict=True):
            for path in pictures:
                group = path.relative_to(root).as_posix()
                yield self.ask(path, group, "mood", "sentiment", MOOD, "choice", mood, options=moods)


@dataclass(frozen=True)
class SunSeg(Loader):
    """SUN-SEG: is there a polyp; ``per_clip`` frames of each clip of ``split``, and as many of ``negatives``.

    ``negatives`` is a folder of frames without a polyp, one folder a case, as the SUN database's negative part gives them; without
    it every answer would be yes, so it must be given. Layout of the positive part: ``<split>/[Seen|Unseen/]Frame/<case>/*.jpg``,
    known from the data set's own description.
    """

    negatives: str | None = None
    split: str = "TestEasyDataset"
    per_clip: int = 1

    name: ClassVar[str] = "sun-seg"
    source: ClassVar[str] = "SUN-SEG (arXiv 2203.14291), on frames of the SUN colonoscopy database"
    layout: ClassVar[str] = (
        "Expected: TestEasyDataset/[Seen/]Frame/<case>/*.jpg, and negatives=DIR with <case>/*.jpg without polyps."
    )
    licence: ClassVar[str] = "SUN database: on request, not commercial, not to be passed on"

    def __post_init__(self) -> None:
        if self.per_clip < 1:
            raise SpecError(f"{self.name}: per_clip is 1 or more; asked: {self.per_clip}.")

    def questions(self, root: Path) -> Iterator[Question]:
        """Yield one question a frame. Raises DataError."""
        if self.negatives is None:
            raise DataError(f"{self.where!r}: the frames without polyps are missing. {self.layout}")
        sound = folder(self.negatives)
        found = self._frames(below(root / self.split, "frame")), self._frames(pictures_below(sound))
        for frames, grown in zip(self.paired(*found, self.layout), (True, False), strict=True):
            for path in frames:
                group = f"{'with' if grown else 'without'}/{path.parent.name}/{path.stem}"
                yield self.yes_no(path, group, "polyp", "medical", POLYP, grown)

    def _frames(self, paths: list[Path]) -> list[Path]:
        """Return ``per_clip`` frames of each folder, evenly spread: neighbours in a film are nearly the same picture."""
        clips: dict[Path, list[Path]] = {}
        for path in paths:
            clips.setdefault(path.parent, []).append(path)
        n = self.per_clip
        return [clip[len(clip) * (2 * k + 1) // (2 * n)] for clip in clips.values() for k in range(min(n, len(clip)))]
