"""A child process on two pipes: it is started, spoken to without ever waiting for it, and ended with its children."""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from SATSegmentLib.engine import messages
from SATSegmentLib.engine.api import EngineError, EngineReason
from SATSegmentLib.engine.messages import Hello, Message
from SATSegmentLib.engine.transport.ending import Ending, is_launcher_line, memory_left, oom_kills
from SATSegmentLib.errors import OutputError, SATSegmentError
from SATSegmentLib.scratch import PREFIX, PrivateFolder

SCRATCH_PREFIX = f"{PREFIX}worker-"
# What SIGKILL does not end by then hangs in a driver or on a network disk; nobody waits for it.
_END_SECONDS = 10.0
_OWN_LINES = 400
_LIBRARY = str(Path(__file__).resolve().parents[3])
# The path is handed over as an argument: Slicer's launcher sets PYTHONPATH itself.
_START = "import sys; sys.path.insert(0, sys.argv[1]); from SATSegmentLib.engine.child import main; main()"


class ChildProcess:
    """A running engine process, and the threads that listen to it.

    Parameters
    ----------
    python : str
        The interpreter.
    environment : dict or None
        Its environment; this process's own by default.
    idle_seconds : float
        After so long without a request the child lets its model go.
    log : deque of str
        Gets the lines that the child prints.

    Attributes
    ----------
    messages : queue.Queue
        What the child says; None at its end, an `EngineError` where it speaks another version.
    """

    def __init__(self, python: str, environment: dict[str, str] | None, idle_seconds: float, log: deque[str]) -> None:
        with _disk_errors():
            # Whatever the child writes, spilled features above all, is in here, and goes with it however it ends.
            scratch = PrivateFolder("worker")
        own = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch.path))
        try:
            self.process = subprocess.Popen(
                [python, "-u", "-c", _START, _LIBRARY, str(idle_seconds), str(scratch.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**(os.environ if environment is None else environment), **own},
                **_own_group(),
            )
        except OSError as error:
            scratch.remove()
            raise EngineError(
                f"{python} cannot be started: {error.strerror}.",
                "Check the installation.",
                EngineReason.NOT_STARTED,
                str(error.strerror),
            ) from error
        self.is_new = True  # it has not been asked anything yet, or has not answered
        self.messages: queue.Queue[Message | EngineError | None] = queue.Queue()
        # Of this child alone: `log` goes on over its successors.
        self._own_lines: deque[str] = deque(maxlen=_OWN_LINES)
        self._scratch, self._oom_kills = str(scratch.path), oom_kills()
        self._outgoing: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        # The threads know the pipes only, not this object: it must be able to go, and the child with it.
        _thread(_speak, self.process.stdin, self._outgoing)
        _thread(_listen, self.process.stdout, self.messages, log)
        self._log_reader = _thread(_listen_to_log, self.process.stderr, log, self._own_lines)
        # Also at the end of this interpreter; and were it killed itself, the child sees its pipe close.
        self._finalizer = weakref.finalize(self, _end, self.process, self._outgoing, scratch)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def send(self, message: Message) -> None:
        """Never waits: a child that reads no more must not hold its parent. That it is gone is seen by listening."""
        self._outgoing.put(message)

    def kill(self) -> None:
        """End it, with its children and temporary files."""
        self._finalizer()

    def ended(self) -> SATSegmentError:
        """Why the child is gone, as far as that can be told."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        # What it printed last may still be on its way.
        self._log_reader.join(timeout=1.0)
        lines = tuple(self._own_lines)
        return Ending(
            code=self.process.returncode,
            lines=tuple(line for line in lines if not is_launcher_line(line)),
            by_launcher=any(is_launcher_line(line) for line in lines),
            oom_kills=oom_kills() - self._oom_kills,
            memory_left=memory_left(self._scratch),
        ).error()


def _thread(target: Any, *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, daemon=True)
    thread.start()
    return thread


def _speak(pipe: IO[bytes], outgoing: queue.SimpleQueue[Message | None]) -> None:
    """Write what is to be said, until None; a child that is gone is told nothing more."""
    with contextlib.suppress(OSError, ValueError), pipe:
        while (message := outgoing.get()) is not None:
            for piece in messages.frame(message):
                pipe.write(piece)
            pipe.flush()
            message = None  # a scan is not held until the next request


def _listen(pipe: IO[bytes], heard: queue.Queue[Message | EngineError | None], log: deque[str]) -> None:
    try:
        if _greeted(pipe, heard, log):
            while (message := messages.read_frame(cast(BinaryIO, pipe))) is not None:
                heard.put(message)
    except EngineError as error:
        log.append(str(error))
    finally:
        heard.put(None)


def _greeted(pipe: IO[bytes], heard: queue.Queue[Message | EngineError | None], log: deque[str]) -> bool:
    """Wait for the child's first message; whether it speaks our version."""
    for line in pipe:
        try:
            hello, _ = messages.read_head(line)
        except EngineError:
            # Printed by the interpreter's own start-up, before the child had taken its output over.
            log.append(_text(line))
            continue
        try:
            messages.check_hello(messages.unpack(hello, Hello), "The segmentation process")
        except EngineError as error:
            heard.put(error)
            return False
        return True
    return False


def _listen_to_log(pipe: IO[bytes], log: deque[str], own: deque[str]) -> None:
    for line in pipe:
        own.append(text := _text(line))
        if not is_launcher_line(text):
            log.append(text)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip()


def _own_group() -> dict[str, Any]:
    """So that the whole tree can be ended, and Ctrl+C in a terminal reaches this process only."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _end(process: subprocess.Popen[bytes], outgoing: queue.SimpleQueue[Message | None], scratch: PrivateFolder) -> None:
    _kill_tree(process)
    outgoing.put(None)
    scratch.remove()


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children. On Windows PythonSlicer is a launcher; its child must go as well."""
    if process.poll() is None:
        if sys.platform == "win32":
            with contextlib.suppress(subprocess.TimeoutExpired):
                command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
                subprocess.run(command, capture_output=True, check=False, timeout=_END_SECONDS)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_END_SECONDS)


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = tempfile.gettempdir()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(f"The disk of the temporary folder {place} is full.", "Free some space.") from error
        raise OutputError(
            f"The temporary folder {place} cannot be used: {error.strerror or error}.", "Set TMPDIR to another folder."
        ) from error
