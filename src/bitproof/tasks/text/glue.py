"""``glue:NAME,FILE``: the nine tasks of GLUE, from their TSV files or from Hugging Face."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bitproof.core import DataError, MissingExtra, SpecError, UnknownName
from bitproof.tasks.data import Sample, fingerprint
from bitproof.tasks.order import stratified
from bitproof.tasks.sources.files import explained, place
from bitproof.tasks.text.data import NumberSample, TextData, packed


@dataclass(frozen=True)
class Columns:
    """Where a task's sentences and label stand: by a header's names, or in a file without one by position.

    ``bare``: number of columns of a file without header → positions of the sentences and of the label. ``words``: the classes in
    order where the file writes words; ``classes`` is 1 where the label is a number.
    """

    texts: tuple[str, ...]
    label: str
    classes: int = 2
    words: tuple[str, ...] = ()
    bare: tuple[tuple[int, tuple[int, ...]], ...] = ()


_ENTAILS = ("entailment", "not_entailment")

#: The tasks, their columns as the official files and these copies have them. Source: gluebenchmark.com; label order as in
#: Hugging Face's nyu-mll/glue.
GLUE = {
    "cola": Columns(("sentence",), "label", bare=((2, (0, 1)), (4, (3, 1)))),
    "sst2": Columns(("sentence",), "label"),
    "mrpc": Columns(("#1 String", "#2 String"), "Quality"),
    "qqp": Columns(("question1", "question2"), "is_duplicate"),
    "stsb": Columns(("sentence1", "sentence2"), "score", classes=1, bare=((7, (5, 6, 4)), (9, (5, 6, 4)))),
    "mnli": Columns(("sentence1", "sentence2"), "gold_label", classes=3, words=("entailment", "neutral", "contradiction")),
    "qnli": Columns(("question", "sentence"), "label", words=_ENTAILS),
    "rte": Columns(("sentence1", "sentence2"), "label", words=_ENTAILS),
    "wnli": Columns(("sentence1", "sentence2"), "label"),
}


@dataclass(frozen=True)
class Glue:
    """A task of GLUE: glue:NAME,FILE[,first=N], NAME of cola, sst2, mrpc, qqp, stsb, mnli, qnli, rte, wnli.

    FILE is a TSV file of the task, with or without its header. Without one the ``split`` (train, validation, …) of nyu-mll/glue is
    fetched by Hugging Face ``datasets``. ``first`` takes so many samples of a stratified order, ``skip`` leaves out its first ones,
    so that two parts of one file share nothing. Lines without a label are left out.
    """

    name: str
    where: str | None = None
    split: str = "validation"
    first: int | None = None
    skip: int = 0

    task: ClassVar[str] = "text"
    source: ClassVar[str] = "GLUE (arXiv 1804.07461)"
    version: ClassVar[int] = 1

    def load(self) -> TextData:
        """Read all sentences. Raises UnknownName, DataError naming file and line, MissingExtra without ``datasets``."""
        if self.name not in GLUE:
            raise UnknownName("GLUE task", self.name, GLUE, f"They are {', '.join(GLUE)}.")
        columns = GLUE[self.name]
        place_, rows = (_fetched(self.name, self.split, columns)) if self.where is None else _read(self.where, columns)
        samples = self._part([_sample(where, texts, label, columns, place_) for where, texts, label in rows], place_)
        known = ((sample.id, sample.label, len(sample.read())) for sample in samples)
        content = hashlib.sha256(b"\n".join(sample.read() + str(sample.truth).encode() for sample in samples)).hexdigest()
        number = columns.classes == 1
        return TextData(
            place_,
            samples,
            fingerprint("glue", self.version, known, self.name, content),
            None if number else columns.classes,
            () if number else columns.words,
            number=number,
        )

    def _part(self, samples: list[Sample], where: str) -> tuple[Sample, ...]:
        if self.first is None and not self.skip:
            return tuple(samples)
        wanted = len(samples) - self.skip if self.first is None else self.first
        if self.skip < 0 or not 0 < wanted <= len(samples) - self.skip:
            raise SpecError(
                f"skip={self.skip} and first={self.first} leave nothing, or more than there is: {where} has {len(samples)}."
            )
        order = list(stratified(tuple(s.id for s in samples), tuple(s.label for s in samples), 0))
        return tuple(samples[i] for i in sorted(order[self.skip : self.skip + wanted]))


Row = tuple[str, tuple[str, ...], str]


def _read(where: str, columns: Columns) -> tuple[str, list[Row]]:
    path = place(where)
    with explained(path):
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{str(path)!r} is no text in UTF-8: {error.reason} at byte {error.start}.") from None
    lines = text.split("\n") if text else []  # no splitlines: a sentence may hold other line breaks
    return str(path), list(_rows(str(path), [line.split("\t") for line in lines], columns))


def _rows(where: str, lines: Sequence[Sequence[str]], columns: Columns) -> Iterator[Row]:
    """Yield (id, sentences, label) of the lines of a file; quotes are letters like all others."""
    if not lines:
        raise DataError(f"{where!r} is empty.")
    header = {name.strip(): i for i, name in enumerate(lines[0])}
    named = {*columns.texts, columns.label} <= {*header}
    at = tuple(header[name] for name in (*columns.texts, columns.label)) if named else dict(columns.bare).get(len(lines[0]))
    if at is None:
        counts = " or ".join(str(count) for count, _ in columns.bare)
        form = f", or {counts} columns without one" if counts else ""
        raise DataError(
            f"{where!r} has {len(lines[0])} columns, {', '.join(map(repr, list(lines[0])[:6]))}; needed is a header with "
            f"{', '.join(map(repr, (*columns.texts, columns.label)))}{form}."
        )
    for number, line in enumerate(lines[named:], 1 + named):
        if line == [""]:
            continue
        if len(line) <= max(at):
            raise DataError(f"{where!r} line {number} has {len(line)} columns; column {max(at) + 1} is needed.")
        yield f"line{number}", tuple(line[i].strip() for i in at[:-1]), line[at[-1]].strip()


def _sample(where: str, texts: tuple[str, ...], label: str, columns: Columns, file: str) -> Sample:
    if not all(texts):
        raise DataError(f"{file!r} {where}: a sentence is empty.")
    data = packed(texts)
    try:
        if columns.classes == 1:
            target = float(label)
            return NumberSample(where, round(target), lambda: data, target)
        return Sample(where, columns.words.index(label) if label in columns.words else int(label), lambda: data)
    except ValueError:
        allowed = f"one of {', '.join(columns.words)}" if columns.words else "a number"
        raise DataError(f"{file!r} {where}: the label {label!r} is not {allowed}.") from None


def _fetched(name: str, split: str, columns: Columns) -> tuple[str, list[Row]]:
    try:
        import datasets
    except ImportError:
        raise MissingExtra("datasets", "text", f"glue:{name} without a file") from None
    where = f"nyu-mll/glue {name} {split}"
    try:
        table: Any = datasets.load_dataset("nyu-mll/glue", name, split=split)
    except Exception as error:  # offline, an unknown split: the library has its own types
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DataError(f"{where} cannot be fetched ({reason}). Give its file: glue:{name},FILE.tsv") from error
    texts = [column for column in table.column_names if column not in ("label", "idx")]
    return where, [(f"row{row['idx']}", tuple(row[text] for text in texts), str(row["label"])) for row in table]
