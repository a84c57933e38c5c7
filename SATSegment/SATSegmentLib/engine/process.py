"""An engine in a child process: it alone loads torch, and whatever happens to it costs an error message and no more."""

from __future__ import annotations

import contextlib
import itertools
import queue
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Mapping
from typing import Any

from SATSegmentLib.engine import messages
from SATSegmentLib.engine.api import (
    EngineError,
    FoundStructure,
    RunListener,
    RunOptions,
    SegmentAnswer,
    SegmentRequest,
    TeachAnswer,
    TeachRequest,
    busy,
)
from SATSegmentLib.engine.export import ExportAnswer, ExportRequest
from SATSegmentLib.engine.messages import Message
from SATSegmentLib.engine.transport.pipe import ChildProcess
from SATSegmentLib.errors import Cancelled, SATSegmentError, SATSegmentWarning, from_dict
from SATSegmentLib.inference.run_plan import RunPlan
from SATSegmentLib.types import Progress

# A child that was told to stop and is still in a window of the network is ended after this.
CANCEL_GRACE_SECONDS = 1.5
# Loading a model again takes seconds; a GPU that others wait for is blocked for no longer than this.
IDLE_SECONDS = 600.0
# A run that was cancelled or dropped may still be stopping when the next one comes.
_BUSY_SECONDS = CANCEL_GRACE_SECONDS + 1.0
# A child that is gone has said its last words after this, even where a process of its own keeps the pipe open.
_LAST_WORDS_SECONDS = 2.0
_POLL_SECONDS = 0.05
_LOG_LINES = 200
# Of these, how many go with an error that nobody foresaw.
_NOTE_LINES = 30


class WorkerEngine:
    """One child process that keeps a model warm between runs.

        engine = WorkerEngine()
        request = SegmentRequest.of(image, [Prompt("left hippocampus", "mri")], RunOptions(model="demo"))
        answer = engine.segment(request)

    The child is started at the first request, and again at the next one after it crashed or was killed. A cancel ends
    a run within two seconds, if need be with the end of the child.

    Parameters
    ----------
    python : str
        The interpreter to run it with; in Slicer, PythonSlicer.
    environment : Mapping or None
        Its environment; this process's own by default.
    idle_seconds : float
        After so long without a run the child lets the model go, and the device's memory with it.
    cancel_seconds : float
        A child that was told to stop a run and has not after this is ended.
    """

    def __init__(
        self,
        python: str = sys.executable,
        environment: Mapping[str, str] | None = None,
        idle_seconds: float = IDLE_SECONDS,
        cancel_seconds: float = CANCEL_GRACE_SECONDS,
    ) -> None:
        self._python = python
        self._environment = None if environment is None else dict(environment)
        self._idle_seconds, self._cancel_seconds = idle_seconds, cancel_seconds
        self._child: ChildProcess | None = None
        # Kept when a child is gone: the last words of one that crashed are what a report needs.
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._busy = threading.Lock()
        self._runs = itertools.count(1)
        self._loads: set[int] = set()

    @property
    def pid(self) -> int | None:
        """Process id of the child, or None where none is running."""
        return self._child.process.pid if self._child is not None and self._child.alive else None

    @property
    def log(self) -> list[str]:
        """The last lines that the child printed."""
        return list(self._log)

    def segment(self, request: SegmentRequest, listener: RunListener | None = None) -> SegmentAnswer:
        """Segment; see `engine.api.Engine`. The next call after an error gets a fresh child where it needs one."""
        return messages.unpack(self._run("segment", request, listener), SegmentAnswer)

    def plan(self, request: SegmentRequest, listener: RunListener | None = None) -> RunPlan:
        """What `segment` would take; see `engine.api.Engine`."""
        return messages.unpack(self._run("plan", request, listener), RunPlan)

    def teach(self, request: TeachRequest, listener: RunListener | None = None) -> TeachAnswer:
        """Learn a word; see `engine.api.Engine`."""
        return messages.unpack(self._run("teach", request, listener), TeachAnswer)

    def export(self, request: ExportRequest, listener: RunListener | None = None) -> ExportAnswer:
        """Write results as a DICOM file of this computer; see `engine.export.export`."""
        return messages.unpack(self._run("export", request, listener), ExportAnswer)

    def load_ahead(self, options: RunOptions) -> None:
        """Let the child start and load a model before it is asked for anything; returns at once.

        A run that comes meanwhile waits its turn and hears what it waits for. Nothing is done during a run. What goes
        wrong is said by the run that meets it, and not here.
        """
        if not self._busy.acquire(blocking=False):
            return
        try:
            self._catch_up()
            request = messages.pack("load", next(self._runs), options)
            self._loads.add(request.run)
            self._reach(request)
        finally:
            self._busy.release()

    def forget(self, digest: str) -> None:
        """Let the child forget one scan (`grid.digest.digest_of`); does nothing where there is no child."""
        if self.pid is not None:
            self._run("forget", digest, None)

    def call(self, task: str, fields: Mapping[str, Any], listener: RunListener | None = None) -> Any:
        """Let the child do something else (`engine.tasks`); returns what it answered.

        Parameters
        ----------
        task : str
            Its name.
        fields : Mapping
            Its arguments, as JSON takes them.

        Raises
        ------
        SATSegmentError
            As the task, and as `segment`.
        """
        return self._run("task", {"task": task, "fields": fields}, listener).content

    def close(self) -> None:
        """End the child, if there is one. A later run starts another."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _run(self, kind: str, value: Any, listener: RunListener | None) -> Message:
        if not self._busy.acquire(timeout=_BUSY_SECONDS):
            raise busy()
        try:
            return self._ask(messages.pack(kind, next(self._runs), value), listener or RunListener())
        finally:
            self._busy.release()

    def _catch_up(self) -> None:
        """Pass over what the child has said of models that are loaded by now: no run waits for them."""
        said: list[Message | EngineError | None] = []
        with contextlib.suppress(queue.Empty):
            while self._child is not None:
                said.append(self._child.messages.get_nowait())
        self._loads -= {one.run for one in said if isinstance(one, Message) and one.type in ("done", "failed")}
        for one in said:
            if self._child is not None and (not isinstance(one, Message) or one.run in self._loads):
                self._child.messages.put(one)

    def _ask(self, request: Message, listener: RunListener) -> Message:
        self._catch_up()
        try:
            try:
                message = self._follow(self._reach(request), request.run, listener)
            except _Unheard:
                # The child had gone since the last run, and the pipe did not know yet.
                self.close()
                message = self._follow(self._reach(request), request.run, listener)
        except BaseException:
            # Cancelled too late for an answer, a callback that failed, Ctrl+C: the run must not go on unseen.
            self.close()
            raise
        if message.type == "failed":
            raise self._with_log(from_dict(message.content, EngineError))
        return message

    def _with_log(self, error: SATSegmentError) -> SATSegmentError:
        """The error; where nobody foresaw it, with what the child printed last, for a report."""
        if isinstance(error, EngineError) and self._log:
            error.add_note("\n".join(self.log[-_NOTE_LINES:]))
        return error

    def _reach(self, request: Message) -> ChildProcess:
        """The child, started where there is none, with the request on its way."""
        if self._child is None or not self._child.alive:
            self.close()
            self._child = ChildProcess(self._python, self._environment, self._idle_seconds, self._log)
        self._child.send(request)
        return self._child

    def _follow(self, child: ChildProcess, run: int, listener: RunListener) -> Message:
        """Pass on what the child says until it is done or has failed."""
        give_up_at = gone_since = None
        heard = False
        while True:
            if give_up_at is None and listener.cancel is not None and listener.cancel():
                child.send(Message("cancel", run))
                give_up_at = time.monotonic() + self._cancel_seconds
            if give_up_at is not None and time.monotonic() > give_up_at:
                raise Cancelled
            try:
                message = child.messages.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if child.alive:
                    continue
                gone_since = gone_since or time.monotonic()
                if time.monotonic() - gone_since < _LAST_WORDS_SECONDS:
                    continue
                message = None
            if isinstance(message, EngineError):
                raise message
            if message is None:
                if give_up_at is not None:
                    raise Cancelled
                raise self._with_log(child.ended()) if heard or child.is_new else _Unheard
            child.is_new = False
            if message.run in self._loads and message.type == "progress" and give_up_at is None:
                pass_on(message, listener)  # what this run is waiting for
            if message.run != run:
                continue
            heard = True
            if message.type in ("done", "failed"):
                return message
            if give_up_at is None:
                pass_on(message, listener)


def pass_on(message: Message, listener: RunListener) -> None:
    """Tell a listener what a message on the way says."""
    if message.type == "progress" and listener.progress is not None:
        listener.progress(messages.unpack(message, Progress))
    elif message.type == "plan" and listener.on_plan is not None:
        listener.on_plan(messages.unpack(message, RunPlan))
    elif message.type == "result" and listener.on_result is not None:
        found = messages.unpack(message, FoundStructure)
        listener.on_result(found.index, found.result)
    elif message.type == "warning":
        (listener.on_warning or _warn)(str(message.content))


def _warn(text: str) -> None:
    warnings.warn(text, SATSegmentWarning, stacklevel=8)


class _Unheard(Exception):
    """The child ended before it said a word about the run."""
