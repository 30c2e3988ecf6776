"""A detector made low-bit, and the average precision of both networks on pictures with boxes and outlines."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from bitproof.bench.device import device_named
from bitproof.bench.lowbit import timed, write_json, write_variant
from bitproof.bench.pictures import to_tensor
from bitproof.bench.reporter import Reporter, Silent
from bitproof.convert import WEIGHTED, Recipe, Report
from bitproof.core import DataError, ShapeError, SpecError
from bitproof.models import PREDICTORS, Detector, load_detector
from bitproof.noises import noise
from bitproof.results import PRECISION
from bitproof.tasks import AveragePrecision, Precision, Scene, Scenes, coco, is_coco, load, target

#: The clean decoder.
_DECODE = "decode-pil"


@dataclass(frozen=True)
class Detected:
    """What became of a detector's layers, and the average precision of the float and the low-bit network on ``n`` pictures.

    ``left_out``: pictures of the same data that the ranges were set on. ``full`` and ``low`` are empty where none was evaluated.
    """

    report: Report
    n: int = 0
    left_out: int = 0
    full: tuple[AveragePrecision, ...] = ()
    low: tuple[AveragePrecision, ...] = ()


@dataclass(frozen=True)
class _Picture:
    """A picture that ranges are set on: its name, and its file's bytes when they are asked for; ``path`` where it is a file."""

    name: str
    read: Callable[[], bytes]
    path: Path | None = None


def quantize_detector(
    model: str,
    recipe: str,
    calibration: str,
    n: int | None = None,
    out: Path | None = None,
    evaluate: str | None = None,
    tell: Reporter | None = None,
    device: str = "auto",
) -> Detected:
    """Make ``recipe`` of the detector ``model``, its ranges set on ``n`` pictures of ``calibration``; show both ``evaluate``.

    Pictures are shown one at a time, so memory does not grow with their number; a method that chooses ranges by the loss or learns
    how weights are rounded keeps those that it is calibrated on. What is calibrated on is not evaluated. With ``out``, the state
    dict and the report are written there, and then the figures (``precision.json``). The evaluation runs on ``device``.
    Raises SpecError for data that are not COCO's, for masks of a detector that has none and for a device, DataError, MissingExtra.
    """
    asked, where = Recipe.parse(recipe), device_named(device)
    scenes = coco(evaluate).load() if evaluate is not None else None
    pictures = _pictures(calibration, n)
    detector = load_detector(model)
    contest = None if scenes is None else _Contest(detector, scenes, [p.path for p in pictures if p.path is not None])
    batches = ({"x": _tensor(p.name, p.read), "give": "heads"} for p in pictures)
    shows = {"x": _tensor(pictures[0].name, pictures[0].read), "give": "dense"}
    made = timed(detector, answering(asked, detector), batches, shows)
    if out is not None:
        write_variant(out, made)
    if contest is None:
        return Detected(made.report)
    found = contest.run(cast(Detector, made.model), made.report, tell or Silent(), where)
    if out is not None:
        figures = {key: value for key, value in asdict(found).items() if key != "report"}
        write_json(out / PRECISION, {"model": detector.spec, "recipe": str(asked), "data": evaluate} | figures)
    return found


def answering(recipe: Recipe, detector: nn.Module) -> Recipe:
    """Return ``recipe`` with what it says of the last layer said of all predictors: a detector ends in several layers.

    Those that the recipe names itself keep their bits; nothing else is changed. With ``last=same`` nothing is to be said.
    """
    known = [name for name, module in detector.named_modules() if isinstance(module, WEIGHTED)]
    named = [pattern for pattern, _ in recipe.own_bits] + [recipe.keep] * bool(recipe.keep)
    names = [name for name in known if re.search(PREDICTORS, name) and not any(re.search(p or "", name) for p in named)]
    end = recipe.at("last") if recipe.bits is not None else None
    if recipe.bits is None or end == recipe.bits or not names:
        return recipe
    found = _pattern(names, known)
    if end is None:
        return replace(recipe, keep=f"{recipe.keep}|{found}" if recipe.keep else found)
    own = f"{found}=w{end[0]}a{end[1]}"
    return replace(recipe, layers=f"{own};{recipe.layers}" if recipe.layers else own)


def _pattern(names: Sequence[str], known: Sequence[str]) -> str:
    """A regular expression for these of the ``known`` names: by their last words where those are theirs alone."""
    short = f"({'|'.join(dict.fromkeys(name.rpartition('.')[2] for name in names))})$"
    return short if [name for name in known if re.search(short, name)] == names else f"^({'|'.join(map(re.escape, names))})$"


class _Contest:
    """A float detector, the pictures that it and its low-bit version are shown, and the two scores."""

    def __init__(self, detector: Detector, scenes: Scenes, used: Sequence[Path]) -> None:
        scenes.check_labels(detector.classes)
        wanted = scenes.settings.masks
        if wanted and not detector.has_masks:
            raise SpecError(f"masks=true: {detector.spec!r} answers boxes alone. Leave masks out, or take maskrcnn_resnet50_fpn.")
        self._masks = detector.has_masks if wanted is None else wanted
        self._scenes = scenes.without(used)
        self._left_out = len(scenes.scenes) - len(self._scenes)
        self._full, self._scores = detector, (Precision(self._masks), Precision(self._masks))

    def run(self, low: Detector, report: Report, tell: Reporter, device: torch.device) -> Detected:
        """Show both networks each picture."""
        networks = self._full.to(device), low.to(device)
        tell.begin(len(self._scenes))
        for scene in self._scenes:
            tell.say(scene.path.name)
            x, wanted = _checked(scene), target(scene, self._masks)
            for network, score in zip(networks, self._scores, strict=True):
                with torch.inference_mode():
                    score.add(network(x.to(device)), wanted)
            tell.advance(1)
        return Detected(report, len(self._scenes), self._left_out, *(score.figures() for score in self._scores))


def _pictures(calibration: str, n: int | None) -> list[_Picture]:
    """Of COCO's format, or of any source of pictures."""
    if is_coco(calibration):
        return [_Picture(str(scene.path), scene.read, scene.path) for scene in coco(calibration).load().drawn(n)]
    data = load(calibration).data
    samples = data.calibration(min(32, len(data)) if n is None else n, seed=0)
    return [_Picture(sample.id, sample.read, getattr(sample.read, "path", None)) for sample in samples]


def _checked(scene: Scene) -> Tensor:
    """Raises DataError where the annotations speak of a picture of other sides."""
    x = _tensor(str(scene.path), scene.read)
    if x.shape[2:] != (scene.height, scene.width):
        raise DataError(
            f"{str(scene.path)!r} has {x.shape[3]}×{x.shape[2]} px, and its annotations are of a picture of "
            f"{scene.width}×{scene.height}. Take the picture that they were made on."
        )
    return x


def _tensor(name: str, read: Callable[[], bytes]) -> Tensor:
    """1×3×H×W in [0, 1]. Raises DataError naming the picture that cannot be read."""
    decode: Any = noise(_DECODE)
    try:
        return to_tensor(decode(read())[None])
    except (DataError, ShapeError) as error:
        raise DataError(f"{name!r}: {error}") from None
