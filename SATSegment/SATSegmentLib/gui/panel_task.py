"""Work in a thread, heard in Qt's thread: the panel never waits for it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

import qt

from SATSegmentLib.engine.api import RunListener
from SATSegmentLib.errors import Cancelled
from SATSegmentLib.types import Progress

_POLL_MILLISECONDS = 30


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
        Its `progress` and `on_warning` are called in Qt's thread; its `cancel` is not asked, see `cancel()`.
    """

    def __init__(
        self,
        work: Callable[[RunListener], Any],
        onDone: Callable[[Any, BaseException | None], None],
        listener: RunListener | None = None,
    ) -> None:
        listener = listener or RunListener()
        self._messages: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._handlers = {"progress": listener.progress, "warning": listener.on_warning}
        self._onDone = onDone
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

    def _run(self, work: Callable[..., Any]) -> None:
        try:
            result = work(RunListener(progress=self._tell, cancel=self._cancelled.is_set, on_warning=self._warn))
        except BaseException as error:
            self._messages.put(("done", (None, error)))
        else:
            # A result that came too late for the cancel is not what the user wants any more.
            done = (None, Cancelled()) if self._cancelled.is_set() else (result, None)
            self._messages.put(("done", done))

    def _tell(self, progress: Progress) -> None:
        self._messages.put(("progress", progress))

    def _warn(self, text: str) -> None:
        self._messages.put(("warning", text))

    def _drain(self) -> None:
        """Handle what has come; of many progress messages the last is enough."""
        last = None
        while True:
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
            self._tellHandler(kind, content)
        self._tellHandler("progress", last)

    def _tellHandler(self, kind: str, content: Any) -> None:
        handler = self._handlers[kind]
        if content is not None and handler is not None:
            handler(content)

    def _finish(self) -> None:
        self.running = False
        self._timer.stop()
        self._timer.disconnect("timeout()", self._drain)
