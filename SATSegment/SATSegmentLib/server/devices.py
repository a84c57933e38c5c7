"""One device: a child process that runs, and a queue in which users take turns."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from typing import Protocol

from SATSegmentLib.engine import messages
from SATSegmentLib.engine.api import RunListener, SegmentAnswer, SegmentRequest, TeachAnswer, TeachRequest
from SATSegmentLib.engine.session import foreseen
from SATSegmentLib.errors import Cancelled
from SATSegmentLib.inference.run_plan import RunPlan
from SATSegmentLib.server.runs import Run

_log = logging.getLogger(__name__)


class DeviceEngine(Protocol):
    """What a device runs with: `engine.process.WorkerEngine`."""

    def segment(self, request: SegmentRequest, listener: RunListener | None = None) -> SegmentAnswer: ...
    def plan(self, request: SegmentRequest, listener: RunListener | None = None) -> RunPlan: ...
    def teach(self, request: TeachRequest, listener: RunListener | None = None) -> TeachAnswer: ...
    def forget(self, digest: str) -> None: ...
    def close(self) -> None: ...


class DeviceQueue:
    """Runs one after another on a device; no user waits behind more than one run of each other user.

    Parameters
    ----------
    name : str
        "auto", "cpu", "cuda:1", ...
    engine : DeviceEngine
        Runs there.
    """

    def __init__(self, name: str, engine: DeviceEngine) -> None:
        self.name = name
        self._engine = engine
        self._turns: OrderedDict[str, deque[Run]] = OrderedDict()
        self._forgotten: deque[str] = deque()
        self._changed = threading.Condition()
        self._current: Run | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"device {name}", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """How many runs are waiting or going on."""
        with self._changed:
            return sum(map(len, self._turns.values())) + (self._current is not None)

    def put(self, run: Run) -> None:
        """Let a run wait for its turn."""
        with self._changed:
            self._turns.setdefault(run.user, deque()).append(run)
            self._say_positions()
            self._changed.notify()

    def forget(self, digest: str) -> None:
        """Let the features of a scan go, between two runs."""
        with self._changed:
            self._forgotten.append(digest)
            self._changed.notify()

    def close(self) -> None:
        """End the child, and what it does."""
        with self._changed:
            self._closed = True
            current = self._current
            self._changed.notify()
        if current is not None:
            current.cancel()
        self._engine.close()
        self._thread.join(timeout=5.0)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (self._closed or self._forgotten or any(self._turns.values())):
                    self._changed.wait()
                if self._closed:
                    return
                digests, self._forgotten = list(self._forgotten), deque()
                self._current = run = self._next()
                self._say_positions()
            for digest in digests:
                self._forget(digest)
            if run is not None:
                self._run(run)
                with self._changed:
                    self._current = None

    def _next(self) -> Run | None:
        """The first run of the user whose turn it is; that user then goes to the end."""
        for user in list(self._turns):
            runs = self._turns.pop(user)
            while runs:
                run = runs.popleft()
                if runs:
                    self._turns[user] = runs
                if not run.ended:
                    return run
        return None

    def _say_positions(self) -> None:
        """Tell those that wait how many runs go before theirs."""
        before = int(self._current is not None and not self._current.ended)
        rounds = [[run for run in runs if not run.ended] for runs in self._turns.values()]
        for place in range(max(map(len, rounds), default=0)):
            for runs in rounds:
                if place < len(runs):
                    if before:
                        runs[place].wait_behind(before)
                    before += 1

    def _run(self, run: Run) -> None:
        request = run.request
        if request is None or not run.start():
            return
        try:
            answer = getattr(self._engine, run.kind)(request, run.listener())
        except Exception as error:
            known = foreseen(error)
            if known is not error:
                _log.exception("run %s failed", run.name)
            for note in getattr(error, "__notes__", ()):
                _log.error("%s", note)
            run.fail(known)
        else:
            if run.cancelled:
                # It came too late for the cancel; nobody wants it any more.
                run.fail(Cancelled())
            else:
                run.succeed(messages.pack("done", 0, answer))

    def _forget(self, digest: str) -> None:
        try:
            self._engine.forget(digest)
        except Exception:
            _log.exception("features could not be let go on %s", self.name)
