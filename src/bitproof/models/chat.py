"""The door to vision-language models behind an OpenAI-compatible endpoint: llama.cpp's server, vLLM, a cloud."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import ClassVar
from urllib.parse import urlsplit

from bitproof.core import Geometry, MissingExtra, ModelError, Spec, SpecError, digest
from bitproof.models.endpoint import Endpoint
from bitproof.models.network import check_interpolation
from bitproof.models.openai_client import Asking, OpenAiChat

#: Settings that change no answer: another concurrency goes on with the same cells.
RUN_TIME = ("key", "timeout", "retries", "concurrency", "price_in", "price_out")

#: Where the key is looked for where none is named.
KEY = "OPENAI_API_KEY"

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_CREDENTIAL = re.compile(
    r",\s*([\w-]*(token|password|secret|auth|authorization|bearer)|[\w-]*api[_-]?key|[\w-]+[_-]key)\s*=", re.IGNORECASE
)


@dataclass(frozen=True)
class ChatModel:
    """A vision-language model behind an OpenAI-compatible endpoint: chat:http://HOST:PORT/v1#MODEL[,of=MODEL,bits=w4a16,…].

    Pictures are scaled to a longer side of ``size`` px by ``interpolation`` and sent as PNG in a data URL. ``of`` names the model
    of the same grid that this one is a low-bit version of, ``bits`` what it is served at. ``key`` names the environment variable
    with the key; OPENAI_API_KEY is used where it is set and the connection is encrypted or local. ``timeout`` (s), ``retries``
    (on 408, 409, 429, 5xx, resets, time-outs and malformed answers), ``concurrency`` and prices for a million tokens change
    nothing in the answers. Source: the chat completions of OpenAI's API reference.
    """

    endpoint: str
    of: str | None = None
    bits: str | None = None
    size: int = 512
    interpolation: str = "pil-cubic"
    temperature: float = 0.0
    max_tokens: int = 64
    key: str | None = None
    timeout: float = 120.0
    retries: int = 5
    concurrency: int = 4
    price_in: float = 0.0
    price_out: float = 0.0

    source: ClassVar[str] = "https://platform.openai.com/docs/api-reference/chat"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        self._check_endpoint()
        check_interpolation(self.interpolation)
        for name, least, most in (
            *(("size", 16, 4096), ("max_tokens", 1, 4096), ("temperature", 0.0, 2.0), ("timeout", 0.1, 3600.0)),
            *(("retries", 0, 50), ("concurrency", 1, 64), ("price_in", 0.0, 1e6), ("price_out", 0.0, 1e6)),
        ):
            if not least <= getattr(self, name) <= most:
                raise SpecError(f"chat: {name}={getattr(self, name)} is out of range: {least} to {most}.")
        if self.key is not None and not _NAME.fullmatch(self.key):
            raise SpecError("chat: key= takes the NAME of an environment variable, in capitals, and never the key itself.")
        if self.bits is not None and not re.fullmatch(r"w\d+a\d+", self.bits):
            raise SpecError(f"chat: bits={self.bits!r} is not written as w4a16: the bits of weights and of activations.")

    @staticmethod
    def guard(text: str) -> None:
        """Refuse, without repeating it, a spec with what looks like a credential; called before anything else reads it."""
        url, _, rest = text.partition(":")[2].partition("#")
        if "@" in url or "?" in url:
            raise SpecError(
                "chat: the URL holds a user name, password or query; credentials are refused there. "
                f"Type the URL alone and put the key into the environment variable {KEY}, or name another by key=NAME."
            )
        if found := _CREDENTIAL.search(f"{url},{rest}"):
            raise SpecError(f"chat: {found[1]}= is refused; keys come from the environment. Name the variable by key=NAME.")

    def _check_endpoint(self) -> None:
        url, _, model = self.endpoint.partition("#")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not model:
            raise SpecError(f"chat:{self.endpoint!r} is not written as chat:http://HOST:PORT/v1#MODEL.")

    @property
    def url(self) -> str:
        """The base URL."""
        return self.endpoint.partition("#")[0].rstrip("/")

    @property
    def model(self) -> str:
        """The model's name at its server."""
        return self.endpoint.partition("#")[2]

    def load(self, spec: str) -> Endpoint:
        """Return the endpoint; nothing is asked yet. Raises ModelError where the named variable is not set, MissingExtra."""
        if find_spec("openai") is None:
            raise MissingExtra("openai", "chat", "A chat endpoint")
        asking = Asking(self.url, self.model, self.temperature, self.max_tokens)
        kept = Spec.parse(spec)
        identity = str(Spec(kept.name, tuple((key, value) for key, value in kept.items if key not in RUN_TIME)))
        return Endpoint(
            chat=OpenAiChat(asking, self._secret(), self.timeout, self.retries, self.concurrency),
            geometry=Geometry(self.size, self.size, "longer", self.interpolation),
            spec=identity,
            digest=digest("chat", self.version, *asking.identity(), length=64),
            served=self.model,
            of=self.of,
            bits=self.bits,
            concurrency=self.concurrency,
            prices=(self.price_in, self.price_out),
        )

    def _secret(self) -> str | None:
        if self.key is not None and not os.environ.get(self.key):
            raise ModelError(f"chat: the environment variable {self.key!r}, named by key=, is not set. Type: export {self.key}=…")
        if self.key is not None:
            return os.environ[self.key]
        return os.environ.get(KEY) or None if _safe(self.url) else None


def _safe(url: str) -> bool:
    """Whether a key may be sent that was not named for this endpoint: encrypted, or to this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
