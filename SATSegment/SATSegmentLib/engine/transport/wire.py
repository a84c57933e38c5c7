"""What client and server agree on over HTTP: header names, sizes, and the errors that only a server has."""

from __future__ import annotations

import ipaddress
from typing import ClassVar

from SATSegmentLib.engine.api import EngineError, EngineReason

PROTOCOL_HEADER = "SATSegment-Protocol"
# Which scan a request is about, for a cluster's front: its later prompts reach the process that has its features.
ROUTE_HEADER = "SATSegment-Route"
TOKEN_VARIABLE = "SATSEGMENT_TOKEN"
TOKEN_FILE_VARIABLE = "SATSEGMENT_TOKEN_FILE"
# So many pieces of a scan may come in one request: 64 MiB, as large as any other.
MOST_PIECES = 8
# A stream of events says something at least so often, so that a dead connection is noticed.
ALIVE_SECONDS = 5.0
EVENTS_TYPE = "application/x-ndjson"
RESULT_TYPE = "application/x-satsegment"


class ServerError(EngineError):
    """What only a server, or the way to it, can fail in."""

    REASON: ClassVar[EngineReason] = EngineReason.UNEXPECTED

    def __init__(self, message: str, remedy: str = "", reason: str = "", subject: str = "") -> None:
        super().__init__(message, remedy, reason or self.REASON, subject)


class AccessDenied(ServerError):
    """The server does not know the token."""

    REASON = EngineReason.DENIED


class ConnectionLost(ServerError):
    """The server cannot be reached, or the connection broke and could not be made again."""

    REASON = EngineReason.LOST


class NotKept(ServerError):
    """The server does not have, or no longer has, a scan or a run."""

    REASON = EngineReason.NOT_KEPT


class LimitExceeded(ServerError):
    """The server does not take so much: a scan too large, too many scans or runs."""

    REASON = EngineReason.LIMIT


def is_loopback(host: str) -> bool:
    """Whether an address reaches this computer only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
