"""Detectors: one picture in, boxes, labels, scores and perhaps masks out; by torchvision's convention of lists and dicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bitproof.core import BitproofError, ModelError, SpecError
from bitproof.models.network import seeded

#: Names of the modules whose answers are there for every place of a picture, before anything is sorted or thrown away.
DENSE = ("rpn.head", "head")

#: Names of the modules that answer for each box that the first stage proposes.
PER_BOX = ("roi_heads.box_predictor", "roi_heads.mask_predictor", "roi_heads.keypoint_predictor")

#: Where torchvision's detectors keep the number of their labels, background included.
_COUNTS = (
    ("roi_heads.box_predictor.cls_score", "out_features"),
    ("head.classification_head", "num_classes"),
    ("head.classification_head", "num_columns"),
)

#: Ends of the names of the layers that answer: classes, boxes, centres, masks, key points; those of the first stage too.
PREDICTORS = (
    "(cls_logits|cls_score|bbox_pred|bbox_reg|bbox_ctrness|mask_fcn_logits|kps_score_lowres"
    "|(classification|regression)_head.module_list.[0-9]+(.1)?)$"
)

#: What a detector is called with: ``found`` is its answer, the other two are what its heads give on the way there.
GIVES = ("found", "heads", "dense")


class Detector(nn.Module):
    """A detector of torchvision's form, in evaluation mode, that takes one picture at a time.

    Forward: x 1×3×H×W in [0, 1] → ``give=found``: {boxes n×4 (left, top, right, bottom) px, labels n, scores n, masks n×1×H×W}.
    ``give=heads``: all that its heads answer, as tensors: of every picture there are some, and they have a gradient; ``dense``:
    those of the first stage alone, which rounding moves a little, and never from one row to another as it does what is sorted
    by score. The whole detector runs each time. A module without such heads gives what was found.
    """

    def __init__(self, net: nn.Module, spec: str = "module", classes: int | None = None) -> None:
        """Take ``net`` over and show it one picture. Raises ModelError where it is no detector."""
        super().__init__()
        self.net, self.spec = net.float().requires_grad_(False), spec
        self.eval()
        found = self._probed()
        self.has_masks = "masks" in found
        self.classes = classes if classes is not None else _counted(self.net)

    def forward(self, x: Tensor, give: str = "found") -> Any:
        """See the class. Raises SpecError for another word of ``give``."""
        if give not in GIVES:
            raise SpecError(f"give={give!r} is unknown: {', '.join(GIVES)}.")
        names = {"found": (), "heads": (*DENSE, *PER_BOX), "dense": DENSE}[give]
        seen: list[Any] = []
        heads = [head for name in names if (head := _module(self.net, name)) is not None]
        hooks = [head.register_forward_hook(lambda module, given, answer: seen.append(answer)) for head in heads]
        try:
            found = self.net(list(x))
        finally:
            for hook in hooks:
                hook.remove()
        return seen or found[0]

    def _probed(self) -> dict[str, Tensor]:
        picture = torch.linspace(0, 1, 3 * 64 * 64).reshape(1, 3, 64, 64)
        try:
            with seeded(0), torch.no_grad():
                found = self.net(list(picture))
        except BitproofError:
            raise
        except Exception as error:  # whatever a foreign module raises
            raise ModelError(
                f"{self.spec!r} is no detector: given a list of one picture it fails with {type(error).__name__}: {error}. {_FORM}"
            ) from error
        one = found[0] if isinstance(found, (list, tuple)) and len(found) == 1 else None
        if not isinstance(one, dict) or not {"boxes", "labels", "scores"} <= one.keys():
            raise ModelError(f"{self.spec!r} is no detector: it answers {_described(found)} to a list of one picture. {_FORM}")
        return one


_FORM = "A detector takes a list of 3×H×W pictures and returns for each a dict with boxes, labels and scores, as torchvision's do."


def _described(found: Any) -> str:
    if isinstance(found, Tensor):
        return f"a tensor {tuple(found.shape)}"
    inner = f" of {type(found[0]).__name__}" if isinstance(found, Sequence) and found else ""
    keys = f" with {', '.join(map(str, found[0]))}" if isinstance(found, Sequence) and found and isinstance(found[0], dict) else ""
    return f"a {type(found).__name__}{inner}{keys}"


def _module(net: nn.Module, name: str) -> nn.Module | None:
    found: Any = net
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, nn.Module) else None


def _counted(net: nn.Module) -> int | None:
    for name, attribute in _COUNTS:
        count = getattr(_module(net, name), attribute, None)
        if isinstance(count, int):
            return count
    return None
