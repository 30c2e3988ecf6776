"""The published constants of the nineteen corruptions: one row a parameter, one column a set, five severities in a cell."""

from __future__ import annotations

from typing import Any

from bitproof.core import SpecError

#: The four published sets and their picture sizes: ImageNet-C (224 px), its Inception edition (299 px), Tiny-ImageNet-C (64 px)
#: and CIFAR-10-C (32 px). ImageNet-64x64-C has the constants of Tiny-ImageNet-C.
SETS = ("imagenet", "imagenet-299", "tiny", "cifar")

Five = tuple[float, float, float, float, float]


def _same(*values: Any) -> tuple[Five, Five, Five, Five]:
    return (values, values, values, values)


#: Corruption → parameter → one tuple of severities 1 to 5 for each of ``SETS``.
#: Source: hendrycks/robustness@8190fe3, ImageNet-C/create_c/make_{imagenet_c,imagenet_c_inception,tinyimagenet_c,cifar_c}.py.
TABLE: dict[str, dict[str, tuple[Five, Five, Five, Five]]] = {
    "gaussian_noise": {
        "sigma": (
            (0.08, 0.12, 0.18, 0.26, 0.38),
            (0.09, 0.13, 0.19, 0.27, 0.4),
            (0.04, 0.08, 0.12, 0.15, 0.18),
            (0.04, 0.06, 0.08, 0.09, 0.1),
        ),
    },
    "shot_noise": {
        "photons": ((60, 25, 12, 5, 3), (50, 20, 10, 5, 3), (250, 100, 50, 30, 15), (500, 250, 100, 75, 50)),
    },
    "impulse_noise": {
        "amount": (
            (0.03, 0.06, 0.09, 0.17, 0.27),
            (0.04, 0.07, 0.1, 0.18, 0.28),
            (0.01, 0.02, 0.05, 0.08, 0.14),
            (0.01, 0.02, 0.03, 0.05, 0.07),
        ),
    },
    "defocus_blur": {
        "radius_px": ((3, 4, 6, 8, 10), (4, 5, 7, 10, 12), (0.5, 1, 1.5, 2.5, 3), (0.3, 0.4, 0.5, 1, 1.5)),
        "alias_sigma_px": (
            (0.1, 0.5, 0.5, 0.5, 0.5),
            (0.1, 0.5, 0.5, 0.5, 0.5),
            (0.6, 0.1, 0.1, 0.01, 0.1),
            (0.4, 0.5, 0.6, 0.2, 0.1),
        ),
    },
    "glass_blur": {
        "sigma_px": ((0.7, 0.9, 1, 1.1, 1.5), (0.8, 1, 1.1, 1.2, 1.6), (0.1, 0.5, 0.6, 0.7, 0.9), (0.05, 0.25, 0.4, 0.25, 0.4)),
        "delta_px": ((1, 2, 2, 3, 4), (1, 3, 2, 4, 5), (1, 1, 1, 2, 2), (1, 1, 1, 1, 1)),
        "iterations": ((2, 1, 3, 2, 2), (3, 1, 4, 2, 2), (1, 1, 2, 1, 2), (1, 1, 1, 2, 2)),
    },
    "motion_blur": {
        "radius_px": ((10, 15, 15, 15, 20), (12, 17, 17, 17, 22), (10, 10, 10, 10, 12), (6, 6, 6, 8, 9)),
        "sigma_px": ((3, 5, 8, 12, 15), (4, 6, 9, 13, 16), (1, 1.5, 2, 2.5, 3), (1, 1.5, 2, 2, 2.5)),
    },
    "zoom_blur": {
        "start": _same(1, 1, 1, 1, 1),
        "stop": (
            (1.11, 1.16, 1.21, 1.26, 1.31),
            (1.11, 1.16, 1.21, 1.26, 1.31),
            (1.06, 1.11, 1.16, 1.21, 1.26),
            (1.06, 1.11, 1.16, 1.21, 1.26),
        ),
        "step": (
            (0.01, 0.01, 0.02, 0.02, 0.03),
            (0.01, 0.01, 0.02, 0.02, 0.03),
            (0.01, 0.01, 0.01, 0.01, 0.01),
            (0.01, 0.01, 0.01, 0.01, 0.01),
        ),
    },
    "snow": {
        "mean": (
            (0.1, 0.2, 0.55, 0.55, 0.55),
            (0.1, 0.2, 0.55, 0.55, 0.55),
            (0.1, 0.1, 0.15, 0.25, 0.3),
            (0.1, 0.1, 0.15, 0.25, 0.3),
        ),
        "std": ((0.3, 0.3, 0.3, 0.3, 0.3), (0.3, 0.3, 0.3, 0.3, 0.3), (0.2, 0.2, 0.3, 0.3, 0.3), (0.2, 0.2, 0.3, 0.3, 0.3)),
        "zoom": ((3, 2, 4, 4.5, 2.5), (3, 2, 4, 4.5, 2.5), (1, 1, 1.75, 2.25, 1.25), (1, 1, 1.75, 2.25, 1.25)),
        "threshold": (
            (0.5, 0.5, 0.9, 0.85, 0.85),
            (0.5, 0.5, 0.9, 0.85, 0.85),
            (0.6, 0.5, 0.55, 0.6, 0.65),
            (0.6, 0.5, 0.55, 0.6, 0.65),
        ),
        "radius_px": ((10, 12, 12, 12, 12), (10, 12, 12, 12, 12), (8, 10, 10, 12, 14), (8, 10, 10, 12, 14)),
        "motion_sigma_px": ((4, 4, 8, 8, 12), (4, 4, 8, 8, 12), (3, 4, 4, 6, 12), (3, 4, 4, 6, 12)),
        "blend": (
            (0.8, 0.7, 0.7, 0.65, 0.55),
            (0.8, 0.7, 0.7, 0.65, 0.55),
            (0.8, 0.8, 0.7, 0.65, 0.6),
            (0.95, 0.9, 0.9, 0.85, 0.8),
        ),
    },
    "frost": {
        "image_weight": ((1, 0.8, 0.7, 0.65, 0.6), (1, 0.8, 0.7, 0.65, 0.6), (1, 0.9, 0.8, 0.75, 0.7), (1, 1, 0.9, 0.85, 0.75)),
        "frost_weight": (
            (0.4, 0.6, 0.7, 0.7, 0.75),
            (0.4, 0.6, 0.7, 0.7, 0.75),
            (0.3, 0.4, 0.45, 0.5, 0.55),
            (0.2, 0.3, 0.4, 0.4, 0.45),
        ),
        "texture_scale": ((1, 1, 1, 1, 1), (1, 1, 1, 1, 1), (0.3, 0.3, 0.3, 0.3, 0.3), (0.2, 0.2, 0.2, 0.2, 0.2)),
    },
    "fog": {
        "strength": ((1.5, 2, 2.5, 2.5, 3), (1.5, 2, 2.5, 2.5, 3), (0.4, 0.7, 1, 1.5, 2), (0.2, 0.5, 0.75, 1, 1.5)),
        "decay": ((2, 2, 1.7, 1.5, 1.4), (2, 2, 1.8, 1.6, 1.5), (3, 3, 2.5, 2, 1.75), (3, 3, 2.5, 2, 1.75)),
    },
    "brightness": {
        "add": ((0.1, 0.2, 0.3, 0.4, 0.5), (0.1, 0.2, 0.3, 0.4, 0.5), (0.1, 0.2, 0.3, 0.4, 0.5), (0.05, 0.1, 0.15, 0.2, 0.3)),
    },
    "contrast": {
        "gain": ((0.4, 0.3, 0.2, 0.1, 0.05), (0.4, 0.3, 0.2, 0.1, 0.05), (0.4, 0.3, 0.2, 0.1, 0.05), (0.75, 0.5, 0.4, 0.3, 0.15)),
    },
    "elastic_transform": {
        "amplitude_px": (
            (488, 488, 12.2, 17.08, 29.28),
            (720, 720, 18, 25.2, 43.2),
            (0, 3.2, 6.4, 6.4, 10.24),
            (0, 1.6, 2.56, 3.2, 3.2),
        ),
        "sigma_px": (
            (170.8, 19.52, 2.44, 2.44, 2.44),
            (252, 28.8, 3.6, 3.6, 3.6),
            (0, 19.2, 5.12, 1.92, 1.92),
            (0, 6.4, 1.92, 1.28, 0.96),
        ),
        "jitter_px": (
            (24.4, 48.8, 4.88, 4.88, 4.88),
            (36, 72, 7.2, 7.2, 7.2),
            (5.12, 3.84, 3.84, 1.92, 1.28),
            (2.56, 2.24, 1.92, 1.6, 0.96),
        ),
    },
    "pixelate": {
        "scale": ((0.6, 0.5, 0.4, 0.3, 0.25), (0.5, 0.4, 0.3, 0.25, 0.2), (0.9, 0.8, 0.7, 0.6, 0.5), (0.95, 0.9, 0.85, 0.75, 0.65)),
    },
    "jpeg_compression": {
        "quality": ((25, 18, 15, 10, 7), (23, 16, 13, 8, 5), (65, 58, 50, 40, 25), (80, 65, 58, 50, 40)),
    },
    "speckle_noise": {
        "sigma": (
            (0.15, 0.2, 0.35, 0.45, 0.6),
            (0.16, 0.21, 0.36, 0.46, 0.61),
            (0.15, 0.2, 0.25, 0.3, 0.35),
            (0.06, 0.1, 0.12, 0.16, 0.2),
        ),
    },
    "gaussian_blur": {
        "sigma_px": ((1, 2, 3, 4, 6), (1.5, 2.5, 3.5, 4.5, 6.5), (0.5, 0.75, 1, 1.25, 1.5), (0.4, 0.6, 0.7, 0.8, 1)),
    },
    "spatter": {
        "mean": (
            (0.65, 0.65, 0.65, 0.65, 0.67),
            (0.65, 0.65, 0.65, 0.65, 0.67),
            (0.62, 0.65, 0.65, 0.65, 0.65),
            (0.62, 0.65, 0.65, 0.65, 0.65),
        ),
        "std": ((0.3, 0.3, 0.3, 0.3, 0.4), (0.3, 0.3, 0.3, 0.3, 0.4), (0.1, 0.1, 0.3, 0.1, 0.1), (0.1, 0.1, 0.3, 0.1, 0.1)),
        "sigma_px": ((4, 3, 2, 1, 1), (4, 3.5, 3, 1.2, 1.2), (0.7, 0.8, 1, 0.7, 0.5), (0.7, 0.8, 1, 0.7, 0.5)),
        "threshold": (
            (0.69, 0.68, 0.68, 0.65, 0.65),
            (0.69, 0.68, 0.68, 0.65, 0.65),
            (0.7, 0.7, 0.69, 0.68, 0.67),
            (0.7, 0.7, 0.69, 0.69, 0.68),
        ),
        "gain": ((0.6, 0.6, 0.5, 1.5, 1.5), (0.9, 0.9, 0.8, 1.8, 1.8), (0.6, 0.6, 0.6, 0.6, 0.6), (0.5, 0.5, 0.5, 0.6, 0.6)),
        "mud": _same(0, 0, 0, 1, 1),
    },
    "saturate": {
        "multiply": ((0.3, 0.1, 2, 5, 20), (0.3, 0.1, 2, 5, 20), (0.3, 0.1, 2, 5, 30), (0.3, 0.1, 1.5, 2, 2.5)),
        "add": _same(0, 0, 0, 0.1, 0.2),
    },
}


def constants(corruption: str, constant_set: str, severity: int) -> dict[str, float]:
    """Return the parameters of ``corruption`` at ``severity`` 1–5 in one of ``SETS``."""
    column = SETS.index(constant_set)
    return {name: cells[column][severity - 1] for name, cells in TABLE[corruption].items()}


#: Longest shorter side for which ``auto`` takes a set: midway between the sizes that the sets were made for.
CIFAR_LIMIT_PX, TINY_LIMIT_PX, IMAGENET_LIMIT_PX = 48, 144, 261


def nearest_set(height: int, width: int) -> str:
    """Return the set whose picture size is nearest to the shorter side: up to 48 px cifar, 144 tiny, 261 imagenet, else -299."""
    limits = {"cifar": CIFAR_LIMIT_PX, "tiny": TINY_LIMIT_PX, "imagenet": IMAGENET_LIMIT_PX}
    return next((name for name, limit in limits.items() if min(height, width) <= limit), "imagenet-299")


def check(severity: int, constant_set: str, sets: tuple[str, ...]) -> None:
    """Raise SpecError unless ``severity`` is 1–5 and ``constant_set`` one of ``sets`` or auto."""
    if severity not in range(1, 6):
        raise SpecError(f"Severity {severity!r} is out of range. Allowed: 1, 2, 3, 4, 5.")
    if constant_set not in (*sets, "auto"):
        raise SpecError(f"Unknown constants {constant_set!r}. Allowed: {', '.join(sets)}, auto (by the picture's shorter side).")
