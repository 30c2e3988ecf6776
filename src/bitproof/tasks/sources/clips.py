"""Recordings: a folder for each class, a Parquet file, and the folders of Speech Commands."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from bitproof.core import DataError, MissingExtra, SpecError, seed
from bitproof.tasks.data import ImageData, Sample, fingerprint
from bitproof.tasks.sources.files import FileBytes, content, entries, files_of, folder, is_folder, size_bytes
from bitproof.tasks.sources.folder import class_folders, read_folders
from bitproof.tasks.sources.parquet import Parquet

#: Extensions that libsndfile reads.
EXTENSIONS = (".wav", ".flac", ".ogg", ".mp3")

PARTS = ("train", "validation", "test")

#: The ten words of the 12-class task behind silence and unknown, in the order of its labels.
WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")

#: The 12 classes, by label.
NAMES = ("silence", "unknown", *WORDS)

BACKGROUND = "_background_noise_"

_LARGEST = 2**27 - 1


def speaker(name: str) -> str:
    """Return who speaks, as a file name of Speech Commands tells it; other names are a speaker each."""
    found = re.search(r"([0-9a-f]{8})_nohash", name)
    return found[1] if found else name


def official_part(name: str) -> str:
    """Return the part of Speech Commands that a file belongs to: by its speaker's hash, 10 % validation, 10 % test.

    Source: arXiv 1804.03209 §7 and the data set's README: SHA-1 of the name up to ``_nohash_``, modulo 2^27, in percent.
    """
    owner = re.sub(r"_nohash_.*$", "", Path(name).name)
    share = int(hashlib.sha1(owner.encode(), usedforsecurity=False).hexdigest(), 16) % (_LARGEST + 1) * (100.0 / _LARGEST)
    return "validation" if share < 10 else "test" if share < 20 else "train"


def own_part(name: str) -> str:
    """Return the part of a file in data that has none: by its speaker's hash, 70 % train, 10 % validation, 20 % test.

    A speaker is in one part alone, so what is tested is not a voice that was trained on.
    """
    share = seed("part", speaker(name)) % 100
    return "train" if share < 70 else "validation" if share < 80 else "test"


def check_part(part: str, also: Sequence[str] = ()) -> None:
    """Raise SpecError for a part that there is not."""
    if part not in (*also, *PARTS):
        raise SpecError(f"part={part!r} is unknown: {', '.join((*also, *PARTS))}.")


@dataclass(frozen=True)
class AudioFolder:
    """Recordings (WAV, FLAC, OGG, MP3), a folder a class, classes sorted by name: audiofolder:DIR[,part=all,classes=12].

    ``part``: all, train, validation or test: by a hash of the speaker where file names tell one as Speech Commands' do, else of the
    file; 70, 10 and 20 %. ``classes=12``: labels are those of the 12-class task, whatever words are there; a folder of any other
    word is unknown. What is refused is as for ``imagefolder``.
    """

    where: str
    part: str = "all"
    classes: int | None = None

    task: ClassVar[str] = "keyword"
    source: ClassVar[str] = "the layout of torchvision.datasets.ImageFolder, with recordings"
    version: ClassVar[int] = 1

    def load(self) -> ImageData:
        """List the files, and hash them where they are small in all. Raises DataError, SpecError."""
        check_part(self.part, ("all",))
        if self.classes not in (None, len(NAMES)):
            raise SpecError(f"classes={self.classes} is not possible: 12, the classes of Speech Commands' task, or left out.")
        root = folder(self.where)
        classes = {path.name: label for label, path in enumerate(class_folders(root))}
        data = read_folders(root, classes, "audiofolder", self.version, EXTENSIONS, "recording")
        return only(of_twelve(data) if self.classes else data, self.part)


def of_twelve(data: ImageData) -> ImageData:
    """Return data of one class a word with the labels of the 12-class task. Raises DataError where none of its words is there."""
    known = {name: label for label, name in enumerate(NAMES)} | {"_silence_": 0, "_unknown_": 1}
    words = [name.lower() for name in data.names]
    if BACKGROUND in words:
        raise DataError(
            f"{data.where!r} holds {BACKGROUND!r}, long recordings of which silence is cut. "
            f"Write speech-commands:{data.where} for the whole data set, or move that folder away."
        )
    if not known.keys() & set(words):
        raise DataError(f"{data.where!r} has no folder named as one of the 12 classes: {', '.join(NAMES)}. Found: {_some(data)}.")
    samples = tuple(replace(sample, label=known.get(words[sample.label], 1)) for sample in data.samples)
    return replace(data, samples=samples, digest=fingerprint("12 classes", 1, [], data.digest), classes=len(NAMES), names=NAMES)


def _some(data: ImageData) -> str:
    return ", ".join(data.names[:5]) + (f" and {len(data.names) - 5} more" if len(data.names) > 5 else "")


@dataclass(frozen=True)
class ClipParquet:
    """A Parquet file with the columns ``audio`` (encoded bytes), ``label`` and, if it has one, ``file`` (ids): FILE[,part=all].

    ``part`` as for ``audiofolder``. ``classes`` declares how many classes the labels count. Otherwise as ``parquet``.
    """

    where: str
    classes: int | None = None
    part: str = "all"

    task: ClassVar[str] = "keyword"
    source: ClassVar[str] = "bitproof: one row a sample"
    version: ClassVar[int] = 1

    def load(self) -> ImageData:
        """Read all columns but the recordings. Raises DataError, SpecError."""
        check_part(self.part, ("all",))
        return only(replace(_Column(self.where, self.classes).load(), things="recordings"), self.part)


class _Column(Parquet):
    column: ClassVar[str] = "audio"


def only(data: ImageData, part: str) -> ImageData:
    """Return the samples of one part, by speaker; ``all`` of them is the data as it is."""
    if part == "all":
        return data
    kept = tuple(sample for sample in data.samples if own_part(sample.id) == part)
    return replace(data, where=f"{data.where} ({part})", samples=kept, digest=fingerprint("part", 1, [], part, data.digest))


@dataclass(frozen=True)
class SpeechCommands:
    """Speech Commands v0.01 or v0.02 as it is unpacked: speech-commands:DIR[,part=test,classes=12].

    ``part``: train, validation or test, by the official hash of the speaker. ``classes=35`` (30 in v0.01) are all words; ``12`` are
    silence, unknown and yes, no, up, down, left, right, on, off, stop, go. There, unknown is as many of the other words as a word
    has on average, drawn by name; silence as many seconds of the background recordings, at drawn places.
    """

    where: str
    part: str = "test"
    classes: int = 12

    task: ClassVar[str] = "keyword"
    source: ClassVar[str] = "arXiv 1804.03209 (CC BY 4.0)"
    version: ClassVar[int] = 1

    def load(self) -> ImageData:
        """List the files of the part. Raises DataError, SpecError."""
        check_part(self.part)
        root = folder(self.where)
        words = [entry.name for entry in entries(root) if is_folder(entry) and entry.name != BACKGROUND]
        if self.classes not in (12, len(words)):
            raise SpecError(f"classes={self.classes} is not possible: 12, or all {len(words)} words of {str(root)!r}.")
        missing = [word for word in WORDS if word not in words]
        if missing:
            raise DataError(f"{str(root)!r} is no folder of Speech Commands: it lacks the word {missing[0]!r}.")
        files = {word: self._files(root / word) for word in words}
        rows = _balanced(files) if self.classes == 12 else [(f, i) for i, word in enumerate(words) for f in files[word]]
        samples = [Sample(f"{path.parent.name}/{path.name}", label, FileBytes(path)) for path, label in rows]
        samples += _silence(root / BACKGROUND, self.part, len(rows) // 11) if self.classes == 12 else []
        names = NAMES if self.classes == 12 else tuple(words)
        behind = sorted({sample.read.path for sample in samples if isinstance(sample.read, Second)})
        recordings = [*(path for path, _ in rows), *behind]
        bytes_of = [path.stat().st_size for path in recordings]
        sizes = [(sample.id, sample.label, 0) for sample in samples]
        known = content(recordings, sum(bytes_of))
        digest = fingerprint("speech-commands", self.version, sizes, self.part, str(bytes_of), *known)
        return ImageData(f"{root} ({self.part})", tuple(samples), digest, self.classes, names, "recordings")

    def _files(self, path: Path) -> list[Path]:
        found = [Path(entry.path) for entry in files_of(path, EXTENSIONS, "recording") if size_bytes(entry)]
        return [each for each in found if official_part(each.name) == self.part]


def _balanced(files: dict[str, list[Path]]) -> list[tuple[Path, int]]:
    """The ten words, and as many others as one of them has on average."""
    words = [(path, label) for label, word in enumerate(WORDS, 2) for path in files[word]]
    others = sorted((path for word, found in files.items() if word not in WORDS for path in found), key=_drawn)
    return [*words, *((path, 1) for path in others[: round(len(words) / len(WORDS))])]


def _drawn(path: Path) -> int:
    return seed("unknown", f"{path.parent.name}/{path.name}")


def _silence(path: Path, part: str, count: int) -> Iterator[Sample]:
    """Seconds of the background recordings, from a third of each that belongs to the part alone."""
    files = [Path(entry.path) for entry in entries(path) if entry.name.lower().endswith(EXTENSIONS)] if path.is_dir() else []
    if not files:
        raise DataError(f"{str(path)!r} holds no recordings, which the class silence is cut from. Type classes=35 without it.")
    for i in range(count):
        file = files[i % len(files)]
        yield Sample(f"{BACKGROUND}/{file.name}#{i}", 0, Second(file, PARTS.index(part), seed("silence", part, file.name, i)))


@dataclass(frozen=True)
class Second:
    """A second of a recording's ``third`` (0, 1 or 2), at a place that ``drawn`` says."""

    path: Path
    third: int
    drawn: int

    def __call__(self) -> bytes:
        """Return it as a WAV file of 16 bits. Raises DataError, MissingExtra."""
        wave, rate = _read(self.path)
        room = max(1, len(wave) // 3 - rate)
        start = self.third * (len(wave) // 3) + self.drawn % room
        file = io.BytesIO()
        _soundfile().write(file, wave[start : start + rate], rate, format="WAV", subtype="PCM_16")
        return file.getvalue()


@lru_cache(maxsize=8)
def _read(path: Path) -> tuple[Any, int]:
    try:
        wave, rate = _soundfile().read(path, dtype="int16")
    except (OSError, RuntimeError) as error:
        raise DataError(f"{str(path)!r} is no readable recording: {error}.") from None
    return wave, rate


def _soundfile() -> Any:
    try:
        import soundfile
    except ImportError:
        raise MissingExtra("soundfile", "audio", "Cutting silence from background recordings") from None
    return soundfile
