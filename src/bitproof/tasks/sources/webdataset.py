"""``webdataset:SHARDS``: tar files of pictures and labels, read in place."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bitproof.core import DataError, SpecError
from bitproof.tasks.data import UNLABELLED, ImageData, Sample, fingerprint
from bitproof.tasks.sources.files import EXTENSIONS, WHOLE_BYTES, explained, is_text, place

#: A label is a number, or lies in a JSON file: more bytes than this are neither.
_LONGEST_LABEL = 1 << 20

#: What is known of a sample: extension → (offset, bytes) of that file in its shard.
Parts = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class WebDataset:
    """Pictures in tar shards, read in place: ``webdataset:val-{0000..0049}.tar``, with ``*``, or a folder of them.

    The files of one sample stand in one shard and have one name up to the first dot of its last part, the key. Its picture ends in
    jpg, jpeg, png, bmp or webp; its label is the whole number in the file that ends in ``label`` (cls), or with ``label=json.KEY``
    what the JSON file holds under KEY. Other files are left alone, and nothing is unpacked. Ids are keys, with the shard's name
    before them where a key is repeated. ``classes`` declares how many classes the labels count. Shards must not be compressed,
    since then no sample could be read without those before it. Up to 256 MiB in all are told apart by their bytes.
    """

    where: str
    label: str = "cls"
    classes: int | None = None

    task: ClassVar[str] = "image"
    source: ClassVar[str] = "the layout of webdataset (https://github.com/webdataset/webdataset)"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w-]+|json(\.[\w-]+)+", self.label):
            raise SpecError(f"label={self.label!r} is no file's ending: type cls, or json.KEY for what a JSON file holds.")

    def load(self) -> ImageData:
        """Read every shard's list of files, and the labels. Raises DataError naming a shard or sample that does not fit."""
        found = [(path, key, parts) for path in shards(self.where) for key, parts in _index(path).items()]
        counts = Counter(key for _, key, _ in found)
        samples, sizes = [], []
        for path, key, parts in found:
            ending = next((ending for ending in parts if f".{ending}" in EXTENSIONS), None)
            if ending is None:
                continue
            name = key if counts[key] == 1 else f"{path.name}/{key}"
            samples.append(Sample(name, self._label(path, key, parts), InShard(path, path.stat().st_mtime_ns, *parts[ending])))
            sizes.append(parts[ending][1])
        rows = ((sample.id, sample.label, size) for sample, size in zip(samples, sizes, strict=True))
        digest = fingerprint("webdataset", self.version, rows, *_content({path: None for path, *_ in found}))
        return ImageData(self.where, tuple(samples), digest, self.classes)

    def _label(self, path: Path, key: str, parts: Parts) -> int:
        ending, *keys = self.label.split(".")
        if ending not in parts:
            return UNLABELLED
        text = _bytes(path, *parts[ending]) if parts[ending][1] <= _LONGEST_LABEL else b""
        try:
            value = json.loads(text)
            for word in keys:
                value = value[word]
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            value = None
        if type(value) is not int or value < 0:
            raise DataError(
                f"{str(path)!r}: {key}.{ending} holds no label {self.label!r}: a whole number, 0 or more, was expected."
            )
        return value


def shards(where: str) -> list[Path]:
    """Return the shards that ``where`` names, in order. Raises DataError where there are none, or one is missing."""
    if re.match(r"\w+://|pipe:", where):
        raise DataError(f"{where!r} is not on a disk; shards are read in place. Copy them, or mount the store as a folder.")
    path = place(where)
    if path.is_dir():
        found = sorted(path.glob("*.tar"))
    else:
        numbered = [Path(name) for name in _numbered(str(path))]
        wild = any(sign in path.name for sign in "*?[")
        found = [file for each in numbered for file in (sorted(each.parent.glob(each.name)) if wild else [each])]
    if not found:
        raise DataError(f"{where!r} names no shard; it is a file such as val-000.tar, val-{{000..049}}.tar, val-*.tar or a folder.")
    return found


def _numbered(pattern: str) -> Iterator[str]:
    """Write ``{000..049}`` out, with as many digits as its ends have."""
    found = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if found is None:
        yield pattern
        return
    first, last = found.groups()
    for number in range(int(first), int(last) + 1):
        yield from _numbered(f"{pattern[: found.start()]}{number:0{len(first)}d}{pattern[found.end() :]}")


def _index(path: Path) -> dict[str, Parts]:
    """Return the samples of one shard: key → its files."""
    found: dict[str, Parts] = {}
    try:
        with explained(path), tarfile.open(path, "r:") as opened:
            tar: Any = opened
            while (member := tar.next()) is not None:
                tar.members.clear()  # else the list of a shard's files would be kept twice
                key, ending = _split(member.name)
                if member.isdir() or not key:
                    continue
                if not member.isreg() or member.issparse() or not is_text(member.name):
                    raise DataError(f"{str(path)!r}: {member.name!r} is no plain file with a name in UTF-8; shards hold no others.")
                if ending in found.setdefault(key, {}):
                    raise DataError(f"{str(path)!r} holds {key}.{ending} twice; a key is one sample's.")
                found[key][ending] = (member.offset_data, member.size)
    except tarfile.TarError as error:
        raise DataError(f"{str(path)!r} is damaged or no plain tar file ({error}). Shards must not be compressed.") from None
    return found


def _split(name: str) -> tuple[str, str]:
    """Return a file's key and ending; no key for a hidden file. Where a name leads does not matter: nothing is unpacked."""
    *folders, last = [part for part in name.split("/") if part not in ("", ".", "..")] or [""]
    stem, _, ending = last.partition(".")
    return ("/".join([*folders, stem]) if stem else ""), ending.lower()


def _content(paths: Mapping[Path, None]) -> tuple[str, ...]:
    if sum(path.stat().st_size for path in paths) > WHOLE_BYTES:
        return ()
    return tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)


def _bytes(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


@dataclass(frozen=True, slots=True)
class InShard:
    """Reads one file of a shard. Raises DataError where the shard is gone or was changed."""

    path: Path
    changed_ns: int
    offset: int
    size: int

    def __call__(self) -> bytes:
        """Return the file's bytes."""
        with explained(self.path):
            if self.path.stat().st_mtime_ns != self.changed_ns:
                raise DataError(f"{str(self.path)!r} was changed while it was in use.")
            return _bytes(self.path, self.offset, self.size)
