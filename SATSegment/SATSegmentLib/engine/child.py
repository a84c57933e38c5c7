"""The worker process: it alone loads torch, keeps one model warm, and answers until its parent goes."""

from __future__ import annotations

import os
import queue
import shutil
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from SATSegmentLib.engine import messages as protocol
from SATSegmentLib.engine import tasks
from SATSegmentLib.engine.messages import WorkerError
from SATSegmentLib.errors import OutOfMemory, OutputError, SATSegmentError, SATSegmentWarning
from SATSegmentLib.types import Progress

if TYPE_CHECKING:
    from SATSegmentLib.inference.plan import RunPlan
    from SATSegmentLib.inference.segmenter import Segmenter


class Child:
    """Reads requests from one pipe and answers on another.

    A thread reads, so that a cancel is heard during a run, and the end of the parent at any time.

    Parameters
    ----------
    idle_seconds: after so long without a request the model is let go, and the device's memory with it.
    scratch: the folder of this process's temporary files; removed when the parent goes.
    """

    def __init__(self, requests: BinaryIO, answers: BinaryIO, idle_seconds: float, scratch: str) -> None:
        self._idle_seconds = idle_seconds
        self._scratch = scratch
        self._requests = requests
        self._answers = answers
        self._queue: queue.Queue[dict[str, Any]] = queue.Queue()
        self._cancelled: set[int] = set()
        self._folder: Path | None = None
        self._segmenter: Segmenter | None = None
        self._loaded: tuple[str, str, str, int | None] | None = None

    def serve(self) -> None:
        """Answer until the parent closes the pipe; then the process ends, whatever it is doing."""
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            try:
                # Without a model there is nothing to let go, and no reason to wake up.
                message = self._queue.get(timeout=self._idle_seconds if self._segmenter is not None else None)
            except queue.Empty:
                self._let_go()
            else:
                self._answer(message)

    def _let_go(self) -> None:
        self._forget_model()
        print(f"The model was let go after {self._idle_seconds:.0f} s without a run.", file=sys.stderr, flush=True)

    def _listen(self) -> None:
        for line in self._requests:
            message = protocol.decode(line)
            if message["type"] == "cancel":
                self._cancelled.add(message["run"])
            else:
                self._queue.put(message)
        # The parent is gone, or wants no more. Nobody else would remove the folder of a run that is on.
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        shutil.rmtree(self._scratch, ignore_errors=True)
        os._exit(0)

    def _answer(self, message: dict[str, Any]) -> None:
        run = message["run"]
        self._folder = Path(message["folder"])
        try:
            answer = {"type": "done", "run": run, **self._do(message)}
        except SATSegmentError as error:
            answer = {"type": "failed", "run": run, "error": error.as_dict()}
        except Exception as error:
            traceback.print_exc()
            answer = {"type": "failed", "run": run, "error": _unforeseen(error).as_dict()}
        self._folder = None
        self._cancelled.discard(run)
        self._send(answer)

    def _do(self, message: dict[str, Any]) -> dict[str, Any]:
        run = message["run"]

        def tell(progress: Progress) -> None:
            self._send(
                {
                    "type": "progress",
                    "run": run,
                    "fraction": progress.fraction,
                    "stage": progress.stage,
                    "seconds_left": progress.seconds_left,
                }
            )

        def warn(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, SATSegmentWarning):
                self._send({"type": "warning", "run": run, "text": str(message)})
            else:
                print(warnings.formatwarning(message, category, filename, lineno, line), file=sys.stderr)

        with warnings.catch_warnings():
            warnings.simplefilter("always", SATSegmentWarning)
            warnings.showwarning = warn
            if message["type"] == "segment":
                return self._segment(message, tell, lambda: run in self._cancelled)
            if message["type"] == "teach":
                return {"answer": self._teach(message, tell, lambda: run in self._cancelled)}
            return {"answer": tasks.run(message, tell, lambda: run in self._cancelled)}

    def _segment(
        self, message: dict[str, Any], tell: Callable[[Progress], None], cancel: Callable[[], bool]
    ) -> dict[str, Any]:
        image, prompts = protocol.read_request(message)
        tell(Progress(0.0, "loading the model"))
        segmenter = self._load(message["model"], message["device"], message["precision"], message["cache_bytes"])
        runs_on = f"{segmenter.device} {segmenter.precision}"

        def tell_with_device(one: Progress) -> None:
            tell(Progress(one.fraction, f"{one.stage} · {runs_on}", one.seconds_left))

        def tell_plan(plan: RunPlan) -> None:
            # To the log as well: the next step of the run replaces it on the panel.
            print(plan, file=sys.stderr, flush=True)
            tell(Progress(0.0, str(plan), plan.seconds))

        results = segmenter.segment(image, prompts, tell_with_device, cancel, message["threshold"], on_plan=tell_plan)
        description = segmenter.description
        return {
            "results": protocol.write_results(Path(message["folder"]), results),
            "model": {
                "name": description.name,
                "sha256": description.network_sha256,
                "torch": sys.modules["torch"].__version__,
            },
        }

    def _teach(self, message: dict[str, Any], tell: Callable[[Progress], None], cancel: Callable[[], bool]) -> str:
        """Learn a word with the model that is loaded, and the features it has; returns the word's file."""
        tell(Progress(0.0, "loading the model"))
        segmenter = self._load(message["model"], message["device"], message["precision"], message["cache_bytes"])
        from SATSegmentLib.learning.teach.example import Example
        from SATSegmentLib.learning.teach.teach import teach
        from SATSegmentLib.sat.text.taught_words import write_word

        examples = [Example(image, mask) for image, mask in protocol.read_lesson(message)]
        word = teach(
            segmenter,
            examples,
            message["name"],
            message["modality"],
            message["orientation"],
            progress=tell,
            cancel=cancel,
        )
        return str(write_word(Path(message["words"]), word.record, word.vectors))

    def _load(self, model: str, device: str, precision: str, cache_bytes: int | None) -> Segmenter:
        wanted = (model, device, precision, cache_bytes)
        if self._segmenter is None or self._loaded != wanted:
            # Let go of the old one first: two at once may not fit.
            self._forget_model()
            from SATSegmentLib.inference.cache import default_cache
            from SATSegmentLib.inference.segmenter import Segmenter

            cache = default_cache(cache_bytes)
            self._segmenter = Segmenter.load(model, device=device, precision=precision, cache=cache)
            self._loaded = wanted
        return self._segmenter

    def _forget_model(self) -> None:
        if self._segmenter is None:
            return
        from SATSegmentLib.inference.memory import free_memory

        self._segmenter.cache.clear()
        self._segmenter = self._loaded = None
        free_memory()

    def _send(self, message: dict[str, Any]) -> None:
        self._answers.write(protocol.encode(message))
        self._answers.flush()


def _unforeseen(error: Exception) -> SATSegmentError:
    if isinstance(error, ModuleNotFoundError):
        return WorkerError(
            f"The Python package {error.name} is not installed in {sys.executable}.", "Install it, then run again."
        )
    if isinstance(error, MemoryError):
        return OutOfMemory("The computer ran out of memory. Nothing was lost.", "Close other programs.")
    if isinstance(error, OSError):
        return OutputError(f"A temporary file could not be used: {error.strerror or error}.", "Free some disk space.")
    return WorkerError(
        f"The segmentation failed in a way that was not foreseen: {type(error).__name__}: {error}.",
        "Please report it with the log.",
    )


def main() -> None:
    """Entry point of the process."""
    # The answers get a pipe of their own: what libraries print must not come between the messages.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    Child(sys.stdin.buffer, answers, float(sys.argv[2]), sys.argv[3]).serve()
