"""Other people's corruptions, called so that they repeat. The only file that imports them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from bitproof.core import MissingExtra

Image = npt.NDArray[np.uint8]

#: The reference of ImageNet-C that can be installed today, and the one version that the table speaks of.
FORK, FORK_VERSION = "imagecorruptions-imaug", "1.1.5"

#: A second reference for what the first one computes by another formula.
SECOND = "corrupt-tta"

#: The first reference's corruptions with a ``seed`` of their own, drawn from generators that the global one does not move.
_OWN_SEED = ("impulse_noise", "glass_blur")

#: What is known of a reference's deviation from ImageNet-C (hendrycks/robustness@8190fe3), by corruption and package.
NOTES = {
    ("elastic_transform", FORK): "another formula than ImageNet-C's: no affine jitter, and sigma 1 % of the side at each severity",
    ("elastic_transform", SECOND): "ImageNet-C's formula with its constants for 224 px where ImageNet-C has 244",
    ("frost", FORK): "enlarges each texture by 1.1, and draws six where ImageNet-C draws five: seeds of the sixth are passed over",
    ("snow", FORK): "cuts flakes to bytes after their motion, ImageNet-C before; their motion is not ImageMagick's own",
    (
        "motion_blur",
        FORK,
    ): "the fork truncates to bytes where ImageMagick and bitproof round: 0.5 of 255 apart",
    ("zoom_blur", FORK): "keeps the upper left corner of a magnified copy that is too large, ImageNet-C the middle",
    ("spatter", FORK): "mud colours the picture in bytes, as ImageNet-C intends; a picture without drops divides by zero there",
}


@dataclass(frozen=True)
class Peer:
    """One implementation: ``call(name, image, severity, seed)``, uint8 H×W×3 → uint8 H×W×3, equal seeds, equal bytes.

    It repeats on one set of versions: NumPy, SciPy, scikit-image and Numba draw otherwise in others.
    """

    package: str
    version: str
    call: Callable[[str, Image, int, int], Image]

    @property
    def title(self) -> str:
        """Package and version."""
        return f"{self.package} {self.version}"


def peers(name: str) -> list[Peer]:
    """Return the references of one corruption. Raises MissingExtra where they are not installed."""
    try:
        found = [Peer(FORK, version(FORK), _fork)]
        if name == "elastic_transform":
            found.append(Peer(SECOND, version(SECOND), _second))
    except PackageNotFoundError as error:
        raise MissingExtra(str(error.name or FORK), "peers", "bitproof fidelity") from None
    return found


def _fork(name: str, image: Image, severity: int, seed: int) -> Image:
    """Call imagecorruptions-imaug. It draws from NumPy's global generator; two of it draw from others and take a seed."""
    from imagecorruptions import corrupt

    own: dict[str, Any] = {"seed": seed % 2**32} if name in _OWN_SEED else {}
    with _global_seed(_five_textures(seed) if name == "frost" else seed), redirect_stdout(io.StringIO()):
        return np.asarray(corrupt(image, severity, name, **own))


def _second(name: str, image: Image, severity: int, seed: int) -> Image:
    from corrupt_tta import corruptions

    with _global_seed(seed):
        return np.asarray(getattr(corruptions, name)(Pillow.fromarray(image), severity)).astype(np.uint8)


def _five_textures(seed: int) -> int:
    """Return the first seed from ``seed`` on under which the fork's frost draws one of ImageNet-C's five textures."""
    while np.random.RandomState(seed % 2**32).randint(6) == 5:
        seed += 1
    return seed


@contextmanager
def _global_seed(seed: int) -> Iterator[None]:
    """Seed NumPy's global generator and give back its state."""
    before = np.random.get_state()  # noqa: NPY002 - the reference draws from it
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
