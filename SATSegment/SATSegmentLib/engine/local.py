"""An engine in this process, for the terminal and for Python."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from SATSegmentLib.engine.api import (
    RunListener,
    SegmentAnswer,
    SegmentRequest,
    TeachAnswer,
    TeachRequest,
    busy,
)
from SATSegmentLib.engine.session import Session
from SATSegmentLib.inference.run_plan import RunPlan

Q = TypeVar("Q")
A = TypeVar("A")


class LocalEngine:
    """A `Session` behind the interface of `engine.api.Engine`: one run at a time, whoever asks."""

    def __init__(self) -> None:
        self._session = Session()
        self._busy = threading.Lock()

    def segment(self, request: SegmentRequest, listener: RunListener | None = None) -> SegmentAnswer:
        """Segment; see `engine.api.Engine`."""
        return self._alone(self._session.segment, request, listener)

    def plan(self, request: SegmentRequest, listener: RunListener | None = None) -> RunPlan:
        """What `segment` would take; see `engine.api.Engine`."""
        return self._alone(self._session.plan, request, listener)

    def teach(self, request: TeachRequest, listener: RunListener | None = None) -> TeachAnswer:
        """Learn a word; see `engine.api.Engine`."""
        return self._alone(self._session.teach, request, listener)

    def prepare(self, request: SegmentRequest) -> None:
        """Bring a scan to the network's grid while another run goes on; any thread may call it.

        Raises
        ------
        SATSegmentError
            The scan cannot be used.
        """
        self._session.prepare(request)

    def forget(self, digest: str) -> None:
        """Let all that is kept of one scan go (`grid.digest.digest_of`), between runs; the model stays."""
        self._session.forget(digest)

    def close(self) -> None:
        """Let the model go."""
        self._session.release()

    def _alone(self, answer: Callable[[Q, RunListener], A], request: Q, listener: RunListener | None) -> A:
        if not self._busy.acquire(blocking=False):
            raise busy()
        try:
            return answer(request, listener or RunListener())
        finally:
            self._busy.release()
