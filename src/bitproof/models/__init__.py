"""Float networks: the doors to timm, torchvision, ONNX, your own file or function, a few of our own, and the Victim of attacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bitproof.core import ModelError, Registry, Spec, bind, digest
from bitproof.models.network import Network, Normalized, wrap
from bitproof.models.onnx_file import OnnxSession
from bitproof.models.user_file import user_function
from bitproof.models.victim import TorchVictim

MODELS = Registry(
    "model",
    {
        "timm": "bitproof.models.hub:Timm",
        "torchvision": "bitproof.models.hub:TorchVision",
        "python": "bitproof.models.python_file:PythonFile",
        "onnx": "bitproof.models.onnx_file:OnnxFile",
        "black-box": "bitproof.models.black_box_file:BlackBoxFile",
        "efficientnet-lite0": "bitproof.models.efficientnet_lite:EfficientNetLite0",
        "efficientnet-lite1": "bitproof.models.efficientnet_lite:EfficientNetLite1",
        "efficientnet-lite2": "bitproof.models.efficientnet_lite:EfficientNetLite2",
        "resnet20": "bitproof.models.resnet_cifar:ResNet20",
        "resnet32": "bitproof.models.resnet_cifar:ResNet32",
        "resnet44": "bitproof.models.resnet_cifar:ResNet44",
        "resnet56": "bitproof.models.resnet_cifar:ResNet56",
        "small-cnn": "bitproof.models.small_cnn:SmallCnn",
    },
)

__all__ = ["MODELS", "Network", "Normalized", "OnnxSession", "TorchVictim", "check_spec", "load", "user_function", "wrap"]


def load(spec: str, *, classes: int | None = None) -> Network:
    """Load the network that ``spec`` names; ``classes`` is the number of logits that the caller needs.

    Raises UnknownName for an unknown door, SpecError for a setting that does not fit, ModelError where loading fails or the
    number of classes differs, MissingExtra where a package is missing.
    """
    parsed = Spec.parse(spec)
    door, canonical = _door(parsed), str(parsed)
    network: Network = door.load(canonical)
    if classes is not None and network.classes != classes:
        raise ModelError(f"{canonical!r} has {network.classes} classes, {classes} were asked for. Choose other weights or data.")
    return replace(network, digest=digest(type(door).__name__, door.version, network.digest, length=64))


def check_spec(spec: str) -> str:
    """Return the canonical form of ``spec`` without loading anything. Raises UnknownName or SpecError."""
    parsed = Spec.parse(spec)
    _door(parsed)
    return str(parsed)


def _door(spec: Spec) -> Any:
    """Bind ``spec`` to its class; of ``timm/NAME`` the part before the slash is the class, NAME its first setting."""
    door, slash, name = spec.name.partition("/")
    return bind(Spec(door, (("name", name), *spec.items)) if slash else spec, MODELS.load(door))
