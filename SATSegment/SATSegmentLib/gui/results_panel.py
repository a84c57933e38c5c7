"""The part "Results": the table of the chosen segmentation, undo and redo, export, and what is shown in 3-D."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.files import atomic_path
from SATSegmentLib.gui.dicom_export import DicomExport
from SATSegmentLib.gui.icons import icon
from SATSegmentLib.gui.rename_step import RenameStep
from SATSegmentLib.gui.results_model import ResultRow, asCsv, rowsOfNode, toTableNode
from SATSegmentLib.gui.results_table import ResultsTable, editInSegmentEditor
from SATSegmentLib.gui.signal import Connections, Signal
from SATSegmentLib.gui.undo_history import UndoHistory
from SATSegmentLib.mrml.record import addRemoval
from SATSegmentLib.mrml.segmentations import removeSegment
from SATSegmentLib.mrml.undo import RunUndo
from SATSegmentLib.mrml.views import centre3DViews, somethingIn3D
from SATSegmentLib.mrml.volumes import volumeOf
from SATSegmentLib.segments.style import segment_id


class ResultsPanel:
    """Shows what the record of a segmentation node says, so that a scene that was loaded has its table as well.

    Signals
    -------
    thresholdAsked(row, threshold), teachAsked(row): for the panel to start.
    said(text): one sentence about what was just done.
    failed(error): a file could not be written.

    Parameters
    ----------
    ui : object
        The panel's widgets by name.
    panelWidget : QWidget
        The whole panel: its width is what the names of undo steps have to fit in.
    whyNoThreshold : callable
        Gets a row and the segmentation node; says why the threshold cannot be changed, or nothing where it can.
    python : callable
        Gives the interpreter and the environment of child processes.
    """

    def __init__(
        self,
        ui: Any,
        panelWidget: Any,
        whyNoThreshold: Callable[[ResultRow, Any], str],
        python: Callable[[], tuple[str, dict[str, str]]],
    ) -> None:
        self.thresholdAsked, self.teachAsked, self.said, self.failed = Signal(), Signal(), Signal(), Signal()
        self._ui, self._widget = ui, panelWidget
        self._connections = Connections()
        self._busy = False
        self._loaded: set[str] = set()
        self._centred = False
        self.history = UndoHistory(self._confirm)
        self.dicom = DicomExport(panelWidget, python)
        self.table = ResultsTable(ui.resultsPlaceholder, lambda row: whyNoThreshold(row, self.node))
        self._buildButtons()
        self._connect()

    @property
    def node(self) -> Any:
        """The segmentation whose results are shown; None where a new one is to be made."""
        return self._ui.outputSelector.currentNode()

    # --- what the panel tells

    def refresh(self) -> None:
        """Show what the chosen segmentation has now."""
        ui, node = self._ui, self.node
        rows = rowsOfNode(node)
        self.table.show(rows, node)
        steps = bool(self.history.undoName or self.history.redoName)
        for widget in (ui.resultsLabel, ui.exportButton, ui.show3DButton):
            widget.setVisible(bool(rows) or steps)
        for widget in (ui.undoButton, ui.redoButton):
            widget.setVisible(bool(rows) or steps)
        ui.exportButton.enabled = bool(rows)
        ui.show3DButton.setSegmentationNode(node if any(row.segmentId for row in rows) else None)
        self._saySteps()

    def added(self, name: str, change: RunUndo, brief: str) -> None:
        """A run has written into a segmentation."""
        self.history.add(name, change, brief)
        self._show(change.segmentationNode)

    def setBusy(self, busy: bool) -> None:
        """While a run is in progress nothing else changes its segmentation."""
        self._busy = busy
        self.table.setBusy(busy)
        self._saySteps()

    def nodeRemoved(self) -> None:
        self.history.nodeRemoved()
        self.refresh()

    def sceneLoaded(self) -> None:
        """What is in the scene now was made before: nothing of it can be taken back."""
        nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        self._loaded = {node.GetID() for node in nodes if rowsOfNode(node)}
        self.refresh()

    def clear(self) -> None:
        """The scene is gone."""
        self.history.clear()
        self._loaded, self._centred = set(), False
        self.table.show([], None)
        self._ui.show3DButton.setSegmentationNode(None)
        self._saySteps()

    def release(self) -> None:
        """Let go of all connections."""
        self._connections.release()
        self._filter.panel = None
        self.table.release()
        self.dicom.release()
        self.history.clear()
        for signal in (self.thresholdAsked, self.teachAsked, self.said, self.failed):
            signal.disconnectAll()

    # --- undo and redo

    def undo(self) -> None:
        """Take back the last step."""
        if not self._busy:
            self._after(self.history.undo(), _("Undone: {step}."))

    def redo(self) -> None:
        """Do again what was taken back last."""
        if not self._busy:
            self._after(self.history.redo(), _("Done again: {step}."))

    def _after(self, step: Any, sentence: str) -> None:
        if step is not None:
            self._show(step.change.segmentationNode)
            self.said.emit(sentence.format(step=step.name))

    def _confirm(self, edited: list[str]) -> bool:
        return bool(
            slicer.util.confirmOkCancelDisplay(
                _("{names}: changed since then. These changes would be lost.").format(names=", ".join(edited))
            )
        )

    # --- export

    def exportToScene(self) -> Any:
        """A table node with the results."""
        return toTableNode(self.table.rows, self.node)

    def exportCsv(self, path: str) -> None:
        """A CSV file with the results, whole or not at all."""
        try:
            with atomic_path(Path(path), overwrite=True) as temporary:
                temporary.write_text(asCsv(self.table.rows), encoding="utf-8", newline="")
        except SATSegmentError as error:
            self.failed.emit(error)

    def exportDicom(self, format_: str) -> None:
        """A DICOM object that refers to the images of the scan; see `DicomExport`."""
        self.dicom.ask(self.table.rows, self.node, format_)

    def _onExportCsv(self) -> None:
        path = qt.QFileDialog.getSaveFileName(self._widget, _("Results"), "results.csv", "CSV (*.csv)")
        if path:
            self.exportCsv(path)

    # --- how it is made

    def _buildButtons(self) -> None:
        ui = self._ui
        for button, picture in ((ui.undoButton, "undo"), (ui.redoButton, "redo"), (ui.exportButton, "export")):
            button.setIcon(icon(picture, button))
        self.exportMenu = qt.QMenu(self._widget)
        self.toSceneAction = self.exportMenu.addAction(_("As a table in the scene"))
        self.toCsvAction = self.exportMenu.addAction(_("As a CSV file…"))
        self.toSegAction = self.exportMenu.addAction(_("As a DICOM segmentation (SEG)…"))
        self.toStructuresAction = self.exportMenu.addAction(_("As a DICOM structure set (RTSTRUCT)…"))
        ui.exportButton.setMenu(self.exportMenu)
        self._filter = _WidthWatch(self, self._widget)

    def _connect(self) -> None:
        connect = self._connections.connect
        connect(self._ui.inputSelector, "currentNodeChanged(vtkMRMLNode*)", self._onInput)
        connect(self._ui.undoButton, "clicked()", self.undo)
        connect(self._ui.redoButton, "clicked()", self.redo)
        connect(self._ui.show3DButton, "clicked(bool)", self._onShow3D)
        connect(self.toSceneAction, "triggered()", self.exportToScene)
        connect(self.toCsvAction, "triggered()", self._onExportCsv)
        connect(self.toSegAction, "triggered()", lambda: self.exportDicom("dicomseg"))
        connect(self.toStructuresAction, "triggered()", lambda: self.exportDicom("rtstruct"))
        self.dicom.said.connect(self.said.emit)
        self.dicom.failed.connect(self.failed.emit)
        self._connections.filterEvents(self._widget, self._filter)
        self.table.editAsked.connect(self._onEdit)
        self.table.removeAsked.connect(self._onRemove)
        self.table.renameAsked.connect(self._onRename)
        self.table.thresholdAsked.connect(self.thresholdAsked.emit)
        self.table.teachAsked.connect(self.teachAsked.emit)

    def _onInput(self, volumeNode: Any) -> None:
        """Another scan's segmentation takes no results of this one: a new one will be made, and the old one stays."""
        other = volumeOf(self.node)
        if volumeNode is not None and other is not None and other is not volumeNode:
            self._ui.outputSelector.setCurrentNode(None)

    # --- what is done with a row

    def _onEdit(self, row: ResultRow) -> None:
        editInSegmentEditor(self.node, self._ui.inputSelector.currentNode(), row.segmentId)

    def _onRemove(self, row: ResultRow) -> None:
        node = self.node
        change = RunUndo(node, [row.segmentId] if row.segmentId else [])
        if row.segmentId:
            removeSegment(node, row.segmentId)
        addRemoval(node, segment_id(row.prompt))
        change.written()
        self.added(_("removal of {structure}").format(structure=row.prompt.text), change, _("Undo removal"))

    def _onRename(self, row: ResultRow, name: str) -> None:
        change = RenameStep(self.node, row.segmentId, name)
        named = _("renaming to {name}").format(name=name)
        self.added(named, change, _("Undo renaming"))  # type: ignore[arg-type]

    def _onShow3D(self, shown: bool) -> None:
        """The first structures that are shown in an empty 3-D view are brought into its middle, once."""
        node = self.node
        if shown and node is not None and not self._centred and not somethingIn3D(node.GetScene(), node):
            centre3DViews(node)
        self._centred = self._centred or bool(shown)

    # --- what is seen

    def _show(self, node: Any) -> None:
        """Show a segmentation's results, whatever was shown before; one that is gone has none."""
        there = node if node.GetScene() is not None else None
        if self.node is there:
            self.refresh()
        else:
            self._ui.outputSelector.setCurrentNode(there)  # and that shows its results
            self.refresh()

    def _saySteps(self) -> None:
        """Name the steps in the longest words that there is room for; the tool tip has the whole name."""
        ui, history = self._ui, self.history
        nothing = _("Nothing to undo.")
        if self.node is not None and self.node.GetID() in self._loaded:
            nothing = _("Nothing to undo: what was done before the scene was saved cannot be taken back.")
        undo = _("Undo {step}").format(step=history.undoName) if history.undoName else _("Undo")
        redo = _("Redo {step}").format(step=history.redoName) if history.redoName else _("Redo")
        ui.undoButton.text = self._fitting(undo, history.undoBrief, _("Undo"))
        ui.undoButton.setToolTip(f"{undo} (Ctrl+Z)" if history.undoName else nothing)
        ui.redoButton.setToolTip(f"{redo} (Ctrl+Shift+Z)" if history.redoName else _("Nothing to redo."))
        ui.undoButton.setAccessibleName(undo)
        ui.redoButton.setAccessibleName(redo)
        ui.undoButton.enabled = bool(history.undoName) and not self._busy
        ui.redoButton.enabled = bool(history.redoName) and not self._busy

    def _fitting(self, *texts: str) -> str:
        """The first of these texts that fits whole into the undo button; the last one where none does."""
        metrics, room = self._ui.undoButton.fontMetrics(), self._room()
        fits = (text for text in texts if text and metrics.elidedText(text, qt.Qt.ElideRight, room) == text)
        return next(fits, texts[-1])

    def _room(self) -> int:
        """Pixels for the undo button's text beside the other things in its row."""
        ui = self._ui
        others = ui.resultsLabel.sizeHint.width() + ui.exportButton.sizeHint.width() + ui.redoButton.sizeHint.width()
        return max(self._widget.width - others - 80, 40)


class _WidthWatch(qt.QObject):
    """The names of the steps are cut anew where the panel becomes wider or narrower."""

    def __init__(self, panel: ResultsPanel, parent: Any) -> None:
        qt.QObject.__init__(self, parent)
        self.panel: ResultsPanel | None = panel

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if self.panel is not None and event.type() == qt.QEvent.Resize:
            self.panel._saySteps()
        return False
