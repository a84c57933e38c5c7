"""The run over a cohort's scans: the next scan is read and the last one written while the network works."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from SATSegmentLib import __version__
from SATSegmentLib.cohort.asked import Asked, modality_of, prompts_of
from SATSegmentLib.cohort.background import in_background
from SATSegmentLib.cohort.listing import ScanTask
from SATSegmentLib.cohort.running import held_scans
from SATSegmentLib.cohort.settings import refuse_other_settings, settings_of
from SATSegmentLib.cohort.thumbnail import write_thumbnail
from SATSegmentLib.cohort.too_large import refuse_too_large
from SATSegmentLib.cohort.units import (
    PICTURE,
    RESULT,
    SCANS,
    is_done,
    key_of,
    masks_name,
    read_unit,
    row_of_list,
    unit_folder,
    write_failure,
)
from SATSegmentLib.engine.api import (
    Engine,
    EngineError,
    EngineReason,
    RunListener,
    RunOptions,
    SegmentAnswer,
    SegmentRequest,
)
from SATSegmentLib.engine.session import foreseen, warnings_to
from SATSegmentLib.errors import (
    Cancelled,
    CheckpointError,
    DeviceError,
    ModelNotFound,
    OutOfMemory,
    SATSegmentError,
    ScanError,
)
from SATSegmentLib.files import atomic_path, is_disk_full
from SATSegmentLib.grid.digest import digest_of
from SATSegmentLib.quality.table import as_json, row_of
from SATSegmentLib.scans import read_scan
from SATSegmentLib.scans.read import is_dicom_path
from SATSegmentLib.storage import Algorithm, find_source, write_results
from SATSegmentLib.storage.formats import Format
from SATSegmentLib.storage.write import DicomSource
from SATSegmentLib.types import Doubt, SegmentResult

if TYPE_CHECKING:
    from SATSegmentLib.storage.dicom_series import SourceSeries

# Where the engine fails for one of these, no other scan will fare better.
_NO_SCANS_FAULT = (ModelNotFound, DeviceError, CheckpointError)
_NO_SCANS_REASON = (
    EngineReason.LOST,
    EngineReason.DENIED,
    EngineReason.VERSION,
    EngineReason.PACKAGE,
    EngineReason.NOT_STARTED,
)


class CohortEngine(Engine, Protocol):
    """An engine in this process, or a server's."""

    def prepare(self, request: SegmentRequest) -> None:
        """Do ahead of its run what can be done for a scan; in another thread than the runs'."""

    def forget(self, digest: str) -> None:
        """Let all that is kept of a scan go (`grid.digest.digest_of`)."""


@dataclass(frozen=True)
class ScanEvent:
    """A scan is over.

    Attributes
    ----------
    task : ScanTask
        Which.
    number, count : int
        It is the `number`th of `count` that this run does.
    error : SATSegmentError or None
        Why it has no results.
    flagged : int
        How many of its results have flags.
    seconds_left : float
        Estimate for the rest of the run.
    """

    task: ScanTask
    number: int
    count: int
    error: SATSegmentError | None
    flagged: int
    seconds_left: float


@dataclass(frozen=True)
class Summary:
    """How the scans of the list are after a run, those that were done before included.

    Attributes
    ----------
    skipped : int
        Scans whose results were there before the run.
    done, failed : int
        Scans with results, and without.
    flagged : int
        Scans of which a result has a flag.
    """

    skipped: int
    done: int
    failed: int
    flagged: int


@dataclass(frozen=True, eq=False)
class _Ready:
    """A scan that is read, or the reason why it is not."""

    task: ScanTask
    key: str
    request: SegmentRequest | None
    error: SATSegmentError | None
    doubts: tuple[Doubt, ...] = ()
    digest: str = ""
    source: SourceSeries | None = None


class CohortRun:
    """Scans of a cohort, one after the other; each is written whole or not at all.

    Parameters
    ----------
    out : Path
        Folder of the results.
    asked : Asked
        What is asked of scans whose own row says nothing else.
    options : RunOptions
        How.
    engine : CohortEngine
        What segments.
    format_ : Format
        Of the masks.
    shard : (int, int)
        Which of how many shares of the scans this run does, counted from 1.
    overwrite : bool
        Whether results that were made with other settings are replaced.
    """

    def __init__(
        self,
        out: Path,
        asked: Asked,
        options: RunOptions,
        engine: CohortEngine,
        format_: Format = "seg.nrrd",
        shard: tuple[int, int] = (1, 1),
        overwrite: bool = False,
    ) -> None:
        self.out, self.asked, self.options, self.shard = out, asked, options, shard
        self.format, self.overwrite = format_, overwrite
        self._settings = settings_of(asked, options, format_)
        self._engine = engine

    def run(self, tasks: Sequence[ScanTask], on_scan: Callable[[ScanEvent], None], listener: RunListener) -> Summary:
        """Do this shard's scans that are not done yet.

        Raises
        ------
        OutputError
            The folder cannot be written to, another run writes some of these scans, or results were made with other
            settings.
        Cancelled
            The listener said so; what is complete stays.
        ModelNotFound, DeviceError, CheckpointError, EngineError
            No scan can be segmented, or the server cannot be reached any more; what is complete stays.
        """
        own = self.own(tasks)
        with held_scans(self.out, self.out / SCANS, (task.name for task in own)):
            if not self.overwrite:
                number, count = self.shard
                others = (task for place, task in enumerate(tasks) if place % count != number - 1)
                refuse_other_settings(self.out, own, others, self._settings)
            waiting = [task for task in own if not self._is_done(task)]
            for _ in self._done(waiting, on_scan, listener):
                pass
            return dataclasses.replace(self.state(tasks), skipped=len(own) - len(waiting))

    def own(self, tasks: Sequence[ScanTask]) -> list[ScanTask]:
        """The scans of this shard."""
        number, count = self.shard
        return list(tasks)[number - 1 :: count]

    def state(self, tasks: Sequence[ScanTask]) -> Summary:
        """How this shard's scans lie in the folder now; none counts as skipped."""
        own = self.own(tasks)
        whole = [task for task in own if self._is_done(task)]
        found = (read_unit(unit_folder(self.out, task)) for task in whole)
        flagged = sum(any(row.get("flags") for row in one["rows"]) for one in found if one is not None)
        return Summary(0, len(whole), len(own) - len(whole), flagged)

    def _done(
        self, tasks: Sequence[ScanTask], on_scan: Callable[[ScanEvent], None], listener: RunListener
    ) -> Iterator[ScanEvent]:
        """One scan is read ahead and one is written behind, so three are held at most.

        Where the run ends early, what is being written is waited for, and what is being read is not.
        """
        started = time.monotonic()
        over = 0

        def ended(task: ScanTask, written: Future[int] | None, error: SATSegmentError | None) -> ScanEvent:
            nonlocal over
            flagged = 0
            if written is not None:
                try:
                    flagged = written.result()
                except SATSegmentError as problem:
                    _stop_where_no_scan_is_to_blame(problem)
                    error = problem
            over += 1
            left = (time.monotonic() - started) / over * (len(tasks) - over)
            event = ScanEvent(task, over, len(tasks), error, flagged, left)
            on_scan(event)
            return event

        behind: tuple[ScanTask, Future[int]] | None = None
        try:
            ahead = [in_background(self._ready, task) for task in tasks[:1]]
            for number, task in enumerate(tasks):
                ready = ahead.pop().result()
                if number and isinstance(ready.error, OutOfMemory):
                    # Beside two other scans; by itself it may fit.
                    if behind is not None:
                        yield ended(behind[0], behind[1], None)
                        behind = None
                    ready = self._ready(task)
                ahead = [in_background(self._ready, following) for following in tasks[number + 1 : number + 2]]
                answer, error = self._segmented(ready, listener)
                if behind is not None:
                    yield ended(behind[0], behind[1], None)
                    behind = None
                if answer is not None:
                    behind = (task, in_background(self._written, ready, answer))
                else:
                    assert error is not None
                    error = self._failed(ready, error)
                    _stop_where_no_scan_is_to_blame(error)
                    yield ended(task, None, error)
                del ready, answer
            if behind is not None:
                yield ended(behind[0], behind[1], None)
        finally:
            if behind is not None:
                behind[1].exception()

    def _is_done(self, task: ScanTask) -> bool:
        return is_done(self.out, task, self._key(task), self._settings)

    def _key(self, task: ScanTask) -> str:
        try:
            return key_of(task, self._settings)
        except OSError:
            return ""

    def _ready(self, task: ScanTask) -> _Ready:
        """Read a scan and bring it to the network's grid, or to the server; in a thread of its own."""
        key = self._key(task)
        doubts: tuple[Doubt, ...] = ()
        try:
            if task.problem:
                raise ScanError(task.problem)
            modality = modality_of(task, self.asked)
            prompts = prompts_of(task, self.asked, modality)
            refuse_too_large(task)
            # The doubts are rows' own columns; nobody reads them on a terminal for a thousand scans.
            with warnings_to(lambda text: None):
                image = read_scan(task.path, task.frame, _series(task.series), task.volume)
                doubts = image.doubts
                source = find_source(masks_name(self.format), image, _dicom_source(task), self.format)
                request = SegmentRequest.of(image, prompts, self.options)
                self._engine.prepare(request)
        except Exception as error:
            return _Ready(task, key, None, foreseen(error), doubts)
        return _Ready(task, key, request, None, doubts, digest_of(image), source)

    def _segmented(self, ready: _Ready, listener: RunListener) -> tuple[SegmentAnswer | None, SATSegmentError | None]:
        if ready.request is None:
            assert ready.error is not None
            _stop_where_no_scan_is_to_blame(ready.error)
            return None, ready.error
        try:
            quiet = RunListener(listener.progress, listener.cancel, lambda text: None, listener.on_plan)
            return self._engine.segment(ready.request, quiet), None
        except Cancelled:
            raise
        except Exception as error:
            known = foreseen(error)
            _stop_where_no_scan_is_to_blame(known)
            return None, known
        finally:
            # No other scan of the cohort needs this one's features.
            self._engine.forget(ready.digest)

    def _written(self, ready: _Ready, answer: SegmentAnswer) -> int:
        """Write a scan's folder, or why it cannot be; in a thread of its own. Returns how many results have flags."""
        try:
            return self._write(ready, answer)
        except Exception as error:
            known = self._failed(ready, foreseen(error))
            if known is error:
                raise
            raise known from error

    def _write(self, ready: _Ready, answer: SegmentAnswer) -> int:
        assert ready.request is not None
        image, results = ready.request.image, answer.results
        with atomic_path(unit_folder(self.out, ready.task), overwrite=True, folder=True) as folder:
            algorithm = Algorithm(answer.model.name, __version__, answer.model.sha256)
            name = masks_name(self.format)
            write_results(folder / name, image, results, algorithm, format_name=self.format, source=ready.source)
            write_thumbnail(folder / PICTURE, image, results)
            content = self._content(ready, answer, results)
            (folder / RESULT).write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        return sum(bool(one.flags) for one in results)

    def _content(self, ready: _Ready, answer: SegmentAnswer, results: Sequence[SegmentResult]) -> dict[str, Any]:
        return {
            "scan": ready.task.name,
            "path": ready.task.path,
            "key": ready.key,
            "row": row_of_list(ready.task),
            "settings": self._settings,
            "software": f"SATSegment {__version__}",
            "model": answer.model.name,
            "network_sha256": answer.model.sha256,
            "threshold": self.options.threshold,
            "windows": self.options.windows,
            "overlap": self.options.overlap,
            "doubts": [doubt.as_dict() for doubt in ready.doubts],
            "rows": [row_of(one, ready.doubts) for one in results],
            "results": [as_json(one) for one in results],
        }

    def _failed(self, ready: _Ready, error: SATSegmentError) -> SATSegmentError:
        """Keep the reason; where even that cannot be written, that is the reason."""
        try:
            doubts = [doubt.as_dict() for doubt in ready.doubts]
            write_failure(self.out, ready.task, ready.key, error, doubts)
        except SATSegmentError as unwritten:
            return unwritten
        return error


def _stop_where_no_scan_is_to_blame(error: SATSegmentError) -> None:
    of_engine = isinstance(error, EngineError) and error.reason in _NO_SCANS_REASON
    if of_engine or isinstance(error, _NO_SCANS_FAULT) or is_disk_full(error):
        raise error


def _dicom_source(task: ScanTask) -> DicomSource | None:
    if task.dicom_source:
        return DicomSource(task.dicom_source)
    return DicomSource(task.path, _series(task.series), task.volume) if is_dicom_path(Path(task.path)) else None


def _series(text: str | None) -> str | int | None:
    return int(text) if text is not None and text.isdigit() else text
