"""Slicer's side of the worker: starts it, asks it, and outlives it."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from SATSegmentLib.anatomy.personal.user_words import WordFile, own_folder, read_record
from SATSegmentLib.engine import messages as protocol
from SATSegmentLib.engine.messages import ModelRecord, WorkerError
from SATSegmentLib.errors import Cancelled, OutputError, SATSegmentError, SATSegmentWarning
from SATSegmentLib.types import Image, Modality, Orientation, Progress, Prompt, SegmentResult

# A worker that was told to stop and is still in a window of the network is ended after this.
CANCEL_GRACE_SECONDS = 1.5
# Loading a model again takes seconds; a graphics card that others wait for is blocked for no longer than this.
IDLE_SECONDS = 600.0
SCRATCH_PREFIX = "satsegment-worker-"
# A run that was cancelled or dropped may still be stopping when the next one comes.
_BUSY_SECONDS = CANCEL_GRACE_SECONDS + 1.0
# A child that is gone has said its last words after this, even where a process of its own keeps the pipe open.
_LAST_WORDS_SECONDS = 2.0
# What SIGKILL does not end by then hangs in a driver or on a network disk; nobody waits for it.
_END_SECONDS = 10.0
_POLL_SECONDS = 0.05
_LOG_LINES = 200
# Of these, how many go with an error that nobody foresaw.
_NOTE_LINES = 30
_LIBRARY = str(Path(__file__).resolve().parents[2])
# The path is handed over as an argument: Slicer's launcher sets PYTHONPATH itself.
_START = "import sys; sys.path.insert(0, sys.argv[1]); from SATSegmentLib.engine.child import main; main()"


@dataclass(frozen=True)
class Answer:
    """What came of a run: one result per prompt, in their order, and the model that gave them."""

    results: list[SegmentResult]
    model: ModelRecord


class Worker:
    """One child process that keeps a model warm between runs.

        worker = Worker()
        answer = worker.segment(image, [Prompt("left hippocampus", "mri")], model="demo")

    It is started at the first run, and again at the next run after it crashed or was killed.

    Parameters
    ----------
    python: the interpreter to run it with; in Slicer, PythonSlicer.
    environment: its environment; this process's own by default.
    idle_seconds: after so long without a run the child lets the model go, and the device's memory with it.
    """

    def __init__(
        self,
        python: str = sys.executable,
        environment: Mapping[str, str] | None = None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._python = python
        self._environment = None if environment is None else dict(environment)
        self._idle_seconds = idle_seconds
        self._child: _Child | None = None
        # Kept when a child is gone: the last words of one that crashed are what a report needs.
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._busy = threading.Lock()
        self._runs = itertools.count(1)

    @property
    def pid(self) -> int | None:
        """Process id of the child, or None where none is running."""
        return self._child.process.pid if self._child is not None and self._child.alive else None

    @property
    def log(self) -> list[str]:
        """The last lines that the child printed."""
        return list(self._log)

    def segment(
        self,
        image: Image,
        prompts: Sequence[Prompt],
        model: str,
        device: str = "auto",
        precision: str = "auto",
        progress: Callable[[Progress], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        threshold: float = 0.5,
        cache_bytes: int | None = None,
        on_warning: Callable[[str], None] | None = None,
    ) -> Answer:
        """Segment the prompts in a scan; returns when it is done.

        Parameters
        ----------
        model, device, precision: as `Segmenter.load` takes them.
        progress: called in this thread with each `Progress`.
        cancel: asked 20 times a second; where it answers True, the run ends with `Cancelled`
            within two seconds, if need be with the end of the child.
        threshold: a voxel belongs to a structure where its probability exceeds this.
        cache_bytes: memory for the scans' image features; half of what is free by default.
        on_warning: gets what the engine warns of. By default Python's own warnings get it; those are
            not for threads.

        Raises
        ------
        SATSegmentError: what the engine raised, of the same type; `WorkerError` where the child
            itself failed. The next call gets a fresh child.
        Warns SATSegmentWarning for what the engine warned of.
        """

        def request(folder: Path, run: int) -> dict[str, Any]:
            options = {"model": str(model), "device": device, "precision": precision, "threshold": threshold}
            return protocol.write_request(folder, run, image, list(prompts), {**options, "cache_bytes": cache_bytes})

        with self._run(request, progress, cancel, on_warning) as (folder, message):
            with _disk_errors():
                results = protocol.read_results(folder, message["results"])
            return Answer(results, ModelRecord(**message["model"]))

    def teach(
        self,
        examples: Sequence[tuple[Image, np.ndarray]],
        name: str,
        modality: Modality,
        model: str,
        orientation: Orientation = "RAS",
        device: str = "auto",
        precision: str = "auto",
        progress: Callable[[Progress], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        cache_bytes: int | None = None,
        on_warning: Callable[[str], None] | None = None,
    ) -> WordFile:
        """Teach the model a word; returns when it is done and its file is in the user's own folder of words.

        Parameters
        ----------
        examples: scans, and the mask (bool, KJI, of the scan's shape) of the structure in each.
        name: what the word is called; one that is there already is replaced.
        Everything else as in `segment`.

        Raises
        ------
        SATSegmentError: as `learning.teach.teach.teach`, and as `segment`.
        """
        words = own_folder()

        def request(folder: Path, run: int) -> dict[str, Any]:
            what = {"name": name, "modality": modality, "orientation": orientation, "words": str(words)}
            where = {"model": str(model), "device": device, "precision": precision, "cache_bytes": cache_bytes}
            return protocol.write_lesson(folder, run, examples, {**what, **where})

        with self._run(request, progress, cancel, on_warning) as (_, message):
            path = Path(message["answer"])
            return WordFile(path, read_record(path), own=True)

    def call(
        self,
        task: str,
        fields: Mapping[str, Any],
        progress: Callable[[Progress], None] | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> Any:
        """Let the child do something else than segment (`worker.tasks`); returns what it answered.

        Parameters
        ----------
        task: its name.
        fields: its arguments, as JSON takes them.
        progress, cancel: as `segment`.

        Raises
        ------
        SATSegmentError: as `segment`.
        """

        def request(folder: Path, run: int) -> dict[str, Any]:
            return {**fields, "type": task, "run": run, "folder": str(folder)}

        with self._run(request, progress, cancel) as (_, message):
            return message["answer"]

    @contextlib.contextmanager
    def _run(
        self,
        request: Callable[[Path, int], dict[str, Any]],
        progress: Callable[[Progress], None] | None,
        cancel: Callable[[], bool] | None,
        on_warning: Callable[[str], None] | None = None,
    ) -> Iterator[tuple[Path, dict[str, Any]]]:
        """The temporary folder of a run and the child's answer; the folder goes when the block ends."""
        if not self._busy.acquire(timeout=_BUSY_SECONDS):
            raise WorkerError("A run is on already.", "Wait for it, or cancel it.")
        try:
            with _temporary_folder() as folder:
                with _disk_errors():
                    message = request(folder, next(self._runs))
                yield folder, self._ask(message, progress, cancel, on_warning)
        finally:
            self._busy.release()

    def close(self) -> None:
        """End the child, if there is one. A later run starts another."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _ask(
        self,
        request: dict[str, Any],
        progress: Callable[[Progress], None] | None,
        cancel: Callable[[], bool] | None,
        on_warning: Callable[[str], None] | None,
    ) -> dict[str, Any]:
        try:
            try:
                message = self._follow(self._reach(request), request["run"], progress, cancel, on_warning)
            except _Unheard:
                # The child had gone since the last run, and the pipe did not know yet.
                self.close()
                message = self._follow(self._reach(request), request["run"], progress, cancel, on_warning)
        except BaseException:
            # Cancelled too late for an answer, a callback that failed, Ctrl+C: the run must not go on unseen.
            self.close()
            raise
        if message["type"] == "failed":
            raise self._with_log(protocol.error_from(message["error"]))
        return message

    def _with_log(self, error: SATSegmentError) -> SATSegmentError:
        """The error; where nobody foresaw it, with what the child printed last, for a report."""
        if isinstance(error, WorkerError) and self._log:
            error.add_note("\n".join(self.log[-_NOTE_LINES:]))
        return error

    def _reach(self, request: dict[str, Any]) -> _Child:
        """The child, started where there is none, with the request on its way."""
        if self._child is None or not self._child.alive:
            self.close()
            self._child = _Child(self._python, self._environment, self._idle_seconds, self._log)
        self._child.send(request)
        return self._child

    def _follow(
        self,
        child: _Child,
        run: int,
        progress: Callable[[Progress], None] | None,
        cancel: Callable[[], bool] | None,
        on_warning: Callable[[str], None] | None,
    ) -> dict[str, Any]:
        """Pass on what the child says until it is done or has failed."""
        give_up_at = gone_since = None
        heard = False
        while True:
            if give_up_at is None and cancel is not None and cancel():
                child.send({"type": "cancel", "run": run})
                give_up_at = time.monotonic() + CANCEL_GRACE_SECONDS
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
            if message is None:
                if give_up_at is not None:
                    raise Cancelled
                raise self._with_log(child.ended()) if heard or child.is_new else _Unheard
            child.is_new = False
            if message["run"] != run:
                continue
            heard = True
            if message["type"] == "progress":
                if progress is not None and give_up_at is None:
                    progress(protocol.progress_from(message))
            elif message["type"] == "warning":
                (on_warning or _warn)(message["text"])
            else:
                return message


def _warn(text: str) -> None:
    warnings.warn(text, SATSegmentWarning, stacklevel=7)


class _Unheard(Exception):
    """The child ended before it said a word about the run."""


class _Child:
    """A running worker process, and the threads that listen to it."""

    def __init__(self, python: str, environment: dict[str, str] | None, idle_seconds: float, log: deque[str]) -> None:
        with _disk_errors():
            # Whatever the child writes, spilled features above all, is in here, and goes with it however it ends.
            scratch = tempfile.mkdtemp(prefix=SCRATCH_PREFIX)
        own = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), scratch)
        try:
            self.process = subprocess.Popen(
                [python, "-u", "-c", _START, _LIBRARY, str(idle_seconds), scratch],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**(os.environ if environment is None else environment), **own},
                **_own_group(),
            )
        except OSError as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise WorkerError(f"{python} cannot be started: {error.strerror}.", "Check the installation.") from error
        self.is_new = True  # it has said nothing yet
        self.messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.log = log
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # The threads know the pipes only, not this object: it must be able to go, and the child with it.
        threading.Thread(target=_speak, args=(self.process.stdin, self._outgoing), daemon=True).start()
        threading.Thread(target=_listen, args=(self.process.stdout, self.messages, self.log), daemon=True).start()
        threading.Thread(target=_listen_to_log, args=(self.process.stderr, self.log), daemon=True).start()
        # Also at the end of this interpreter; and were it killed itself, the child sees its pipe close.
        self._finalizer = weakref.finalize(self, _end, self.process, self._outgoing, scratch)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def send(self, message: dict[str, Any]) -> None:
        """Never waits: a child that reads no more must not hold its parent. That it is gone is seen by listening."""
        self._outgoing.put(protocol.encode(message))

    def kill(self) -> None:
        self._finalizer()

    def ended(self) -> WorkerError:
        """Why the child is gone, as far as that can be told."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        code = self.process.returncode
        if code in (-signal.SIGTERM, -9, 137):
            return WorkerError(
                "The segmentation process was ended from outside; most often the computer ran out of memory."
                " Nothing was lost.",
                "Close other programs, or choose a smaller model, and run it again.",
            )
        last = next((line for line in reversed(self.log) if line.strip()), "")
        return WorkerError(
            f"The segmentation process ended unexpectedly (exit code {code}). Nothing was lost. {last}".strip(),
            "Run it again; if it happens again, report it with the log.",
        )


def _speak(pipe: IO[bytes], outgoing: queue.SimpleQueue[bytes | None]) -> None:
    """Write what is to be said, until None; a child that is gone is told nothing more."""
    with contextlib.suppress(OSError), pipe:
        while (line := outgoing.get()) is not None:
            pipe.write(line)
            pipe.flush()


def _listen(pipe: IO[bytes], messages: queue.Queue[dict[str, Any] | None], log: deque[str]) -> None:
    try:
        for line in pipe:
            try:
                messages.put(protocol.decode(line))
            except WorkerError:
                # Printed by the interpreter's own start-up, before the child had taken its output over.
                log.append(_text(line))
    finally:
        messages.put(None)


def _listen_to_log(pipe: IO[bytes], log: deque[str]) -> None:
    for line in pipe:
        log.append(_text(line))


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip()


def _own_group() -> dict[str, Any]:
    """So that the whole tree can be ended, and Ctrl+C in a terminal reaches this process only."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _end(process: subprocess.Popen[bytes], outgoing: queue.SimpleQueue[bytes | None], scratch: str) -> None:
    _kill_tree(process)
    outgoing.put(None)
    shutil.rmtree(scratch, ignore_errors=True)


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
def _temporary_folder() -> Iterator[Path]:
    with _disk_errors():
        # It holds a scan: unlike a plain mkdtemp, it is also removed when the interpreter ends in the middle of a run.
        folder = tempfile.TemporaryDirectory(prefix="satsegment-", ignore_cleanup_errors=True)
    with folder as name:
        yield Path(name)


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
