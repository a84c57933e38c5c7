"""What every request passes before anything looks at it: host, token, version, size, and time to arrive."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from SATSegmentLib.engine import messages
from SATSegmentLib.engine.messages import Hello, VersionMismatch
from SATSegmentLib.engine.transport.wire import (
    MOST_PIECES,
    PROTOCOL_HEADER,
    AccessDenied,
    LimitExceeded,
    is_loopback,
)
from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.grid.digest import CHUNK_BYTES
from SATSegmentLib.server.limits import ServerLimits
from SATSegmentLib.server.metrics import Metrics
from SATSegmentLib.server.tokens import Tokens

# Nothing of a user is in these.
_OPEN = ("/health", "/openapi.json", "/docs")
# Asked without a version: it is what says which versions there are.
_ANY_VERSION = (*_OPEN, "/metrics", "/v1/hello")
_CHUNK_SLACK = 1 << 16

Scope = dict[str, Any]


class Gate:
    """ASGI middleware.

    Parameters
    ----------
    app : object
        What is behind.
    tokens : Tokens
        Whose requests pass.
    limits : ServerLimits
        Of size and time.
    metrics : Metrics
        Counts what is refused.
    """

    def __init__(self, app: Any, tokens: Tokens, limits: ServerLimits, metrics: Metrics) -> None:
        self._app, self._tokens, self._limits, self._metrics = app, tokens, limits, metrics

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["path"]
        refused = self._refusal(path, headers)
        if refused is not None:
            await _refuse(send, *refused)
            return
        scope.setdefault("state", {})["user"] = self._tokens.user(headers.get("authorization", ""))
        body = _Body(receive, self._most(path), self._limits.stall_seconds, self._limits.chunk_seconds)
        await self._app(scope, body.receive, send)

    def _refusal(self, path: str, headers: dict[str, str]) -> tuple[int, SATSegmentError] | None:
        if path not in _OPEN:
            if not self._tokens and not _is_loopback_name(headers.get("host", "")):
                # A page in a browser can name this computer by a name of its own.
                self._metrics.refused.labels("host").inc()
                return 421, AccessDenied("Without a token this server answers to this computer only.", "Use localhost.")
            if self._tokens.user(headers.get("authorization", "")) is None:
                self._metrics.refused.labels("token").inc()
                return 401, AccessDenied(
                    "The server does not know your token.", "Check the token, or ask who runs the server for one."
                )
        if path.startswith("/v1/") and path not in _ANY_VERSION:
            mismatch = _version_error(headers.get(PROTOCOL_HEADER.lower(), ""))
            if mismatch is not None:
                self._metrics.refused.labels("version").inc()
                return 426, mismatch
        most = self._most(path)
        if headers.get("content-length", "").isdecimal() and int(headers["content-length"]) > most:
            self._metrics.refused.labels("size").inc()
            return 413, LimitExceeded(f"The request is larger than {most} bytes.", "Ask for less at once.")
        return None

    def _most(self, path: str) -> int:
        return MOST_PIECES * CHUNK_BYTES + _CHUNK_SLACK if "/chunks/" in path else self._limits.request_bytes


class _Body:
    """A request's body as it comes in: not too much, and not too slowly.

    Where it is either, what reads it gets told that the client has gone, which is how every framework ends a request.
    """

    def __init__(self, receive: Any, most: int, stall_seconds: float, whole_seconds: float) -> None:
        self._receive, self._most, self._stall_seconds = receive, most, stall_seconds
        self._whole_seconds = whole_seconds
        self._until: float | None = None
        self._count = 0
        self._done = False

    async def receive(self) -> dict[str, Any]:
        """The next piece."""
        if self._done:
            # From here on the only news is that the client has gone.
            return await self._receive()
        now = asyncio.get_running_loop().time()
        self._until = self._until or now + self._whole_seconds
        try:
            # Not `wait_for`: before Python 3.12 it makes a task of each piece.
            async with asyncio.timeout_at(min(now + self._stall_seconds, self._until)):
                message = await self._receive()
        except TimeoutError:
            return self._gone()
        self._count += len(message.get("body", b""))
        if self._count > self._most:
            return self._gone()
        self._done = not message.get("more_body", False)
        return message

    def _gone(self) -> dict[str, Any]:
        self._done = True
        return {"type": "http.disconnect"}


def _is_loopback_name(host: str) -> bool:
    """Of a Host header, with or without a port."""
    if host.startswith("["):
        return is_loopback(host[1:].partition("]")[0])
    return is_loopback(host.partition(":")[0].lower())


def _version_error(spoken: str) -> VersionMismatch | None:
    """Why a client of this version is not understood; None where it is."""
    if spoken == str(messages.PROTOCOL):
        return None
    if not spoken.isdecimal():
        return VersionMismatch(
            "The request does not say which version of the protocol it speaks.",
            f"Send the header {PROTOCOL_HEADER}: {messages.PROTOCOL}.",
        )
    try:
        messages.check_hello(Hello(int(spoken), "of the client"), "The client")
    except VersionMismatch as error:
        return error
    return None


async def _refuse(send: Any, status: int, error: SATSegmentError) -> None:
    body = json.dumps({"error": error.as_dict()}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    # What is still coming in is not read: the connection ends with this answer.
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
