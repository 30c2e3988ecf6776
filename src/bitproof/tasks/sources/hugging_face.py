"""``hf:NAME``: data sets of Hugging Face, by name or in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from bitproof.core import DataError, MissingExtra
from bitproof.tasks.data import ImageData, Sample, fingerprint
from bitproof.tasks.sources.files import WHOLE_BYTES, FileBytes, explained, place

#: So many rows are looked at together while sizes and digest are taken.
_ROWS = 256


@dataclass(frozen=True)
class HuggingFace:
    """A data set of Hugging Face: hf:NAME[,split=test,config=C,image=image,label=label,id=COLUMN,classes=N].

    NAME is one of the hub (downloaded once, by the package ``datasets``), a folder of ``save_to_disk``, or a folder of Parquet or
    picture files as the hub has them. ``split`` is test unless it is said; a folder that holds one set has none. ``image`` and
    ``label`` are the columns of pictures, as they were encoded, and of whole numbers; without, the only ones of these kinds. Ids
    are row numbers, or what the column ``id`` says. No code of a data set is run. Up to 256 MiB of pictures are told apart by
    their bytes, more by ids, labels and sizes.
    """

    where: str
    split: str | None = None
    config: str | None = None
    image: str | None = None
    label: str | None = None
    id: str | None = None
    classes: int | None = None

    task: ClassVar[str] = "image"
    source: ClassVar[str] = "https://github.com/huggingface/datasets"
    version: ClassVar[int] = 1

    def load(self) -> ImageData:
        """Open it, memory-mapped; pictures are read later. Raises DataError, MissingExtra."""
        data, features = self._opened()
        image = _column(self.image, features, self.where, "pictures", ("Image", "binary"), "image")
        label = _column(self.label, features, self.where, "whole numbers", ("ClassLabel", "int"), "label")
        labels = [int(value) if value is not None else -1 for value in _values(data, label)]
        ids = [str(value) for value in _values(data, self.id)] if self.id else [f"row{i}" for i in range(len(labels))]
        encoded = _Encoded(_undecoded(data, image), image, f"{self.where} ({self._split})")
        samples = tuple(Sample(name, labels[i], _Row(encoded, i)) for i, name in enumerate(ids))
        sizes = list(encoded.sizes())
        rows = ((name, label, size) for name, label, size in zip(ids, labels, sizes, strict=True))
        content = encoded.content() if sum(sizes) <= WHOLE_BYTES else ""
        names = tuple(getattr(features[label], "names", None) or ())
        classes = self.classes or len(names) or None
        digest = fingerprint("hf", self.version, rows, content)
        return ImageData(encoded.where, samples, digest, classes, names if len(names) == classes else ())

    @property
    def _split(self) -> str:
        return self.split or "test"

    def _stored(self, data: Any) -> Any:
        """Return the split of what ``save_to_disk`` wrote; refuse to look for a configuration, or for a split of a single set."""
        if isinstance(data, dict):
            if self.config:
                raise DataError(f"{self.where!r} holds splits and no configurations. Leave config= out.")
            return data[self._split]
        if self.config or self.split not in (None, str(data.split)):
            raise DataError(f"{self.where!r} holds one set of {len(data)} rows, without splits. Leave split= and config= out.")
        return data

    def _opened(self) -> tuple[Any, Any]:
        try:
            import datasets
        except ImportError:
            raise MissingExtra("datasets", "hf", "The data source 'hf'") from None
        path = place(self.where)
        try:
            if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():
                data = self._stored(datasets.load_from_disk(str(path)))
            else:
                data = datasets.load_dataset(str(path) if path.is_dir() else self.where, self.config, split=self._split)
        except DataError:
            raise
        except Exception as error:  # the hub, the disk and a dozen formats each have their own
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise DataError(
                f"The data set {self.where!r} cannot be opened, split {self._split!r} ({reason}). Without a network name a folder."
            ) from None
        return data, data.features


def _column(asked: str | None, features: Any, where: str, what: str, kinds: tuple[str, ...], usual: str) -> str:
    """Return the column that was asked for, or the only one of these kinds, or of several the one with the usual name."""
    fitting = [name for name, feature in features.items() if _kind(feature).startswith(kinds)]
    if asked is None and (len(fitting) == 1 or usual in fitting):
        return fitting[0] if len(fitting) == 1 else usual
    if asked in fitting:
        return str(asked)
    found = ", ".join(f"{name} ({_kind(feature)})" for name, feature in features.items())
    wanted = f"no column {asked!r} of {what}" if asked else f"{len(fitting) or 'no'} columns of {what}"
    raise DataError(f"{where!r} has {wanted}; its columns are {found}. Type {usual}=COLUMN.")


def _kind(feature: Any) -> str:
    return str(getattr(feature, "dtype", "")) if type(feature).__name__ == "Value" else type(feature).__name__


def _values(data: Any, column: str) -> list[Any]:
    if column not in data.column_names:
        raise DataError(f"There is no column {column!r}; there are {', '.join(data.column_names)}.")
    values: list[Any] = data.select_columns([column]).with_format("arrow")[:][column].to_pylist()
    return values


def _undecoded(data: Any, image: str) -> Any:
    import datasets

    data = data.select_columns([image])
    return data.cast_column(image, datasets.Image(decode=False)) if _kind(data.features[image]) == "Image" else data


@dataclass(frozen=True, eq=False)
class _Encoded:
    """The column of encoded pictures."""

    data: Any
    column: str
    where: str

    def read(self, row: int) -> bytes:
        """Return one picture's file. Raises DataError where there is none."""
        value = self.data[row][self.column]
        content = value.get("bytes") if isinstance(value, dict) else value
        if content is None and isinstance(value, dict) and value.get("path"):
            content = FileBytes(Path(value["path"]))()
        if not isinstance(content, bytes):
            raise DataError(f"{self.where}: row {row} holds no picture.")
        return content

    def sizes(self) -> Iterator[int]:
        """Yield the bytes of each picture, or of the file that it lies in; the pictures are not read. Raises DataError."""
        for batch in self.data.with_format("arrow").iter(_ROWS):
            column = pl.DataFrame(pl.from_arrow(batch))[self.column]
            if not isinstance(column.dtype, pl.Struct):
                yield from column.bin.size().fill_null(0)
                continue
            for size, path in zip(column.struct.field("bytes").bin.size(), column.struct.field("path"), strict=True):
                yield _file_bytes(path) if size is None else size

    def content(self) -> str:
        """Return the SHA-256 of all pictures."""
        found = hashlib.sha256()
        for row in range(len(self.data)):
            found.update(hashlib.sha256(self.read(row)).digest())
        return found.hexdigest()


def _file_bytes(path: str | None) -> int:
    """The size of a file, 0 where none is named."""
    if not path:
        return 0
    with explained(path):
        return Path(path).stat().st_size


@dataclass(frozen=True, slots=True)
class _Row:
    encoded: _Encoded
    row: int

    def __call__(self) -> bytes:
        """Return the row's encoded picture."""
        return self.encoded.read(self.row)
