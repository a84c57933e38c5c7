"""Errors as answers: every one as JSON of one form, with the status that fits its type."""

from __future__ import annotations

import errno
import logging

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from SATSegmentLib.engine.api import EngineError
from SATSegmentLib.engine.transport.wire import LimitExceeded, NotKept
from SATSegmentLib.errors import (
    Cancelled,
    DeviceError,
    ModelNotFound,
    OutOfMemory,
    OutputError,
    PromptError,
    SATSegmentError,
    ScanError,
)

# The first that fits counts.
_STATUS: tuple[tuple[type[SATSegmentError], int], ...] = (
    (NotKept, 404),
    (ModelNotFound, 404),
    (LimitExceeded, 413),
    (Cancelled, 409),
    (PromptError, 422),
    (ScanError, 422),
    (DeviceError, 422),
    (OutOfMemory, 507),
    (OutputError, 507),
)
# A disk without room, a user without quota, a file larger than is allowed.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_log = logging.getLogger(__name__)


def handle_errors(app: FastAPI) -> None:
    """Have an application answer every error in this form."""
    app.add_exception_handler(SATSegmentError, _known_error)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(OSError, _no_room)
    app.add_exception_handler(Exception, _unforeseen)


def _failed(error: SATSegmentError, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": error.as_dict()}, status, headers)


async def _known_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SATSegmentError)
    return _failed(error, next((status for kind, status in _STATUS if isinstance(error, kind)), 400))


async def _not_understood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Where and why, and not what was sent.
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return _failed(EngineError(f"The request is not understood: {where}: {first['msg']}.", "See /docs."), 422)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = EngineError(f"{request.method} {request.url.path}: {error.detail}.", "See /docs.")
    headers = dict(error.headers or {})
    if error.status_code == 405:
        # Several routes share an address; the one that was found first knows its own methods only.
        found = [one for one in request.app.routes if one.matches(request.scope)[0] is not Match.NONE]
        headers["Allow"] = ", ".join(sorted({method for one in found for method in getattr(one, "methods", ())}))
    return _failed(known, error.status_code, headers)


async def _gone(request: Request, error: Exception) -> Response:
    return _failed(
        EngineError("The request did not arrive as a whole, or too slowly.", "Send it again."),
        408,
        {"Connection": "close"},
    )


async def _no_room(request: Request, error: Exception) -> Response:
    if not isinstance(error, OSError) or error.errno not in _FULL:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return await _unforeseen(request, error)
    full = OutputError("The server has no room left on its disk for this.", "Tell who runs it, or try again later.")
    return _failed(full, 507)


async def _unforeseen(request: Request, error: Exception) -> Response:
    return _failed(
        EngineError("The server met an error that was not foreseen.", "Tell who runs it; its log says more."), 500
    )
