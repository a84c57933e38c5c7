"""One run of a user: what it has said so far, who listens, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

from SATSegmentLib.engine import messages
from SATSegmentLib.engine.api import FoundStructure, RunListener
from SATSegmentLib.engine.messages import Message
from SATSegmentLib.engine.transport.wire import ALIVE_SECONDS
from SATSegmentLib.errors import Cancelled, SATSegmentError
from SATSegmentLib.inference.run_plan import RunPlan
from SATSegmentLib.server.scans import StoredScan
from SATSegmentLib.types import Progress, SegmentResult

Kind = Literal["segment", "plan", "teach"]
State = Literal["waiting", "running", "done", "failed"]
_FINAL = ("done", "failed")


class Run:
    """A run, written by the thread of its device and read by the event loop.

    Parameters
    ----------
    kind : {"segment", "plan", "teach"}
        What is asked for.
    scans : list of StoredScan
        In which scans; the first decides on which device it runs.
    request : object
        A `SegmentRequest` or `TeachRequest`.
    key : str
        What the client calls it: asked for twice with one key, it is run once.
    on_end : callable
        Called once it has ended, in the event loop.

    Attributes
    ----------
    name : str
        What the server calls it.
    found : dict of int to FoundStructure
        The structures that are finished, by their place in the request.
    answer : Message or None
        What came of it.
    error : SATSegmentError or None
        Why nothing came of it.
    """

    def __init__(
        self, kind: Kind, scans: list[StoredScan], request: Any, key: str, on_end: Callable[[Run], None]
    ) -> None:
        self.kind, self.scans, self.key = kind, scans, key
        self.request: Any = request
        self.user = scans[0].user
        self.name = secrets.token_hex(8)
        self.state: State = "waiting"
        self.found: dict[int, FoundStructure] = {}
        self.answer: Message | None = None
        self.error: SATSegmentError | None = None
        self.feature_bytes = 0
        self.listeners = 0
        self.heard_at = time.monotonic()
        self.started_at = self.ended_at = 0.0
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._number = 0
        # Of progress only the last is kept: who comes back after a lost connection needs no more.
        self._progress: dict[str, Any] | None = None
        self._events: list[dict[str, Any]] = []
        self._waiting: set[asyncio.Event] = set()
        self._cancelled: SATSegmentError | None = None

    @property
    def ended(self) -> bool:
        """Whether there is an answer or an error."""
        return self.state in _FINAL

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return (self.ended_at or time.monotonic()) - self.started_at if self.started_at else 0.0

    @property
    def cancelled(self) -> bool:
        """Whether it is to stop."""
        return self._cancelled is not None

    def cancel(self, reason: SATSegmentError | None = None) -> None:
        """Have it stop, with an error that says why; does nothing where it has ended."""
        with self._lock:
            self._cancelled = self._cancelled or reason or Cancelled()
        if self.state == "waiting":
            self.fail(self._cancelled)

    def listener(self) -> RunListener:
        """What the engine tells, and asks."""
        return RunListener(
            progress=lambda one: self.tell("progress", one),
            cancel=lambda: self.cancelled,
            on_warning=lambda text: self.tell("warning", text),
            on_plan=self._tell_plan,
            on_result=self._tell_result,
        )

    def _tell_plan(self, plan: RunPlan) -> None:
        self.feature_bytes = plan.feature_bytes if plan.keeps_features else 0
        self.tell("plan", plan)

    def _tell_result(self, index: int, result: SegmentResult) -> None:
        self.found[index] = FoundStructure(index, result)
        self.tell("result", {"index": index})  # its mask is fetched by who wants it

    def wait_behind(self, count: int) -> None:
        """Say how many runs go before this one."""
        runs = "1 run goes" if count == 1 else f"{count} runs go"
        self.tell("progress", Progress(0.0, f"waiting for the server: {runs} before this one"))

    def tell(self, type_: str, content: Any) -> None:
        """Add an event; any thread."""
        if type_ != "failed":
            content = messages.pack(type_, 0, content).content
        with self._lock:
            if self.ended:
                return
            self._number += 1
            event = {"number": self._number, "type": type_, "content": content}
            if type_ == "progress":
                self._progress = event
            else:
                self._events.append(event)
            if type_ in _FINAL:
                self.state = type_  # type: ignore[assignment]
                self.ended_at = time.monotonic()
                self.request = None  # the scan's voxels, and words
        with contextlib.suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._wake)
            if type_ in _FINAL:
                self._loop.call_soon_threadsafe(self._on_end, self)

    def start(self) -> bool:
        """Mark it as running; False where it was cancelled before."""
        with self._lock:
            if self.ended:
                return False
            self.state, self.started_at = "running", time.monotonic()
            return True

    def succeed(self, answer: Message) -> None:
        """End it with an answer."""
        self.answer = answer
        self.tell("done", None)

    def fail(self, error: SATSegmentError) -> None:
        """End it with an error; where it was cancelled, with the reason of that."""
        if isinstance(error, Cancelled) and self._cancelled is not None:
            error = self._cancelled
        self.error = error
        self.tell("failed", error.as_dict())

    async def events(self, after: int, alive_seconds: float = ALIVE_SECONDS) -> AsyncIterator[dict[str, Any]]:
        """What it has said since the event of this number, and says until it ends; "alive" where it says nothing."""
        self.listeners += 1
        wake = asyncio.Event()
        self._waiting.add(wake)
        try:
            while True:
                wake.clear()
                self.heard_at = time.monotonic()
                for event in self._since(after):
                    after = event["number"]
                    yield event
                    if event["type"] in _FINAL:
                        return
                try:
                    await asyncio.wait_for(wake.wait(), alive_seconds)
                except TimeoutError:
                    yield {"number": after, "type": "alive", "content": None}
        finally:
            self._waiting.discard(wake)
            self.listeners -= 1
            self.heard_at = time.monotonic()

    def _since(self, number: int) -> list[dict[str, Any]]:
        with self._lock:
            events = [*self._events, self._progress] if self._progress is not None else list(self._events)
        new = [event for event in events if event["number"] > number]
        return sorted(new, key=lambda event: event["number"])

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()


class RunStore:
    """The runs of all users."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    def add(self, run: Run) -> None:
        """Keep a run."""
        self._runs[run.name] = run

    def find(self, user: str, name: str) -> Run | None:
        """The user's run of this name."""
        run = self._runs.get(name)
        return run if run is not None and run.user == user else None

    def of_key(self, user: str, key: str) -> Run | None:
        """The user's run that a client called this."""
        return next((run for run in self._runs.values() if run.user == user and run.key == key), None)

    def open_runs(self, user: str) -> int:
        """How many runs of a user are waiting or going on."""
        return sum(run.user == user and not run.ended for run in self._runs.values())

    def forget(self, run: Run) -> None:
        """Keep a run no longer."""
        self._runs.pop(run.name, None)

    def select(self, condition: Callable[[Run], bool]) -> list[Run]:
        """The runs for which a condition holds."""
        return [run for run in self._runs.values() if condition(run)]
