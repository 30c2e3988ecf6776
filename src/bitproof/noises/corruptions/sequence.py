"""What the frames of all perturbation sequences share. Their maths stands beside that of the corruption they are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitproof.noises.corruptions import frames
from bitproof.noises.corruptions.base import Image, check_picture, check_size


@dataclass(frozen=True)
class Frame:
    """One frame of a sequence: ``show(image, rng, frame, **constants)``, a pure function.

    All frames of a sample are given the same seed, so they share their draws, as the reference's do; where it draws anew for
    every frame (``redrawn``) the frame enters the seed. ``uncropped``: in a run the frame is made of the scaled picture before
    the model's crop, so that what moves out of sight is replaced by what the crop would have cut off.
    Differs from the paper, in all sequences: the frames are not put through the H.264 of the published films.
    """

    frame: int
    constants: str = "imagenet"

    site: ClassVar[str] = "image"
    family: ClassVar[str] = "perturbation"
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    source: ClassVar[str] = "arXiv 1903.12261, §4.2; hendrycks/robustness@8190fe3 ImageNet-P/create_p"
    version: ClassVar[int] = 1

    show: ClassVar[Callable[..., Image]]
    min_side_px: ClassVar[int] = 1
    redrawn: ClassVar[bool] = False
    uncropped: ClassVar[bool] = False

    def __post_init__(self) -> None:
        frames.check(self.show.__name__, self.frame, self.constants)

    def __call__(self, image: Image, seed: int) -> Image:
        """Return a new picture, the frame of the sequence that starts from ``image`` and that ``seed`` alone determines.

        uint8 H×W×3 → uint8 H×W×3. Raises ShapeError on another dtype or shape, and on sides below ``min_side_px``.
        """
        name = self.show.__name__
        check_picture(image, name)
        check_size(image, name, self.min_side_px)
        rng = np.random.Generator(np.random.SFC64([seed, self.frame] if self.redrawn else seed))
        return self.show(np.ascontiguousarray(image), rng, self.frame, **frames.constants(name, self.constants))
