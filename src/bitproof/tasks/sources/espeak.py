"""Words from eSpeak NG, in a process of its own: ``python espeak.py LIBRARY DATA < requests > sound``; standard library alone.

Its voices drift a little from one word to the next, so the same sound comes only from the same words in the same order in a new
process. Requests are JSON, a list of [text, voice, words a minute]; the answer is the rate, then each word's samples, as bytes.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Sequence

Request = tuple[str, str, int]

#: From speak_lib.h: sound is handed back, not played; text is UTF-8; the parameter that is the speed.
_SYNCHRONOUS, _UTF8, _RATE = 2, 1, 1

_HEARD = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def spoken(library: str, data: str, requests: Sequence[Request]) -> tuple[int, list[bytes]]:
    """Return the rate in Hz and the samples of each request, 16 bits in the machine's order. Raises RuntimeError."""
    engine = ctypes.CDLL(library)
    rate = int(engine.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), 0))
    if rate <= 0:
        raise RuntimeError(f"eSpeak NG finds no data in {data!r}")
    samples: list[bytes] = []

    def heard(wave: ctypes._Pointer[ctypes.c_short], count: int, events: int | None) -> int:
        samples.append(ctypes.string_at(wave, 2 * count) if count > 0 else b"")
        return 0

    kept = _HEARD(heard)  # for as long as the engine may call it
    engine.espeak_SetSynthCallback(kept)
    return rate, [_said(engine, samples, *request) for request in requests]


def _said(engine: ctypes.CDLL, samples: list[bytes], text: str, voice: str, speed: int) -> bytes:
    samples.clear()
    if engine.espeak_SetVoiceByName(voice.encode()):
        raise RuntimeError(f"eSpeak NG has no voice {voice!r}")
    engine.espeak_SetParameter(_RATE, speed, 0)
    whole = text.encode() + b"\0"
    engine.espeak_Synth(whole, ctypes.c_size_t(len(whole)), 0, 1, 0, _UTF8, None, None)
    engine.espeak_Synchronize()
    return b"".join(samples)


def main() -> None:
    """Answer the requests of the standard input."""
    rate, waves = spoken(sys.argv[1], sys.argv[2], json.load(sys.stdin))
    header = json.dumps([rate, *map(len, waves)]).encode()
    sys.stdout.buffer.write(header + b"\n" + b"".join(waves))


if __name__ == "__main__":
    main()
