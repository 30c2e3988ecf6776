"""Site ``decode``: one file, six readers. They round the inverse DCT, the chroma upsampling and YCbCr → RGB differently.

All read JPEG, PNG, BMP and WebP (the ``fast`` ones JPEG alone) into three channels, so that the same file is the same picture:
grey becomes three equal channels, a palette its colours; alpha is dropped and the colour under it kept, nothing is blended;
CMYK is taken as Adobe writes it, without ICC profiles; of a file with several pictures the first is read. EXIF orientation is
ignored by all of them: training sets were decoded unturned, and a turned picture would be a geometry noise. A truncated file is
refused by all; damage inside a JPEG's scan that leaves its markers whole is concealed by all, as their libraries do.
"""

from __future__ import annotations

import hashlib
import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import av
import cv2
import numpy as np
import simplejpeg
from PIL import Image

from bitproof.core import DataError
from bitproof.noises.system.checks import Picture, check_file

_SOURCE = "RobustART, imagenet_s_gen.py (DIG-Beihang/RobustART@068a4fd); SysNoise (MLSys 2023) Sec 3.4"


class _Decoder(ABC):
    """Checks the file and reports a failure; a subclass only reads."""

    site: ClassVar[str] = "decode"
    family: ClassVar[str] = "system"
    kinds: ClassVar[tuple[str, ...]] = ("image", "vqa")
    source: ClassVar[str] = _SOURCE
    version: ClassVar[int] = 1

    def __call__(self, data: bytes) -> Picture:
        """Decode one file: bytes → uint8 H×W×3 RGB. Raises DataError on bytes that are no whole, readable picture."""
        kind = check_file(data)
        try:
            return self._read(data, kind)
        except (OSError, SyntaxError, ValueError, av.FFmpegError, cv2.error) as error:
            raise DataError(f"The {kind} file of {len(data)} bytes is damaged: {error}.") from None

    @abstractmethod
    def _read(self, data: bytes, kind: str) -> Picture: ...


@dataclass(frozen=True)
class DecodePil(_Decoder):
    """Pillow: libjpeg-turbo with the accurate integer DCT and smooth chroma upsampling; the clean decoder.

    ``Image.open(file).convert("RGB")``; of 16-bit samples the high byte is kept, where Pillow alone would saturate grey ones.

    Shapes: bytes → H×W×3. Range: uint8. Raises: DataError.
    Source: RobustART, imagenet_s_gen.py. Differs from the paper: 16-bit grey.
    """

    def _read(self, data: bytes, kind: str) -> Picture:
        with Image.open(io.BytesIO(data), formats=(kind,)) as picture:
            if picture.mode.startswith("I"):
                grey = (np.asarray(picture) >> 8).astype(np.uint8)
                return np.stack([grey] * 3, axis=-1)
            return np.array(picture.convert("RGB"))


@dataclass(frozen=True)
class DecodeCv(_Decoder):
    """OpenCV: ``imdecode``, BGR → RGB; today the same libjpeg-turbo settings as Pillow, so often the same bits.

    ``decoder_digests`` tells whether the two differ in an installation. Of 16-bit samples the high byte is kept.

    Shapes: bytes → H×W×3. Range: uint8. Raises: DataError.
    Source: RobustART, imagenet_s_gen.py. Differs from the paper: EXIF orientation is ignored.
    """

    def _read(self, data: bytes, kind: str) -> Picture:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if image is None:
            raise ValueError("OpenCV cannot decode it")
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


@dataclass(frozen=True)
class DecodeFfmpeg(_Decoder):
    """FFmpeg through PyAV: its own JPEG, PNG, BMP and WebP decoders, then swscale to rgb24 (bilinear chroma).

    16-bit samples are rounded to 8 bits by swscale, up to one level above the high byte. Animated WebP is refused by FFmpeg.

    Shapes: bytes → H×W×3. Range: uint8. Raises: DataError.
    Source: RobustART, imagenet_s_gen.py (the ffmpeg program writing rawvideo rgb24). Differs from the paper: called through PyAV.
    """

    def _read(self, data: bytes, kind: str) -> Picture:
        with av.open(io.BytesIO(data)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            frame = next(iter(container.decode(stream)), None)
            if frame is None:
                raise ValueError("FFmpeg finds no picture in it")
            return np.ascontiguousarray(frame.to_ndarray(format="rgb24"))


class _Fast(_Decoder):
    """libjpeg-turbo through simplejpeg, with its shortcuts."""

    source: ClassVar[str] = "libjpeg-turbo, TJFLAG_FASTDCT and TJFLAG_FASTUPSAMPLE; a stand-in for hardware JPEG decoders"
    fast_dct: ClassVar[bool] = False
    fast_upsample: ClassVar[bool] = False

    def _read(self, data: bytes, kind: str) -> Picture:
        if kind != "JPEG":
            raise DataError(f"A fast-DCT or fast-upsampling decoder reads JPEG alone; this file is {kind}. Use 'decode-ffmpeg'.")
        image = simplejpeg.decode_jpeg(data, "RGB", fastdct=self.fast_dct, fastupsample=self.fast_upsample, strict=False)
        return np.asarray(image)


@dataclass(frozen=True)
class DecodeFastDct(_Fast):
    """libjpeg-turbo with the fast, less accurate integer inverse DCT; JPEG alone.

    Shapes: bytes → H×W×3. Range: uint8. Raises: DataError, also for other formats.
    Source: libjpeg-turbo. Differs from the paper: nothing.
    """

    fast_dct: ClassVar[bool] = True


@dataclass(frozen=True)
class DecodeFastUpsample(_Fast):
    """libjpeg-turbo that repeats chroma samples instead of smoothing between them; JPEG alone.

    Shapes: bytes → H×W×3. Range: uint8. Raises: DataError, also for other formats.
    Source: libjpeg-turbo. Differs from the paper: nothing.
    """

    fast_upsample: ClassVar[bool] = True


@dataclass(frozen=True)
class DecodeFast(_Fast):
    """libjpeg-turbo with the fast inverse DCT and repeated chroma samples together; JPEG alone.

    Shapes: bytes → H×W×3. Range: uint8. Raises: DataError, also for other formats.
    Source: libjpeg-turbo. Differs from the paper: nothing.
    """

    fast_dct: ClassVar[bool] = True
    fast_upsample: ClassVar[bool] = True


_DECODERS: dict[str, type[_Decoder]] = {
    "decode-pil": DecodePil,
    "decode-cv": DecodeCv,
    "decode-ffmpeg": DecodeFfmpeg,
    "decode-fastdct": DecodeFastDct,
    "decode-fastup": DecodeFastUpsample,
    "decode-fast": DecodeFast,
}


def decoder_digests(files: Sequence[bytes]) -> dict[str, str]:
    """Decode ``files`` by every decoder and return name → hash of all pixels: equal hashes are one decoder under two names.

    Twelve hex digits each. Raises DataError where a decoder cannot read a file; hand in JPEGs to compare all six.
    """
    return {name: _fingerprint(decoder(), files) for name, decoder in _DECODERS.items()}


def _fingerprint(decoder: _Decoder, files: Sequence[bytes]) -> str:
    pixels = hashlib.sha256()
    for data in files:
        image = decoder(data)
        pixels.update(repr(image.shape).encode())
        pixels.update(image.tobytes())
    return pixels.hexdigest()[:12]
