"""Doors to detectors: torchvision's, and a function in a file of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from bitproof.core import SpecError, UnknownName
from bitproof.models.detector import Detector
from bitproof.models.hub import built, classes_of
from bitproof.models.python_file import check_factory, from_factory
from bitproof.models.weights import load_weights, located, read_weights

#: Networks whose published weights torchvision runs with ε = 0 in the norms. Source: torchvision, detection, ``overwrite_eps``.
_WITHOUT_EPS = ("fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn", "keypointrcnn_resnet50_fpn")


@dataclass(frozen=True)
class TorchVisionDetector:
    """A detector of torchvision: torchvision/NAME[:weights=FILE,classes=N,pretrained=false,min_size=S,max_size=L,eps=E,…].

    Without ``weights`` its DEFAULT ones are fetched, once; ``pretrained=false`` draws the layers from ``seed``. With either nothing
    is fetched, the backbone's weights neither. ``classes`` counts the background. A file whose norms keep no count of batches
    is one of frozen norms: these are then frozen, with ``eps``, which of the published networks is that of torchvision.
    ``min_size``, ``max_size``: sides in px to which a picture is scaled, of the networks that have these. Source: pytorch/vision.
    """

    name: str
    weights: str | None = None
    pretrained: bool = True
    classes: int | None = None
    min_size: int | None = None
    max_size: int | None = None
    eps: float | None = None
    seed: int = 0

    source: ClassVar[str] = "https://github.com/pytorch/vision"
    version: ClassVar[int] = 1

    def load(self, spec: str) -> Detector:
        """Build the detector and fill it. Raises UnknownName, SpecError, or ModelError where its weights are out of reach."""
        from torchvision import models

        if self.eps is not None and self.weights is None:
            raise SpecError(f"eps={self.eps:g} is for a file of frozen norms, and no weights=FILE is given. Leave eps out.")
        known = models.list_models(module=models.detection)
        if self.name not in known:
            if self.name in models.list_models(module=models):
                raise SpecError(f"{spec!r} answers classes and no boxes. Detectors of torchvision: {', '.join(known)}.")
            raise UnknownName("torchvision detector", self.name, known, f"There are: {', '.join(known)}.")
        fetch = self.pretrained and self.weights is None
        sizes = {key: value for key in ("min_size", "max_size") if (value := getattr(self, key)) is not None}
        published: Any = {"weights": models.get_model_weights(self.name).DEFAULT if fetch else None}
        published |= {} if fetch else {"weights_backbone": None}
        net = built(spec, fetch, self.seed, models.get_model, self.name, **published, **sizes, **classes_of(self.classes))
        return Detector(net if self.weights is None else self._filled(net, self.weights), spec, self.classes)

    def _filled(self, net: nn.Module, path: str) -> nn.Module:
        load_weights(net, path)
        if self.eps is not None and not any(isinstance(module, nn.BatchNorm2d) for module in net.modules()):
            raise SpecError(f"eps={self.eps:g} is for frozen norms, and {self.name} has none. Leave eps out.")
        if not any(name.endswith("num_batches_tracked") for name in read_weights(path)):
            return frozen_(net, 0.0 if self.eps is None and self.name in _WITHOUT_EPS else self.eps)
        if self.eps is not None:
            raise SpecError(f"eps={self.eps:g} is for files of frozen norms, and those of {path!r} keep a count. Leave eps out.")
        return net


@dataclass(frozen=True)
class DetectorFile:
    """Your own detector: python:FILE.py#FACTORY[,weights=FILE,classes=N].

    ``FACTORY()`` returns an ``nn.Module`` that takes a list of pictures, float 3×H×W in [0, 1], and returns for each a dict with
    boxes, labels, scores and perhaps masks, as torchvision's detectors do. ``classes`` counts the background. The file is run,
    and draws its layers from seed 0; checkpoints are never run.
    """

    file: str
    weights: str | None = None
    classes: int | None = None

    source: ClassVar[str] = "your own file"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_factory(self.file, "A detector")

    def load(self, spec: str) -> Detector:
        """Run the file, call the factory, fill the module. Raises ModelError naming the file."""
        file, _, factory = self.file.partition("#")
        net, _ = from_factory(located(file), factory)
        if self.weights is not None:
            load_weights(net, self.weights)
        return Detector(net, spec, self.classes)


def frozen_(net: nn.Module, eps: float | None) -> nn.Module:
    """Put a frozen norm with the same numbers and ``eps``, else its own, wherever a batch norm stands, and return ``net``."""
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                norm = FrozenBatchNorm2d(child.num_features, child.eps if eps is None else eps)
                norm.load_state_dict(child.state_dict())
                setattr(parent, name, norm)
    return net
