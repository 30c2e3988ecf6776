"""A few JPEGs, the same ones everywhere, on which decoders show whether they are one and the same."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from bitproof.noises.system.checks import Picture
from bitproof.noises.system.decode import decoder_digests


def decoder_groups() -> dict[str, str]:
    """Return decoders → hash of all that they make of ``probe_jpegs``; names joined by `` = `` give the same bytes here."""
    groups: dict[str, list[str]] = {}
    for name, digest in decoder_digests(list(probe_jpegs())).items():
        groups.setdefault(digest, []).append(name)
    return {" = ".join(names): digest for digest, names in groups.items()}


def probe_jpegs() -> Iterator[bytes]:
    """Yield JPEGs of 64×64 and 37×53 pixels at quality 60 and 95, with chroma at full (4:4:4) and at half the sides (4:2:0)."""
    for height, width in ((64, 64), (37, 53)):
        for quality in (60, 95):
            for chroma in ("4:4:4", "4:2:0"):
                file = io.BytesIO()
                Image.fromarray(_picture(height, width)).save(file, "JPEG", quality=quality, subsampling=chroma)
                yield file.getvalue()


def _picture(height: int, width: int) -> Picture:
    """Slopes of colour with an edge and grain, uint8 height×width×3, from whole numbers alone."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([x * 4, y * 5, (x + y) * 2], axis=-1) % 256
    image[:, width // 2 :, 0] //= 3
    grain = ((x * 73 + y * 151 + x * y * 31) % 17)[..., None]
    return np.asarray((image + grain).clip(0, 255), dtype=np.uint8)
