"""Seeds made from names, so that a draw does not depend on batch size, worker count or order."""

from __future__ import annotations

import hashlib


def seed(*parts: object) -> int:
    """Return a 63-bit seed that depends on ``parts`` alone, e.g. ``seed(run_seed, "fog", 3, sample_id)``.

    The same parts give the same seed on every machine and Python; ``1`` and ``"1"`` are the same part.
    """
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def digest(*parts: object, length: int = 12) -> str:
    """Return ``length`` hex digits that identify ``parts``: the form of variant and cell ids."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:length]
