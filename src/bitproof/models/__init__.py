"""The doors to timm, torchvision, ONNX, torch.export, endpoints, your own file, detectors; a few networks; the Victim."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bitproof.core import ModelError, Registry, Spec, SpecError, bind, digest
from bitproof.models.detector import PREDICTORS, Detector
from bitproof.models.encoder import MASK, trimmed
from bitproof.models.endpoint import Endpoint
from bitproof.models.network import Network, Normalized, of_form, wrap
from bitproof.models.onnx_file import OnnxSession
from bitproof.models.resnet_binary import RPReLU, Shift
from bitproof.models.user_file import user_function
from bitproof.models.victim import TorchVictim
from bitproof.models.words import WordVictim

MODELS = Registry(
    "model",
    {
        "timm": "bitproof.models.hub:Timm",
        "torchvision": "bitproof.models.hub:TorchVision",
        "python": "bitproof.models.python_file:PythonFile",
        "transformers": "bitproof.models.encoder:Transformers",
        "minilm-l6": "bitproof.models.encoder:MiniLmL6",
        "onnx": "bitproof.models.onnx_file:OnnxFile",
        "exported": "bitproof.models.exported_file:ExportedFile",
        "black-box": "bitproof.models.black_box_file:BlackBoxFile",
        "packed": "bitproof.export.packed_door:PackedFile",  # the room export has doors too
        "zoo": "bitproof.export.zoo:Zoo",
        "chat": "bitproof.models.chat:ChatModel",
        "vlm": "bitproof.models.vlm:LocalVlm",
        "efficientnet-lite0": "bitproof.models.efficientnet_lite:EfficientNetLite0",
        "efficientnet-lite1": "bitproof.models.efficientnet_lite:EfficientNetLite1",
        "efficientnet-lite2": "bitproof.models.efficientnet_lite:EfficientNetLite2",
        "resnet20": "bitproof.models.resnet_cifar:ResNet20",
        "resnet32": "bitproof.models.resnet_cifar:ResNet32",
        "resnet44": "bitproof.models.resnet_cifar:ResNet44",
        "resnet56": "bitproof.models.resnet_cifar:ResNet56",
        "vgg11-cifar": "bitproof.models.vgg_cifar:Vgg11Cifar",
        "mobilenet-v2-cifar": "bitproof.models.mobilenet_cifar:MobileNetV2Cifar",
        "small-cnn": "bitproof.models.small_cnn:SmallCnn",
        "small-vit": "bitproof.models.small_vit:SmallVit",
        "compact-vit": "bitproof.models.compact_vit:CompactVit",
        "bireal-resnet18": "bitproof.models.resnet_binary:BiRealResNet18",
        "bireal-resnet20": "bitproof.models.resnet_binary:BiRealResNet20",
        "reactnet-resnet18": "bitproof.models.resnet_binary:ReActNetResNet18",
        "reactnet-resnet20": "bitproof.models.resnet_binary:ReActNetResNet20",
        "d-fsmn": "bitproof.models.fsmn:DFsmn",
        "bifsmn": "bitproof.models.fsmn:BiFsmn",
        "ds-cnn": "bitproof.models.keyword_nets:DsCnn",
        "res8": "bitproof.models.keyword_nets:Res8",
        "pointnet": "bitproof.models.pointnet:PointNet",
    },
)

#: Doors to detectors, which answer boxes: no grid takes them.
DETECTORS = Registry(
    "detector",
    {
        "torchvision": "bitproof.models.detector_doors:TorchVisionDetector",
        "python": "bitproof.models.detector_doors:DetectorFile",
    },
)

__all__ = [
    "DETECTORS",
    "MASK",
    "MODELS",
    "PREDICTORS",
    "Detector",
    "Endpoint",
    "Network",
    "Normalized",
    "OnnxSession",
    "RPReLU",
    "Shift",
    "TorchVictim",
    "WordVictim",
    "check_spec",
    "load",
    "load_any",
    "load_detector",
    "of_form",
    "trimmed",
    "user_function",
    "wrap",
]


def load(spec: str, *, classes: int | None = None) -> Network:
    """Load the network that ``spec`` names; ``classes`` is the number of logits that the caller needs.

    Raises UnknownName for an unknown door, SpecError for a setting that does not fit and for a chat endpoint, ModelError where
    loading fails or the number of classes differs, MissingExtra where a package is missing.
    """
    network = load_any(spec)
    if isinstance(network, Endpoint):
        raise SpecError(
            f"{network.spec!r} is a chat endpoint: it answers questions of a vqa task in a grid, and has no layers here."
        )
    if classes is not None and network.classes != classes:
        raise ModelError(
            f"{str(Spec.parse(spec))!r} has {network.classes} classes, {classes} were asked for. Choose other weights or data."
        )
    return network


def load_any(spec: str) -> Network | Endpoint:
    """Load the network, or open the endpoint, that ``spec`` names. Raises what ``load`` does."""
    parsed = _parsed(spec)
    door, canonical = _door(parsed), str(parsed)
    found: Network | Endpoint = door.load(canonical)
    return replace(found, digest=digest(type(door).__name__, door.version, found.digest, length=64))


def load_detector(spec: str) -> Detector:
    """Load the detector that ``spec`` names.

    Raises UnknownName for an unknown door, SpecError for one to other networks and for a setting that does not fit, ModelError
    where loading fails or the module is no detector.
    """
    parsed = Spec.parse(spec)
    door = parsed.name.partition("/")[0]
    if door in MODELS and door not in DETECTORS:
        raise SpecError(
            f"{spec!r} is no detector, and boxes were asked for. Detectors are torchvision/NAME (maskrcnn_resnet50_fpn, "
            "retinanet_resnet50_fpn, …) and python:FILE.py#FACTORY."
        )
    found: Detector = _door(parsed, DETECTORS).load(str(parsed))
    return found


def check_spec(spec: str) -> str:
    """Return the canonical form of ``spec`` without loading anything. Raises UnknownName or SpecError."""
    parsed = _parsed(spec)
    _door(parsed)
    return str(parsed)


def _parsed(text: str) -> Spec:
    """Parse ``text``, once its door has nothing against it: what holds a credential is in no message."""
    door = text.strip().partition(":")[0]
    guard = getattr(MODELS.load(door), "guard", None) if door in MODELS else None
    if guard:
        guard(text)
    return Spec.parse(text)


def _door(spec: Spec, doors: Registry = MODELS) -> Any:
    """Bind ``spec`` to its class; of ``timm/NAME`` the part before the slash is the class, NAME its first setting."""
    door, slash, name = spec.name.partition("/")
    return bind(Spec(door, (("name", name), *spec.items)) if slash else spec, doors.load(door))
