"""What an engine does for each request: keeps one model warm and lets it answer. No pipes, no processes, no files."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TextIO

from SATSegmentLib.engine.api import (
    EngineError,
    EngineReason,
    ModelRecord,
    RunListener,
    RunOptions,
    SegmentAnswer,
    SegmentRequest,
    TeachAnswer,
    TeachRequest,
)
from SATSegmentLib.errors import OutOfMemory, OutputError, SATSegmentError, SATSegmentWarning
from SATSegmentLib.types import Progress, SegmentResult

if TYPE_CHECKING:
    from SATSegmentLib.inference.run_plan import RunPlan
    from SATSegmentLib.inference.segmenter import Segmenter


class Session:
    """One warm model, and the runs it does. Not thread-safe: one run at a time.

    Heavy packages are imported at the first request, so that a process can start and say hello before.
    """

    def __init__(self) -> None:
        self._segmenter: Segmenter | None = None
        self._loaded: object = None

    @property
    def has_model(self) -> bool:
        """Whether a model is held, and a device's memory with it."""
        return self._segmenter is not None

    def segment(self, request: SegmentRequest, listener: RunListener) -> SegmentAnswer:
        """Segment.

        Raises
        ------
        SATSegmentError
            As `Segmenter.load` and `Segmenter.segment`.
        """
        with warnings_to(listener.on_warning):
            segmenter = self._load(request.options, listener)
            runs_on = f"{segmenter.device} {segmenter.precision}"

            def on_plan(plan: RunPlan) -> None:
                _tell(listener, Progress(0.0, str(plan), plan.seconds))
                if listener.on_plan is not None:
                    listener.on_plan(plan)

            def on_result(number: int, result: SegmentResult) -> None:
                if listener.on_result is not None:
                    listener.on_result(number, _mask_alone(result))

            results = segmenter.segment(
                request.image,
                request.prompts,
                progress=lambda one: _tell(
                    listener, Progress(one.fraction, f"{one.stage} · {runs_on}", one.seconds_left)
                ),
                cancel=listener.cancel,
                threshold=request.options.threshold,
                on_plan=on_plan,
                words=request.words,
                keep_probabilities=request.options.keep_probabilities,
                on_result=on_result,
                windows=request.options.windows,
                overlap=request.options.overlap,
            )
        return SegmentAnswer(tuple(results), _record(segmenter), segmenter.encode_seconds)

    def prepare(self, request: SegmentRequest) -> None:
        """Bring a scan to the network's grid ahead of its run, in another thread than the runs'.

        Nothing is done where no model is loaded yet.

        Raises
        ------
        SATSegmentError
            The scan cannot be used.
        """
        segmenter = self._segmenter
        if segmenter is None:
            return
        for modality, axes in {(one.modality, one.orientation) for one in request.prompts}:
            segmenter.scans.get(request.image, modality, axes, segmenter.description.spacing, segmenter.grid)

    def plan(self, request: SegmentRequest, listener: RunListener) -> RunPlan:
        """What `segment` would take with the features that are kept now.

        Raises
        ------
        SATSegmentError
            As `segment`.
        """
        with warnings_to(listener.on_warning):
            segmenter = self._load(request.options, listener)
            options = request.options
            return segmenter.plan(
                request.image,
                request.prompts,
                options.threshold,
                request.words,
                windows=options.windows,
                overlap=options.overlap,
            )

    def teach(self, request: TeachRequest, listener: RunListener) -> TeachAnswer:
        """Learn a word with the model that is loaded, and the features it has.

        Raises
        ------
        SATSegmentError
            As `Segmenter.load` and `learning.teach.teach.teach`.
        """
        with warnings_to(listener.on_warning):
            segmenter = self._load(request.options, listener)
            from SATSegmentLib.learning.teach.teach import teach
            from SATSegmentLib.sat.text.taught_words import word_content

            word = teach(
                segmenter,
                request.examples,
                request.name,
                request.modality,
                request.orientation,
                progress=listener.progress,
                cancel=listener.cancel,
            )
            return TeachAnswer(word_content(word.record, word.vectors))

    def load_ahead(self, options: RunOptions, listener: RunListener) -> None:
        """Load a model, and with it its libraries, before anything is asked of it.

        Raises
        ------
        SATSegmentError
            As `Segmenter.load`.
        """
        with warnings_to(lambda text: None):  # the first run says it again
            before, segmenter = self._segmenter, self._load(options, listener)
        if segmenter is not before:
            print(f"{segmenter.description.name} is ready.", file=sys.stderr)

    def forget(self, digest: str) -> None:
        """Let all that is kept of one scan go (`grid.digest.digest_of`)."""
        if self._segmenter is not None:
            self._segmenter.forget(digest)

    def release(self) -> None:
        """Let the model and the features go, and the device's memory with them."""
        if self._segmenter is None:
            return
        from SATSegmentLib.inference.memory import free_memory

        self._segmenter.cache.clear()
        self._segmenter = self._loaded = None
        free_memory()

    def _load(self, options: RunOptions, listener: RunListener, again: bool = False) -> Segmenter:
        from SATSegmentLib.models.catalog import find_model
        from SATSegmentLib.models.folder import fingerprint

        # A model that was replaced in its folder is another model.
        folder = find_model(options.model)
        kept = (options.feature_storage, options.cache_bytes, options.spill)
        wanted = (fingerprint(folder), options.device, options.precision, *kept)
        if self._segmenter is None or self._loaded != wanted:
            _tell(listener, Progress(0.0, "loading the model"))
            # Let go of the old one first: two at once may not fit.
            self.release()
            from SATSegmentLib.inference.cache import default_cache
            from SATSegmentLib.inference.segmenter import Segmenter

            try:
                self._segmenter = Segmenter.load(
                    folder,
                    options.device,
                    options.precision,
                    default_cache(options.cache_bytes, options.spill),
                    options.feature_storage,
                )
            except SATSegmentError:
                if again or fingerprint(find_model(options.model)) == wanted[0]:
                    raise
                # It was replaced meanwhile: half of it was the old one, and half the new.
                return self._load(options, listener, again=True)
            self._loaded = wanted
        self._segmenter.grid = options.grid
        return self._segmenter


def _mask_alone(result: SegmentResult) -> SegmentResult:
    """A result on the way: its probability, which may be large, comes with the answer."""
    return dataclasses.replace(result, probability=None)


def _tell(listener: RunListener, progress: Progress) -> None:
    if listener.progress is not None:
        listener.progress(progress)


def _record(segmenter: Segmenter) -> ModelRecord:
    import torch

    description = segmenter.description
    return ModelRecord(description.name, description.network_sha256, description.text_sha256, torch.__version__)


def foreseen(error: Exception) -> SATSegmentError:
    """Any error of a run as one that a user can read."""
    if isinstance(error, SATSegmentError):
        return error
    if isinstance(error, ModuleNotFoundError):
        return EngineError(
            f"The Python package {error.name} is not installed in {sys.executable}.",
            "Install it, then run again.",
            EngineReason.PACKAGE,
            str(error.name),
        )
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return OutOfMemory("The computer ran out of memory. Nothing was lost.", "Close other programs.")
    if isinstance(error, OSError):
        return OutputError(f"A temporary file could not be used: {error.strerror or error}.", "Free some disk space.")
    return EngineError(
        f"The segmentation failed unexpectedly: {type(error).__name__}: {error}.",
        "Please report it with the log.",
        EngineReason.UNEXPECTED,
        f"{type(error).__name__}: {error}",
    )


_heard = threading.local()
_hooked = threading.Lock()


@contextlib.contextmanager
def warnings_to(hear: Callable[[str], None] | None) -> Iterator[None]:
    """Let `hear` get this thread's `SATSegmentWarning`s; with None they stay Python's own.

    `warnings.catch_warnings` changes the whole process and must not be used where runs go on in several threads, so one
    hook is set once and asks which thread warns.
    """
    if hear is None:
        yield
        return
    _hook()
    before = getattr(_heard, "hear", None)
    told: set[str] = set()

    def once(text: str) -> None:
        """A run looks at its scan several times; nobody needs to read the same sentence twice."""
        if text not in told:
            told.add(text)
            hear(text)

    _heard.hear = once
    try:
        yield
    finally:
        _heard.hear = before


def _hook() -> None:
    with _hooked:
        # A filter that shows each one: the second run has the same thing to say. Others may have removed it.
        warnings.filterwarnings("always", category=SATSegmentWarning)
        if getattr(warnings.showwarning, "hears_runs", False):
            return
        previous: Any = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            hear = getattr(_heard, "hear", None)
            if hear is not None and issubclass(category, SATSegmentWarning):
                hear(str(message))
            else:
                previous(message, category, filename, lineno, file, line)

        show.hears_runs = True  # type: ignore[attr-defined]
        warnings.showwarning = show
