"""The results as a DICOM file: asks for packages and a name, and lets a process of its own write it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

import SATSegmentLib
from SATSegmentLib.engine.export import ExportAnswer, ExportRequest
from SATSegmentLib.engine.offline import offline_environment
from SATSegmentLib.engine.process import WorkerEngine
from SATSegmentLib.errors import Cancelled, SATSegmentError, ScanError
from SATSegmentLib.gui.panel_task import PanelTask
from SATSegmentLib.gui.results_model import ResultRow
from SATSegmentLib.gui.signal import Signal
from SATSegmentLib.mrml.dicom_files import dicomFiles
from SATSegmentLib.mrml.results import resultOf
from SATSegmentLib.mrml.volumes import imageFromVolume, volumeOf
from SATSegmentLib.setup import packages
from SATSegmentLib.storage.written import Algorithm, ResultDetails
from SATSegmentLib.types import SegmentResult

# A mask that was drawn on by hand has another volume; what the record keeps of it is rounded nowhere.
_SAME_ML = 1e-6


class DicomExport:
    """Writes the structures of the result table, as their segments are now, as one DICOM object.

    Signals
    -------
    said(text): what is being done, and what came of it.
    failed(error): why there is no file.

    Parameters
    ----------
    widget : QWidget
        The panel, for dialogs.
    python : callable
        Gives the interpreter and the environment of child processes.
    """

    def __init__(self, widget: Any, python: Callable[[], tuple[str, dict[str, str]]]) -> None:
        self.said, self.failed = Signal(), Signal()
        self._widget, self._python = widget, python
        self._task: PanelTask | None = None

    @property
    def running(self) -> bool:
        return self._task is not None

    def ask(self, rows: Sequence[ResultRow], segmentationNode: Any, format_: str) -> None:
        """Ask where to, and write there; whatever stands against it is said first."""
        if self.running:
            return
        try:
            volumeNode = volumeOf(segmentationNode)
            if volumeNode is None:
                raise ScanError("The scan of this result is not in the scene.", "Load the scan, then export.")
            files = dicomFiles(volumeNode)
            if packages.missing("dicom"):
                packages.install("dicom", lambda what: self.said.emit(_("Installing {what}").format(what=what)))
            name = "structures.dcm" if format_ == "rtstruct" else "segmentation.dcm"
            path = qt.QFileDialog.getSaveFileName(self._widget, _("Results as DICOM"), name, "DICOM (*.dcm)")
            if path:
                self.write(_request(rows, segmentationNode, volumeNode, files, format_, _withEnding(path)))
        except SATSegmentError as error:
            self.failed.emit(error)

    def write(self, request: ExportRequest) -> None:
        """Write it in a process of its own; returns at once."""
        self.said.emit(_("Writing the DICOM file…"))
        self._task = PanelTask(lambda listener: self._inChild(request, listener), self._onDone)

    def release(self) -> None:
        """Stop what is going on."""
        if self._task is not None:
            self._task.abandon()
            self._task = None
        self.said.disconnectAll()
        self.failed.disconnectAll()

    def _inChild(self, request: ExportRequest, listener: Any) -> ExportAnswer:
        python, environment = self._python()
        engine = WorkerEngine(python, offline_environment(environment))
        try:
            return engine.export(request, listener)
        finally:
            engine.close()

    def _onDone(self, answer: ExportAnswer | None, error: BaseException | None) -> None:
        self._task = None
        if answer is None:
            self.said.emit("")
            if not isinstance(error, Cancelled):
                self.failed.emit(error)
            return
        count = len(answer.segment_ids)
        text = _("Written: 1 structure.") if count == 1 else _("Written: {count} structures.").format(count=count)
        if answer.not_found:
            text += " " + _("Left out, because not found: {names}.").format(names=", ".join(answer.not_found))
        self.said.emit(text)


def _withEnding(path: str) -> str:
    return path if path.lower().endswith(".dcm") else f"{path}.dcm"


def _request(
    rows: Sequence[ResultRow], segmentationNode: Any, volumeNode: Any, files: tuple[str, ...], format_: str, path: str
) -> ExportRequest:
    """What the child needs, read off the scene: it must not change any more."""
    image = imageFromVolume(volumeNode)
    rows = [row for row in rows if row.status != "unknown"]
    results, details = [], []
    with slicer.util.WaitCursor():
        for row in rows:
            result = resultOf(segmentationNode, row.segmentId, row.prompt, volumeNode, image)
            results.append(result)
            details.append(_details(row, result, segmentationNode))
    k, j, i = image.array.shape
    algorithm = next((one.algorithm for one in details if one.algorithm is not None), _algorithm("SAT", ""))
    return ExportRequest(
        path, format_, files, (k, j, i), image.ijk_to_ras, tuple(results), tuple(details), algorithm
    )  # fmt: skip


def _details(row: ResultRow, result: SegmentResult, segmentationNode: Any) -> ResultDetails:
    segment = segmentationNode.GetSegmentation().GetSegment(row.segmentId) if row.segmentId else None
    name = segment.GetName() if segment is not None and segment.GetName() != row.prompt.text else ""
    edited = bool(row.segmentId) and not (
        math.isnan(row.volumeMl) or abs(result.volume_ml - row.volumeMl) <= _SAME_ML * max(row.volumeMl, 1.0)
    )
    return ResultDetails(name, edited, _algorithm(row.model, row.modelSha256) if row.model else None)


def _algorithm(model: str, sha256: str) -> Algorithm:
    return Algorithm(model, SATSegmentLib.__version__, sha256)
