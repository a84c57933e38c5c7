"""The child process: takes requests from one pipe, lets a `Session` answer, and ends with its parent."""

from __future__ import annotations

import logging
import os
import queue
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from SATSegmentLib.engine import messages, tasks
from SATSegmentLib.engine.api import (
    EngineError,
    FoundStructure,
    RunListener,
    RunOptions,
    SegmentRequest,
    TeachRequest,
)
from SATSegmentLib.engine.export import ExportRequest, export
from SATSegmentLib.engine.messages import Message
from SATSegmentLib.engine.session import Session, foreseen
from SATSegmentLib.engine.transport.ending import say_last_words
from SATSegmentLib.scratch import ended_by_signals

# Each is done with the model that its options name.
_LOADING = ("load", "plan", "segment", "teach")


class Child:
    """Answers requests one after another.

    A thread reads, so that a cancel is heard during a run, and the end of the parent at any time.

    Parameters
    ----------
    requests, answers : binary streams
        The two pipes.
    idle_seconds : float
        After so long without a request the model is let go, and the device's memory with it.
    scratch : str
        The folder of this process's temporary files; removed when the parent goes.
    """

    def __init__(self, requests: BinaryIO, answers: BinaryIO, idle_seconds: float, scratch: str) -> None:
        self._idle_seconds = idle_seconds
        self._scratch = scratch
        self._requests = requests
        self._answers = answers
        self._queue: queue.Queue[Message] = queue.Queue()
        self._cancelled: set[int] = set()
        self._session = Session()
        self._sending = threading.Lock()

    def serve(self) -> None:
        """Answer until the parent closes the pipe; then the process ends, whatever it is doing."""
        self._send("hello", 0, messages.Hello())
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            try:
                # Without a model there is nothing to let go, and no reason to wake up.
                message = self._queue.get(timeout=self._idle_seconds if self._session.has_model else None)
            except queue.Empty:
                self._session.release()
                print(f"The model was unloaded after {self._idle_seconds:.0f} s without a run.", file=sys.stderr)
            else:
                self._answer(message)

    def _listen(self) -> None:
        try:
            while (message := messages.read_frame(self._requests, self._accept)) is not None:
                if message.type == "cancel":
                    self._cancelled.add(message.run)
                else:
                    self._queue.put(message)
        except EngineError:
            # The parent ended in the middle of a request.
            pass
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)
            os._exit(0)

    def _accept(self, message: Message) -> None:
        """Say that a request is coming in: from here on, the end of this process is the end of a run."""
        if message.type != "cancel":
            self._send("accepted", message.run, None)

    def _answer(self, message: Message) -> None:
        run = message.run
        try:
            answer = self._do(message)
        except Exception as error:
            known = foreseen(error)
            if known is not error:
                traceback.print_exc()
            self._send("failed", run, known.as_dict())
        else:
            self._send("done", run, answer)
        finally:
            self._cancelled.discard(run)

    def _do(self, message: Message) -> Any:
        run = message.run
        listener = RunListener(
            progress=lambda one: self._send("progress", run, one),
            cancel=lambda: run in self._cancelled,
            on_warning=lambda text: self._send("warning", run, text),
            on_plan=lambda plan: self._send("plan", run, plan),
            on_result=lambda index, result: self._send("result", run, FoundStructure(index, result)),
        )
        ways: dict[str, Callable[[], Any]] = {
            "segment": lambda: self._session.segment(messages.unpack(message, SegmentRequest), listener),
            "plan": lambda: self._session.plan(messages.unpack(message, SegmentRequest), listener),
            "teach": lambda: self._session.teach(messages.unpack(message, TeachRequest), listener),
            "export": lambda: export(messages.unpack(message, ExportRequest)),
            "load": lambda: None if self._superseded() else self._load_ahead(message, listener),
            "forget": lambda: self._session.forget(str(message.content)),
            "task": lambda: tasks.run(message.content, listener),
        }
        return ways[message.type]()

    def _load_ahead(self, message: Message, listener: RunListener) -> None:
        self._session.load_ahead(messages.unpack(message, RunOptions), listener)

    def _superseded(self) -> bool:
        """Whether what waits already will load its own model: somebody tries one after the other in a list."""
        with self._queue.mutex:
            return any(one.type in _LOADING for one in self._queue.queue)

    def _send(self, kind: str, run: int, value: Any) -> None:
        with self._sending:
            for piece in messages.frame(messages.pack(kind, run, value)):
                self._answers.write(piece)
            self._answers.flush()


def main() -> None:
    """Entry point of the process."""
    # The answers get a pipe of their own: what libraries print must not come between the messages.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # What a run is planned to take goes to the log as well.
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    logging.getLogger("SATSegmentLib").setLevel(logging.INFO)
    say_last_words(sys.argv[3])
    try:
        with ended_by_signals(Path(sys.argv[3])):
            Child(sys.stdin.buffer, answers, float(sys.argv[2]), sys.argv[3]).serve()
    except SystemExit as end:
        # A signal: its files are gone. Python's own way out would trip over the thread that reads.
        os._exit(end.code if isinstance(end.code, int) else 1)
