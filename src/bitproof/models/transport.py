"""HTTP that an ill-behaved server cannot wear out: a bounded body, and a bounded time for the whole of an answer."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx2

#: A chat answer of a few words is some kilobytes.
MOST_BYTES = 8 << 20


class TooLarge(httpx2.TransportError):
    """An answer's body has more than ``MOST_BYTES``."""


class _Bounded(httpx2.SyncByteStream):
    """A body that raises once it is too large or has taken too long; a server that trickles never makes a read time out."""

    def __init__(self, stream: httpx2.SyncByteStream, until: float) -> None:
        self._stream, self._until = stream, until

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if size > MOST_BYTES:
                raise TooLarge(f"the answer has more than {MOST_BYTES >> 20} MiB")
            if time.monotonic() > self._until:
                raise httpx2.ReadTimeout("the answer took too long")
            yield chunk

    def close(self) -> None:
        self._stream.close()


class BoundedTransport(httpx2.HTTPTransport):
    """HTTP/1.1 with ``_Bounded`` bodies."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self._timeout_s = timeout_s

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request."""
        until = time.monotonic() + self._timeout_s
        response = super().handle_request(request)
        if not isinstance(response.stream, httpx2.SyncByteStream):
            raise httpx2.TransportError("the answer has no body that can be read")
        return httpx2.Response(
            response.status_code, headers=response.headers, stream=_Bounded(response.stream, until), extensions=response.extensions
        )


def http_client(timeout_s: float) -> httpx2.Client:
    """A client that follows no redirects: a key goes to the host that was named, and to no other."""
    return httpx2.Client(transport=BoundedTransport(timeout_s), timeout=timeout_s, follow_redirects=False)
