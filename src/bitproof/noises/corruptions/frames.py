"""The published constants of the ten perturbation sequences of ImageNet-P, and the word that stands for their frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from bitproof.core import SpecError
from bitproof.noises.corruptions.table import SETS, nearest_set

Four = tuple[float, float, float, float]


def _same(value: float) -> Four:
    return (value, value, value, value)


#: Sequence → number of frames in each of ``SETS``, at difficulty step 1.
#: Source: hendrycks/robustness@8190fe3, ImageNet-P/create_p/make_{imagenet,imagenet_p_inception,tinyimagenet,cifar}_p.py.
FRAMES: dict[str, tuple[int, int, int, int]] = {
    "gaussian_noise_p": (31, 31, 31, 31),
    "shot_noise_p": (31, 31, 31, 31),
    "motion_blur_p": (31, 31, 31, 21),
    "zoom_blur_p": (31, 31, 31, 31),
    "snow_p": (31, 31, 31, 31),
    "brightness_p": (31, 31, 31, 31),
    "translate_p": (41, 41, 31, 16),
    "rotate_p": (31, 31, 31, 31),
    "tilt_p": (31, 31, 31, 31),
    "scale_p": (31, 31, 31, 31),
}

#: Sequence → parameter → its value in each of ``SETS``. ``middle`` is the frame in which nothing is changed. Source: as above.
TABLE: dict[str, dict[str, Four]] = {
    "gaussian_noise_p": {"sigma": (0.03, 0.035, 0.025, 0.02)},
    "shot_noise_p": {"photons": (300, 250, 500, 700)},
    "motion_blur_p": {
        "radius_px": (10, 13, 14, 6),
        "sigma_px": (3, 3, 3, 1.8),
        "start_deg": (-120, -120, -150, -180),
        "step_deg": (4, 4, 5, 9),
    },
    "zoom_blur_p": {"step": _same(0.004)},
    "snow_p": {
        "mean": _same(0.05),
        "std": (0.3, 0.3, 0.28, 0.3),
        "zoom": (3, 3, 2, 2),
        "threshold": _same(0.5),
        "radius_px": (14, 14, 10, 10),
        "motion_sigma_px": (4, 4, 2.5, 2),
        "start_deg": _same(-150),
        "step_deg": _same(4),
        "blend": _same(0.85),
    },
    "brightness_p": {"middle": _same(15), "step": (0.02, 0.02, 0.02, 0.015)},
    "translate_p": {"middle": (20, 20, 15, 7)},
    "rotate_p": {"middle": _same(15)},
    "tilt_p": {"middle": _same(15), "step_deg": (1, 1, 1, 0.75)},
    "scale_p": {"start_percent": (40, 40, 40, 70), "step_percent": (2.5, 2.5, 2.5, 2)},
}


def constants(sequence: str, constant_set: str) -> dict[str, float]:
    """Return the parameters of ``sequence`` in one of ``SETS``."""
    return {name: values[SETS.index(constant_set)] for name, values in TABLE[sequence].items()}


def check(sequence: str, frame: int, constant_set: str) -> None:
    """Raise SpecError unless ``constant_set`` is one of ``SETS`` and has the frame ``frame`` of ``sequence``."""
    _check_set(constant_set)
    count = FRAMES[sequence][SETS.index(constant_set)]
    if frame not in range(count):
        raise SpecError(f"{sequence} has no frame {frame!r} with the constants {constant_set!r}. Allowed: 0 to {count - 1}.")


def _check_set(constant_set: str) -> None:
    if constant_set not in SETS:
        raise SpecError(f"Unknown constants {constant_set!r} of a perturbation sequence. Allowed: {', '.join(SETS)}.")


@dataclass(frozen=True)
class Perturbations:
    """The ten perturbation sequences of ImageNet-P, frame by frame: for the flip probability.

    ``frames`` keeps so many of the first frames of each sequence, ``sequence`` one of the ten, ``constants`` names a published
    set; ``auto`` takes the one made for inputs of about the model's size, and ImageNet-P's where no model is known.
    """

    sequence: str | None = None
    frames: int | None = None
    constants: str = "auto"

    source: ClassVar[str] = "arXiv 1903.12261, §4.2; hendrycks/robustness@8190fe3 ImageNet-P"

    def __post_init__(self) -> None:
        if self.sequence not in (None, *FRAMES):
            raise SpecError(f"Unknown sequence {self.sequence!r}. Allowed: {', '.join(FRAMES)}; without one, all ten.")
        if self.frames is not None and self.frames < 2:
            raise SpecError(f"{self.frames} frames hold no two predictions to compare. Type 2 or more, or leave it out for all.")
        if self.constants != "auto":
            _check_set(self.constants)

    def at(self, side: int) -> Perturbations:
        """Return the same for a model whose input is ``side`` × ``side`` px."""
        return replace(self, constants=nearest_set(side, side)) if self.constants == "auto" else self

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return one spec a frame, 320 of them in all of ImageNet-P."""
        name = SETS[0] if self.constants == "auto" else self.constants
        names = [self.sequence] if self.sequence else list(FRAMES)
        counts: Mapping[str, Any] = {sequence: FRAMES[sequence][SETS.index(name)] for sequence in names}
        return [
            f"{sequence}:{frame},constants={name}"
            for sequence, count in counts.items()
            for frame in range(min(count, self.frames or count))
        ]
