"""Work in a thread, heard in Qt's thread: the panel never waits for it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import qt

from SATSegmentLib.engine.api import RunListener
from SATSegmentLib.errors import Cancelled
from SATSegmentLib.types import Progress, SegmentResult

_POLL_MILLISECONDS = 30
# The event loop waits no longer than this, and one structure, for what has come.
_LONGEST_SECONDS = 0.05


class PanelTask:
    """One piece of work that touches neither Qt nor MRML nor VTK, because threads other than Qt's must not.

        task = PanelTask(lambda listener: engine.segment(request, listener), onDone)

    Parameters
    ----------
    work : Callable[[RunListener], Any]
        Called in a thread with a `RunListener`.
    onDone : Callable[[Any, BaseException | None], None]
        Called once in Qt's thread with (result, error): one of them is None. An error is any exception of
        `work`; a cancelled task ends with `Cancelled`.
    listener : RunListener | None, optional
        Its `progress`, `on_warning` and `on_result` are called in Qt's thread; its `cancel` is not asked, see
        `cancel()`.
    onAbandon : Callable[[], None] | None, optional
        Called in Qt's thread, and nothing else any more, where the task is abandoned.
    """

    def __init__(
        self,
        work: Callable[[RunListener], Any],
        onDone: Callable[[Any, BaseException | None], None],
        listener: RunListener | None = None,
        onAbandon: Callable[[], None] | None = None,
    ) -> None:
        listener = listener or RunListener()
        self._messages: queue.SimpleQueue[tuple[str, tuple[Any, ...]]] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._handlers: dict[str, Callable[..., None] | None] = {
            "progress": listener.progress,
            "warning": listener.on_warning,
            "result": listener.on_result,
        }
        self._onDone, self._onAbandon = onDone, onAbandon
        self.running = True
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_MILLISECONDS)
        self._timer.connect("timeout()", self._drain)
        self._timer.start()
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Ask it to stop; `onDone` still comes."""
        self._cancelled.set()

    @property
    def cancelAsked(self) -> bool:
        return self._cancelled.is_set()

    def abandon(self) -> None:
        """Stop it and call nobody any more: whoever asked is gone."""
        self._handlers = dict.fromkeys(self._handlers)
        self._onDone = lambda result, error: None
        self.cancel()
        self._finish()
        if self._onAbandon is not None:
            self._onAbandon()

    def _run(self, work: Callable[..., Any]) -> None:
        try:
            result = work(RunListener(self._tell, self._cancelled.is_set, self._warn, on_result=self._found))
        except BaseException as error:
            self._messages.put(("done", (None, error)))
        else:
            # A result that came too late for the cancel is not what the user wants any more.
            done = (None, Cancelled()) if self._cancelled.is_set() else (result, None)
            self._messages.put(("done", done))

    def _tell(self, progress: Progress) -> None:
        self._messages.put(("progress", (progress,)))

    def _warn(self, text: str) -> None:
        self._messages.put(("warning", (text,)))

    def _found(self, index: int, result: SegmentResult) -> None:
        self._messages.put(("result", (index, result)))

    def _drain(self) -> None:
        """Handle what has come: of much progress the last is enough, and many structures take several turns."""
        last: tuple[Any, ...] = ()
        until = time.monotonic() + _LONGEST_SECONDS
        while time.monotonic() < until:
            try:
                kind, content = self._messages.get_nowait()
            except queue.Empty:
                break
            if kind == "progress":
                last = content
                continue
            if kind == "done":
                self._tellHandler("progress", last)
                self._finish()
                self._onDone(*content)
                return
            if kind != "result" or not self.cancelAsked:
                self._tellHandler(kind, content)
        self._tellHandler("progress", last)

    def _tellHandler(self, kind: str, content: tuple[Any, ...]) -> None:
        handler = self._handlers[kind]
        if content and handler is not None:
            handler(*content)

    def _finish(self) -> None:
        self.running = False
        self._timer.stop()
        self._timer.disconnect("timeout()", self._drain)
