"""``spoken``: the words of the 12-class task from a speech synthesizer, for where no recording is at hand."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import subprocess
import sys
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitproof.core import DataError, MissingExtra, seed
from bitproof.tasks.data import ImageData, Sample, fingerprint
from bitproof.tasks.sources.clips import NAMES, WORDS
from bitproof.tasks.sources.espeak import Request
from bitproof.tasks.sources.files import Kept

#: eSpeak NG's American English in voices of eight men and five women, and words a minute, taken in turn. Its voices f2, f3 and f5
#: are left out: their breath is drawn anew in each process.
VOICES = tuple(f"en-us+{voice}" for voice in "m1 m2 m3 m4 m5 m6 m7 m8 f1 f4 Annie linda steph".split())
SPEEDS = (130, 150, 170)

#: Other words of Speech Commands: each voice says one of them, in turn, which is the class unknown.
OTHERS = ("bed", "bird", "cat", "dog", "eight", "five", "four", "happy", "house", "nine", "seven", "three", "tree")

#: The loudest sample of a word, and the deviation of the noise beneath, −60 dB of full scale.
PEAK, FLOOR = 0.35, 1e-3

_LIMIT_S = 120

NOTE = (
    "These words are a synthesizer's (eSpeak NG), clear and close to the microphone: other data than the networks were trained on. "
    "Compare networks and noises with one another; what people say is recognised otherwise."
)

Wave = NDArray[np.float64]


def second(x: Wave, rate: int, drawn: int) -> NDArray[np.int16]:
    """Return a second with the word in its middle.

    y = PEAK·x/max|x| + FLOOR·n, n normal by the seed ``drawn``; x without its ends below 1 % of its peak, cut where it is longer.
    Shapes: N → ``rate`` samples of 16 bits. Of an empty or silent ``x`` the noise alone.
    """
    y = FLOOR * np.random.default_rng(drawn).standard_normal(rate)
    loud = np.flatnonzero(np.abs(x) > 0.01 * np.abs(x).max(initial=0.0))
    if len(loud):
        word = x[loud[0] : loud[-1] + 1][:rate]
        start = (rate - len(word)) // 2
        y[start : start + len(word)] += PEAK * word / np.abs(word).max()
    return np.asarray((y * 32767).round().clip(-32768, 32767), np.int16)


def script() -> list[tuple[str, Request]]:
    """Return all that is said: the class, and (text, voice, words a minute); of silence the text is empty."""
    return [
        (name, (text, voice, SPEEDS[i % len(SPEEDS)]))
        for i, voice in enumerate(VOICES)
        for name, text in [("silence", ""), ("unknown", OTHERS[i % len(OTHERS)]), *((word, word) for word in WORDS)]
    ]


@dataclass(frozen=True)
class Spoken:
    """The 12 classes of Speech Commands' task from a synthesizer: 13 voices at three speeds, 156 clips, no file needed.

    Silence is the noise that lies under the words. Source: eSpeak NG; its American voices were taken because a float network of
    Speech Commands knows 80 % of their words, and 60 % of those of its British and Scottish ones.
    """

    task: ClassVar[str] = "keyword"
    source: ClassVar[str] = "eSpeak NG (GPL-3.0), in the package espeakng-loader"
    version: ClassVar[int] = 1

    def load(self) -> ImageData:
        """Let all words be said; equal versions of the synthesizer say them equally. Raises MissingExtra, DataError."""
        files = _files()
        samples = tuple(Sample(name, label, Kept(data)) for name, label, data in files)
        rows = [(name, label, len(data)) for name, label, data in files]
        content = hashlib.sha256(b"".join(data for *_, data in files)).hexdigest()
        return ImageData(
            "spoken", samples, fingerprint("spoken", self.version, rows, content), len(NAMES), NAMES, "recordings", NOTE
        )


@cache
def _files() -> tuple[tuple[str, int, bytes], ...]:
    """Id, label and WAV file of each clip; kept, since a grid of several parts loads its data anew for each."""
    said = script()
    rate, waves = _asked([request for _, request in said])
    return tuple(
        (f"{name}/{text or 'nothing'}-{voice}.wav", NAMES.index(name), wav(second(x, rate, seed("spoken", text, voice)), rate))
        for (name, (text, voice, _)), x in zip(said, waves, strict=True)
    )


def _asked(requests: Sequence[Request]) -> tuple[int, list[Wave]]:
    """Ask the synthesizer in a new process; whatever it does, this one goes on."""
    library, data = _engine()
    command = [sys.executable, "-I", str(Path(__file__).with_name("espeak.py")), library, data]
    try:
        done = subprocess.run(command, input=json.dumps(requests).encode(), capture_output=True, timeout=_LIMIT_S, check=True)
        header, _, body = done.stdout.partition(b"\n")
        rate, *sizes = json.loads(header)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        said = (getattr(error, "stderr", None) or str(error).encode()).decode(errors="replace").strip().splitlines() or [""]
        raise DataError(f"The synthesizer eSpeak NG cannot speak here ({said[-1]}). Give recordings of your own.") from None
    ends = np.cumsum(sizes)
    return rate, [np.frombuffer(body[end - size : end], np.int16) / 32768 for size, end in zip(sizes, ends, strict=True)]


def _engine() -> tuple[str, str]:
    """The synthesizer's library and data, found without importing the package."""
    found = importlib.util.find_spec("espeakng_loader")
    if found is None or not found.submodule_search_locations:
        raise MissingExtra("espeakng-loader", "speech", "The data source 'spoken', a synthesizer of speech,")
    root = Path(found.submodule_search_locations[0])
    library = next((path for path in sorted(root.glob("*espeak-ng*")) if path.suffix in (".so", ".dylib", ".dll")), None)
    if library is None:
        raise DataError(f"The installed package espeakng-loader ({str(root)!r}) carries no library of eSpeak NG for this system.")
    return str(library), str(root / "espeak-ng-data")


def wav(x: NDArray[np.int16], rate: int) -> bytes:
    """Return a WAV file of one channel, 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(x.astype("<i2").tobytes())
    return file.getvalue()
