"""One question to an OpenAI-compatible server, through the ``openai`` library, whose retries are the first line of patience."""

from __future__ import annotations

import base64
import json
import random
import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from bitproof.core import ModelError, Reply

#: So many characters of a reply are kept, and of a server's message repeated.
KEPT, QUOTED = 2000, 300

#: Seconds before the second try on a malformed answer; it doubles with each further one.
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 8.0

_FILTERED = ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation")


@dataclass(frozen=True)
class Asking:
    """What decides an answer beside picture and prompt."""

    url: str
    model: str
    temperature: float
    max_tokens: int

    def identity(self) -> tuple[str, ...]:
        """The same as text."""
        return self.url, self.model, f"temperature {self.temperature}", f"max_tokens {self.max_tokens}"


class _Malformed(Exception):
    """The server answered with something that is no chat completion."""


class OpenAiChat:
    """``bitproof.core.Chat`` behind a URL. ``secret`` is sent to the server and goes nowhere else."""

    def __init__(self, asking: Asking, secret: str | None, timeout_s: float, retries: int, concurrency: int) -> None:
        self.asking, self._secret, self.timeout_s, self.retries = asking, secret, timeout_s, retries
        self.concurrency = concurrency

    def __repr__(self) -> str:
        return f"OpenAiChat({self.asking!r})"

    @cached_property
    def _client(self) -> Any:
        import openai

        from bitproof.models.transport import http_client

        return openai.OpenAI(
            api_key=self._secret or "none",
            base_url=self.asking.url,
            max_retries=self.retries,
            timeout=self.timeout_s,
            http_client=http_client(self.timeout_s),
        )

    def ask(self, picture: bytes | None, prompt: str, repeat: int) -> Reply:
        """Ask once, and again where the server is busy, fails, resets, hangs or answers no JSON.

        The library waits 0.5 s · 2^i with jitter, at most 8 s, or what Retry-After says, up to 2 min. Raises ModelError.
        """
        wait_s = FIRST_WAIT_S
        for left in range(self.retries, -1, -1):
            start = time.monotonic()
            try:
                reply = self._once(picture, prompt, repeat)
            except _Malformed as error:
                problem = str(error)
            else:
                return replace(reply, latency_ms=1e3 * (time.monotonic() - start))
            if left:
                time.sleep(wait_s * random.uniform(0.75, 1.0))
                wait_s = min(LONGEST_WAIT_S, 2 * wait_s)
        raise ModelError(f"{self._who} answers no chat completion, also after {self.retries} retries: {problem}")

    @property
    def _who(self) -> str:
        return f"The model {self.asking.model!r} at {self.asking.url}"

    def _once(self, picture: bytes | None, prompt: str, repeat: int) -> Reply:
        import openai

        try:
            raw = self._client.chat.completions.with_raw_response.create(
                model=self.asking.model,
                messages=[{"role": "user", "content": _content(picture, prompt)}],
                temperature=self.asking.temperature,
                max_tokens=self.asking.max_tokens,
                **({"seed": repeat} if self.asking.temperature > 0 else {}),
            )
        except openai.BadRequestError as error:
            if any(word in str(error.body) for word in _FILTERED):
                return Reply("", filtered=True)
            raise self._told(error) from None
        except openai.OpenAIError as error:
            raise self._told(error) from None
        return self._read(raw.http_response.text)

    def _told(self, error: Exception) -> ModelError:
        """The library's error in the words of a user, without the key."""
        import openai

        if isinstance(error, openai.APITimeoutError):
            return ModelError(f"{self._who} did not answer within {self.timeout_s:g} s, tried {self.retries + 1} times.")
        if isinstance(error, openai.APIConnectionError):
            cause = f" ({self._quoted(str(error.__cause__))})" if error.__cause__ else ""
            return ModelError(f"{self._who} cannot be reached{cause}. Is the server running? Tried {self.retries + 1} times.")
        if isinstance(error, openai.APIStatusError):
            advice = {
                401: " Put the key into OPENAI_API_KEY, or name its variable by key=NAME.",
                403: " The key may not use this model.",
                404: " Check the URL (it mostly ends in /v1) and the model's name.",
                413: " The picture is too large for it: set a smaller size=.",
            }.get(error.status_code, "")
            return ModelError(f"{self._who} answers {error.status_code}: {self._quoted(_message(error))}.{advice}")
        return ModelError(f"{self._who}: {type(error).__name__}: {self._quoted(str(error))}")

    def _quoted(self, text: str) -> str:
        return " ".join(self._without_key(text)[:QUOTED].split())

    def _without_key(self, text: str) -> str:
        return text.replace(self._secret, "[key]") if self._secret else text

    def _read(self, body: str) -> Reply:
        try:
            answer = json.loads(body)
            choice = answer["choices"][0]
            message = choice["message"]
            content = message.get("content")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise _Malformed(f"{type(error).__name__} in {self._quoted(body)[:80]!r}") from None
        text = content if isinstance(content, str) else _parts(content)
        usage = answer.get("usage")
        server = " ".join(str(answer[key]) for key in ("model", "system_fingerprint") if answer.get(key))
        return Reply(
            text=self._without_key(text)[:KEPT],
            tokens_in=_count(usage, "prompt_tokens"),
            tokens_out=_count(usage, "completion_tokens"),
            filtered=choice.get("finish_reason") == "content_filter" or (not text and bool(message.get("refusal"))),
            server=self._without_key(server)[:200],
        )


def _message(error: Any) -> str:
    """What the server said in its error."""
    said = error.body.get("message") if isinstance(error.body, dict) else None
    return said if isinstance(said, str) else str(error.message)


def _content(picture: bytes | None, prompt: str) -> list[dict[str, Any]]:
    text = {"type": "text", "text": prompt}
    if picture is None:
        return [text]
    url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    return [{"type": "image_url", "image_url": {"url": url}}, text]


def _parts(content: Any) -> str:
    """The text of a content that comes in parts; nothing of what is no text."""
    parts = content if isinstance(content, list) else []
    return "".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def _count(usage: Any, key: str) -> int | None:
    value = usage.get(key) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40 else None
