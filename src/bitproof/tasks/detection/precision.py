"""Average precision of boxes and masks as COCO counts it, by torchmetrics over pycocotools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from bitproof.core import DataError, MissingExtra, ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from bitproof.tasks.detection.scenes import Scene, Thing

#: What is matched → torchmetrics' name of it.
_KINDS = {"boxes": "bbox", "masks": "segm"}
_FIGURES = {"ap": "map", "ap50": "map_50", "ap75": "map_75", "small": "map_small", "medium": "map_medium", "large": "map_large"}

#: COCO's overlaps and recalls in double precision: torchmetrics rounds its own to single, and a recall of 1/5 falls short of 0.2.
_OVERLAPS, _RECALLS = np.linspace(0.5, 0.95, 10).tolist(), np.linspace(0, 1, 101).tolist()

#: From which probability on a pixel belongs to a thing.
INSIDE = 0.5


@dataclass(frozen=True)
class AveragePrecision:
    """COCO's figures of ``boxes`` or ``masks``, %: None where the data hold no such thing.

    ``ap``: the mean over the overlaps (IoU) 0.50, 0.55, … 0.95; ``ap50`` and ``ap75``: at one; ``small``, ``medium``, ``large``: of
    things of an area below 32², below 96² and from there on, px². Means over categories, at most 100 detections a picture.
    """

    of: str
    ap: float | None
    ap50: float | None
    ap75: float | None
    small: float | None
    medium: float | None
    large: float | None


class Precision:
    """Takes what a detector found, picture by picture, and gives its average precision. A crowd counts neither for nor against.

    Masks are kept as run lengths, so memory grows with detections and not with pixels. Raises MissingExtra.
    Source: arXiv 1405.0312 and COCO's own evaluation (pycocotools). Differs from the paper: nothing.
    """

    def __init__(self, masks: bool) -> None:
        for package in ("torchmetrics", "pycocotools"):
            if find_spec(package) is None:
                raise MissingExtra(package, "detection", "Average precision on COCO")
        from torchmetrics.detection import MeanAveragePrecision

        self.of = ("boxes", "masks") if masks else ("boxes",)
        kinds = tuple(_KINDS[of] for of in self.of)
        self._metric: Any = MeanAveragePrecision("xyxy", kinds, _OVERLAPS, _RECALLS, backend="pycocotools")
        self._metric.warn_on_many_detections = False  # that the best 100 of a picture count is in every docstring

    def add(self, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
        """Take one picture: ``boxes`` n×4 px, ``scores`` n, ``labels`` n and ``masks`` n×1×H×W in [0, 1]; and its ``target``.

        Raises ModelError where a score or a box is not finite.
        """
        keys = {"boxes", "scores", "labels", *self.of}
        told = {key: found[key].detach().cpu() for key in keys}
        if not bool(told["boxes"].isfinite().all()) or not bool(told["scores"].isfinite().all()):
            raise ModelError("The detector answers boxes or scores that are NaN or infinite.")
        if "masks" in told:
            told["masks"] = told["masks"][:, 0] > INSIDE
        self._metric.update([told], [dict(wanted)])

    def figures(self) -> tuple[AveragePrecision, ...]:
        """Return the figures of boxes, and of masks where those are scored."""
        found = self._metric.compute()
        return tuple(self._figures(found, of) for of in self.of)

    def _figures(self, found: Mapping[str, Tensor], of: str) -> AveragePrecision:
        prefix = f"{_KINDS[of]}_" if len(self.of) > 1 else ""
        values = {name: float(found[prefix + key]) for name, key in _FIGURES.items()}
        return AveragePrecision(of, **{name: 100 * v if v >= 0 else None for name, v in values.items()})


def target(scene: Scene, masks: bool) -> dict[str, Tensor]:
    """Return what is in a picture as torchmetrics takes it; ``masks`` n×H×W, made of polygons or run lengths.

    Raises DataError naming the picture where masks are wanted and an outline is missing or broken.
    """
    import torch

    things = scene.things
    found = {
        "boxes": torch.tensor([thing.box for thing in things], dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor([thing.label for thing in things], dtype=torch.int64),
        "area": torch.tensor([thing.area for thing in things], dtype=torch.float64),
        "iscrowd": torch.tensor([thing.crowd for thing in things], dtype=torch.int64),
    }
    if masks:
        drawn = [_drawn(thing, scene) for thing in things]
        found["masks"] = torch.from_numpy(np.stack(drawn)) if drawn else torch.zeros(0, scene.height, scene.width, dtype=torch.bool)
    return found


def _drawn(thing: Thing, scene: Scene) -> Any:
    """The outline as a mask, bool H×W."""
    from pycocotools import mask

    outline, size = thing.outline, (scene.height, scene.width)
    if outline is None:
        raise DataError(f"{str(scene.path)!r}: a thing has no outline (segmentation). Type masks=false for boxes alone.")
    try:
        counts = outline["counts"] if isinstance(outline, dict) else None
        coded = outline if isinstance(counts, str | bytes) else mask.frPyObjects(outline, *size)
        drawn = mask.decode(mask.merge(coded) if isinstance(coded, list) else coded).astype(bool)
    except Exception as error:  # pycocotools raises whatever its C code meets
        raise DataError(f"{str(scene.path)!r}: an outline cannot be read ({type(error).__name__}: {error}).") from None
    if drawn.shape != size:
        raise DataError(f"{str(scene.path)!r}: an outline is of a picture of {drawn.shape}, not {size} (height, width) px.")
    return drawn
