"""Labelled samples, still encoded: what every source of data is turned into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from bitproof.core import DataError, digest
from bitproof.tasks.order import stratified

#: The label of a picture of which no class is known.
UNLABELLED = -1


@dataclass(frozen=True)
class Sample:
    """One sample: an id that is stable and unique in its data, its class, and ``read() -> bytes`` of the encoded file."""

    id: str
    label: int
    read: Callable[[], bytes]

    @property
    def truth(self) -> int | float:
        """What is learned and scored: the class, unless a number is asked for."""
        return self.label


@dataclass(frozen=True)
class ImageData:
    """Pictures, or other ``things``, and their labels. ``where`` and ``things`` are what messages call them.

    ``classes`` is the number of classes that the source declares, None where it only has labels; ``names`` are theirs, in
    order of the label, or empty. ``digest`` changes with the source's version, the ids, the labels and the files' sizes, where it
    is cheap with their bytes too. ``note`` is what whoever reads a figure has to know of them. Construction raises DataError for
    no samples, an id that comes twice, a label outside the declared classes, and samples of which only some are labelled.
    """

    where: str
    samples: tuple[Sample, ...]
    digest: str
    classes: int | None = None
    names: tuple[str, ...] = ()
    things: str = "pictures"
    note: str = ""

    def __post_init__(self) -> None:
        if not self.samples:
            raise DataError(f"{self.where} holds no {self.things}.")
        name, count = Counter(self._ids).most_common(1)[0]
        if count > 1:
            raise DataError(f"{self.where}: the id {name!r} comes {count} times; ids must be unique.")
        if not self.labelled and set(self._labels) != {UNLABELLED}:
            odd = min(self.samples, key=lambda sample: sample.label)
            raise DataError(
                f"{self.where}: {odd.id!r} has the label {odd.label}. Labels count from 0, or are all −1 where none is known."
            )
        if self.classes is not None and self.labelled:
            self._refuse_labels_from(self.classes, f"{self.where} declares {self.classes} classes")

    @cached_property
    def _ids(self) -> tuple[str, ...]:
        return tuple(sample.id for sample in self.samples)

    @cached_property
    def _labels(self) -> tuple[int, ...]:
        return tuple(sample.label for sample in self.samples)

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def labelled(self) -> bool:
        """Whether the samples have classes; without, they serve for calibration alone."""
        return min(self._labels) >= 0

    def order(self, seed: int) -> list[int]:
        """Return all indices in a drawn order whose every prefix and suffix is stratified by class; equal seeds, equal orders."""
        return list(stratified(self._ids, self._labels, seed))

    def subset(self, limit: int | None, seed: int) -> list[Sample]:
        """Return the first ``limit`` samples of the order, all without a limit; a smaller subset is a prefix of a larger one.

        Raises DataError where there are fewer.
        """
        return self.evaluation(limit, seed)

    def calibration(self, n: int, seed: int) -> list[Sample]:
        """Return the last ``n`` samples of the order: stratified, and apart from ``evaluation(…, exclude=n)`` at the same seed.

        Raises DataError where there are fewer.
        """
        if not 0 <= n <= len(self):
            raise DataError(f"{n} calibration {self.things} were asked of {self.where}, which holds {len(self)}.")
        return [self.samples[i] for i in self.order(seed)[len(self) - n :]]

    def evaluation(self, limit: int | None, seed: int, exclude: int = 0) -> list[Sample]:
        """Return the first ``limit`` samples of the order, or all; never one of its last ``exclude``, which are calibrated on.

        Raises DataError where fewer than ``limit``, or none, are left.
        """
        left = len(self) - exclude
        wanted = max(left, 1) if limit is None else limit
        if not 0 < wanted <= left:
            asked = self.things.capitalize() if limit is None else f"{limit} {self.things}"
            kept = f", of which {exclude} are kept for calibration" if exclude else ""
            raise DataError(
                f"{asked} were asked of {self.where}, which holds {len(self)}{kept}: {max(left, 0)} are left. "
                "Set a limit between 1 and what is left, or calibrate on fewer or on other data."
            )
        return [self.samples[i] for i in self.order(seed)[:wanted]]

    def check_classes(self, model_classes: int) -> None:
        """Raise DataError unless a model of ``model_classes`` outputs and these labels speak of the same classes.

        Declared classes must be as many. Undeclared ones must fit, and the largest label must lie in the upper half of the
        outputs: ten-class data would otherwise be scored against the first ten of a thousand classes.
        """
        if not self.labelled:
            raise DataError(f"{self.where} has no labels: it serves for calibration and cannot be scored.")
        if self.classes is not None:
            if self.classes != model_classes:
                raise DataError(f"{self.where} has {self.classes} classes and the model {model_classes}; they must be the same.")
            return
        self._refuse_labels_from(model_classes, f"the model has {model_classes} classes")
        largest = max(self.samples, key=lambda sample: sample.label)
        if 2 * (largest.label + 1) <= model_classes:
            raise DataError(
                f"{self.where}: the largest label is {largest.label} ({largest.id!r}) and the model has {model_classes} classes, "
                f"so the data may count other classes. Write classes={model_classes} behind the data's path if they are the same."
            )

    def _refuse_labels_from(self, classes: int, because: str) -> None:
        wrong = next((sample for sample in self.samples if sample.label >= classes), None)
        if wrong:
            raise DataError(f"{self.where}: {wrong.id!r} has the label {wrong.label}, but {because} (labels 0 to {classes - 1}).")


def fingerprint(source: str, version: int, rows: Iterable[tuple[str, int, int]], *more: object) -> str:
    """Return the digest of a source's data: its name and version, and (id, label, size in bytes) of each sample."""
    return digest(source, version, *(part for row in rows for part in row), *more)
