"""The panel: the parts of SATSegment's module, and what they tell each other."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from SATSegmentLib.anatomy.personal.user_words import WordFile, find_words
from SATSegmentLib.errors import SATSegmentError, ScanError
from SATSegmentLib.files import atomic_path
from SATSegmentLib.gui.icons import icon
from SATSegmentLib.gui.modality import NAMES, Guess, guessModality, mismatch
from SATSegmentLib.gui.model_labels import ANY_LABEL, ModelLabels
from SATSegmentLib.gui.panel_state import INPUT, OUTPUT, PanelState
from SATSegmentLib.gui.prompt_box import PromptBox
from SATSegmentLib.gui.results_model import ResultRow, asCsv, merged, rowsOf, toTableNode
from SATSegmentLib.gui.results_table import ResultsTable, editInSegmentEditor
from SATSegmentLib.gui.run_controller import RunController, clock
from SATSegmentLib.gui.scan_watch import ScanWatch
from SATSegmentLib.gui.settings_panel import SettingsPanel
from SATSegmentLib.gui.setup_panel import SetupPanel
from SATSegmentLib.gui.signal import Connections
from SATSegmentLib.gui.teach_bar import TeachBar
from SATSegmentLib.mrml.segmentations import removeSegment
from SATSegmentLib.mrml.undo import RunUndo
from SATSegmentLib.mrml.volumes import checkVolume
from SATSegmentLib.types import DEFAULT_THRESHOLD, MODALITIES, Modality


class Panel:
    """All parts over one loaded `SATSegment.ui`.

    Parameters
    ----------
    uiWidget: the widget of the .ui file, with its scene set.
    logic: the module's logic.
    python: gives the interpreter and the environment of child processes.
    """

    def __init__(self, uiWidget: Any, logic: Any, python: Any) -> None:
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        self.widget, self.logic = uiWidget, logic
        self._connections = Connections()
        self._observed: list[tuple[Any, int]] = []
        self._guess = Guess(None, "")
        self._modalityByHand = False
        self._scanError = ""
        self._scanWatch = ScanWatch(self._lookAtScan)
        # By id of the segmentation node: each has the table of its own runs.
        self._rows: dict[str, list[ResultRow]] = {}
        self._undo: tuple[RunUndo, list[ResultRow]] | None = None
        self.promptBox = PromptBox(self.ui.promptPlaceholder)
        # Not `ui.promptPlaceholderLayout`: childWidgetVariables leaves out layouts that are empty when they are loaded.
        self.ui.promptPlaceholder.layout().addWidget(self.promptBox.widget)
        self.settings = SettingsPanel(self.ui)
        self.setup = SetupPanel(self.ui, self.settings, python)
        self.results = ResultsTable(self.ui.resultsPlaceholder)
        self.teachBar = TeachBar(self.ui.resultsPlaceholder)
        self.run = RunController(self.ui, self._startRun, self._onProcessor)
        self._buildExport()
        self._connect()
        self._observeScene()
        self._fromScene()
        self._onReady(self.setup.isReady)

    # --- Slicer tells

    def enter(self) -> None:
        """The module comes to the front."""
        self.setup.refresh()
        self.promptBox.setFocus()

    def exit(self) -> None:
        """The module goes to the back; a run goes on."""

    def cleanup(self) -> None:
        """Let go of everything: the panel is closed or made anew."""
        for source, tag in self._observed:
            source.RemoveObserver(tag)
        self._observed = []
        self._connections.release()
        for part in (self._scanWatch, self.run, self.setup, self.settings, self.results, self.teachBar):
            part.release()
        self.promptBox.cleanup()
        self._undo = None

    # --- how it is wired

    def _connect(self) -> None:
        ui, connect = self.ui, self._connections.connect
        connect(ui.inputSelector, "currentNodeChanged(vtkMRMLNode*)", self._onInput)
        connect(ui.outputSelector, "currentNodeChanged(vtkMRMLNode*)", self._onOutput)
        connect(ui.modalityComboBox, "currentIndexChanged(int)", self._onModality)
        connect(ui.modalityComboBox, "activated(int)", self._onModalityByHand)
        connect(ui.undoButton, "clicked()", self.undo)
        self._shortcut("Ctrl+Return", self.run.run)
        self._shortcut("Ctrl+Enter", self.run.run)
        self._shortcut("Esc", self.run.escape)
        self._shortcut("Ctrl+Z", self.undo)
        self.promptBox.promptsChanged.connect(self._onPrompts)
        self.promptBox.runRequested.connect(self.run.run)
        self.promptBox.escapePressed.connect(self.run.escape)
        self.promptBox.undoRequested.connect(self.undo)
        self.setup.ready.connect(self._onReady)
        self.setup.failed.connect(self.run.showError)
        self.setup.logged.connect(self.run.log)
        self.run.started.connect(self._onStarted)
        self.run.ended.connect(self._onEnded)
        self.results.editAsked.connect(self._onEdit)
        self.results.teachAsked.connect(self._onTeachRow)
        self.promptBox.teachRequested.connect(self._onTeachAsked)
        self.teachBar.asked.connect(self.teach)
        self.results.removeAsked.connect(self._onRemove)
        self.results.thresholdAsked.connect(self._onThreshold)

    def _shortcut(self, keys: str, slot: Any) -> None:
        shortcut = qt.QShortcut(qt.QKeySequence(keys), self.widget)
        shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
        self._connections.connect(shortcut, "activated()", slot)

    def _buildExport(self) -> None:
        self.ui.undoButton.setIcon(icon("undo", self.ui.undoButton))
        self.ui.exportButton.setIcon(icon("export", self.ui.exportButton))
        self._exportMenu = qt.QMenu(self.widget)
        self._toSceneAction = self._exportMenu.addAction(_("As a table in the scene"))
        self._toCsvAction = self._exportMenu.addAction(_("As a CSV file…"))
        self.ui.exportButton.setMenu(self._exportMenu)
        self._connections.connect(self._toSceneAction, "triggered()", self.exportToScene)
        self._connections.connect(self._toCsvAction, "triggered()", self._onExportCsv)

    def _observeScene(self) -> None:
        scene = slicer.mrmlScene
        for event, slot in (
            (scene.StartCloseEvent, self._onSceneCloses),
            (scene.EndCloseEvent, self._onSceneClosed),
            (scene.EndImportEvent, self._onSceneClosed),
            (scene.NodeRemovedEvent, self._onNodeRemoved),
        ):
            self._observed.append((scene, scene.AddObserver(event, slot)))

    # --- the scene

    def _fromScene(self) -> None:
        """Show what the scene's parameter node says."""
        self.state = PanelState(slicer.mrmlScene)
        volumeNode, outputNode = self.state.reference(INPUT), self.state.reference(OUTPUT)
        prompts, modality = self.state.prompts, self.state.modality
        if volumeNode is not None:
            self.ui.inputSelector.setCurrentNode(volumeNode)
        self.ui.outputSelector.setCurrentNode(outputNode)
        self._onInput(self.ui.inputSelector.currentNode())
        if modality is not None:
            self.ui.modalityComboBox.setCurrentIndex(MODALITIES.index(modality))
            self._modalityByHand = modality != self._guess.modality
        self._onModality()
        for prompt in prompts:
            self.promptBox.addPrompts(prompt.text, [prompt])
        self._onOutput(self.ui.outputSelector.currentNode())

    def _onSceneCloses(self, caller: Any, event: str) -> None:
        self.run.abandon()
        self._setBusy(False)
        self._undo = None
        self._rows.clear()
        self.promptBox.clear()
        self.results.show([], None)
        self.teachBar.close()
        self.ui.show3DButton.setSegmentationNode(None)

    def _onSceneClosed(self, caller: Any, event: str) -> None:
        self._fromScene()

    def _onNodeRemoved(self, caller: Any, event: str) -> None:
        if self._undo is not None and not self._undo[0].possible:
            self._undo = None
        self._sayResults()

    # --- scan, modality, result

    def _onInput(self, volumeNode: Any) -> None:
        self.state.setReference(INPUT, volumeNode)
        self._guess, self._modalityByHand = Guess(None, ""), False
        self._scanWatch.watch(volumeNode)
        if volumeNode is not None and volumeNode.GetImageData() is None:
            # Just added; its loader goes on, and the watch tells of it.
            self.ui.modalityReasonLabel.text = ""
            self._sayPossible()
        else:
            self._lookAtScan()

    def _lookAtScan(self) -> None:
        """Say what the scan is, or why it cannot be used; what the user chose by hand stays."""
        volumeNode, before = self.ui.inputSelector.currentNode(), self._guess
        if self.run.running:
            return
        self._guess = Guess(None, "")
        if volumeNode is not None:
            try:
                checkVolume(volumeNode)
                self._guess = guessModality(volumeNode)
                self._closeScanError()
            except SATSegmentError as error:
                if str(error) != self._scanError:
                    self.run.showError(error)
                self._scanError = str(error)
        else:
            self._closeScanError()
        guessed = self._guess.modality
        if guessed is not None and guessed != before.modality and not self._modalityByHand:
            self.ui.modalityComboBox.setCurrentIndex(MODALITIES.index(guessed))
        self.ui.modalityReasonLabel.text = self._guess.reason
        self._sayPossible()

    def _closeScanError(self) -> None:
        """Where the message is of the scan, and the scan is right now; what else went wrong stays to be read."""
        if self._scanError and self.ui.errorLabel.text == self._scanError:
            self.run.closeError()
        self._scanError = ""

    def _onModalityByHand(self, index: int) -> None:
        self._modalityByHand = True

    def _onModality(self, *_: Any) -> None:
        self.state.modality = self.modality
        self.promptBox.setModality(self.modality)
        self._sayPossible()

    @property
    def modality(self) -> Modality:
        return MODALITIES[max(self.ui.modalityComboBox.currentIndex, 0)]

    def _onOutput(self, segmentationNode: Any) -> None:
        self.state.setReference(OUTPUT, segmentationNode)
        self.teachBar.close()
        self._sayResults()

    def _onPrompts(self) -> None:
        self.state.prompts = self.promptBox.prompts()
        self._sayPossible()

    def _onReady(self, ready: bool) -> None:
        settings = self.settings
        self.promptBox.setLabels(ModelLabels.of(settings.modelFolder, settings.modelTitle) if ready else ANY_LABEL)
        self._sayPossible()

    def _sayPossible(self) -> None:
        volumeNode, prompts = self.ui.inputSelector.currentNode(), self.promptBox.prompts()
        text = ""
        if volumeNode is not None:
            text = mismatch(volumeNode, self._guess, self.modality, [*prompts, *self.promptBox.misfits()])
        unknown = self.promptBox.labels.unknown(prompts)
        if unknown and not text:
            text = _("{model} was not trained on {structures}. Choose another model in Settings.").format(
                model=self.settings.modelTitle, structures=", ".join(prompt.text for prompt in unknown[:3])
            )
        self.ui.mismatchLabel.text = text
        self.ui.mismatchLabel.setVisible(bool(text))
        ready = self.setup.isReady
        self.ui.runButton.setVisible(ready)
        self.run.setPossible(len(prompts) - len(unknown), ready and volumeNode is not None)

    # --- a run

    def _startRun(self, **callbacks: Any) -> Any:
        return self._segment(self.promptBox.prompts(), DEFAULT_THRESHOLD, **callbacks)

    def _segment(self, prompts: Any, threshold: float, **callbacks: Any) -> Any:
        volumeNode = self.ui.inputSelector.currentNode()
        if volumeNode is None:
            raise ScanError("No volume is chosen.", "Load a scan, and choose it on top of the panel.")
        self.run.log(
            f"{NAMES[self.modality]}, {self.settings.modelTitle}, {self.settings.device}, {self.settings.precision}: "
            + ", ".join(prompt.text for prompt in prompts)
        )
        return self.logic.segmentAsync(
            volumeNode,
            list(prompts),
            dataclasses.replace(self.settings.options, threshold=threshold),
            self.modality,
            self.ui.outputSelector.currentNode(),
            **callbacks,
        )

    def _onStarted(self) -> None:
        self.promptBox.remember()
        self._setBusy(True)

    def _onEnded(self, output: Any, error: BaseException | None) -> None:
        self._setBusy(False)
        if isinstance(output, WordFile):
            self.teachBar.close()
        elif output is not None:
            node = output.segmentationNode
            before = self._rows.get(node.GetID(), [])
            self._undo = (output.undo, before)
            self._rows[node.GetID()] = merged(before, rowsOf(output.results, output.threshold))
            if self.ui.outputSelector.currentNode() is node:
                self._sayResults()
            else:
                self.ui.outputSelector.setCurrentNode(node)  # and that shows its results
        self.promptBox.setFocus()

    def _setBusy(self, busy: bool) -> None:
        """What would take a run's ground away is out of reach while it is on."""
        for widget in (self.ui.inputSelector, self.ui.modalityComboBox, self.ui.outputSelector):
            widget.enabled = not busy
        for widget in (self.ui.modelComboBox, self.ui.deviceComboBox, self.ui.precisionComboBox):
            widget.enabled = not busy
        self.promptBox.setEnabled(not busy)
        self.results.setBusy(busy)
        self.teachBar.setBusy(busy)
        self.ui.undoButton.enabled = not busy and self._undo is not None

    def _onProcessor(self) -> None:
        self.settings.chooseDevice("cpu")
        self.run.run()

    # --- results

    def _sayResults(self) -> None:
        node = self.ui.outputSelector.currentNode()
        rows = self._rows.get(node.GetID(), []) if node is not None else []
        self.results.show(rows, node)
        for widget in (self.ui.resultsLabel, self.ui.exportButton, self.ui.undoButton, self.ui.show3DButton):
            widget.setVisible(bool(rows) or self._undo is not None)
        self.ui.exportButton.enabled = bool(rows)
        self.ui.undoButton.enabled = self._undo is not None and not self.run.running
        self.ui.show3DButton.setSegmentationNode(node if any(row.segmentId for row in rows) else None)

    def _onEdit(self, row: ResultRow) -> None:
        editInSegmentEditor(self.ui.outputSelector.currentNode(), self.ui.inputSelector.currentNode(), row.segmentId)

    def _onRemove(self, row: ResultRow) -> None:
        node = self.ui.outputSelector.currentNode()
        before = self._rows[node.GetID()]
        if row.segmentId:
            undo = RunUndo(node, [row.segmentId])
            removeSegment(node, row.segmentId)
            undo.written()
            self._undo = (undo, before)
        self._rows[node.GetID()] = [one for one in before if one is not row]
        self._sayResults()

    def _onThreshold(self, row: ResultRow, threshold: float) -> None:
        """Decode this structure again: the scan's features are still there, so the windows are not encoded anew."""

        self.run.run(lambda **callbacks: self._segment([row.prompt], threshold, **callbacks))

    # --- teaching

    def _onTeachRow(self, row: ResultRow) -> None:
        self.teachBar.open(self.ui.outputSelector.currentNode(), row.segmentId)

    def _onTeachAsked(self) -> None:
        self.teachBar.open(self.ui.outputSelector.currentNode())

    def teach(self, segmentId: str, name: str) -> None:
        """Make a segment of the result a word of this name."""
        if find_words(name, self.modality) and not slicer.util.confirmOkCancelDisplay(
            _("There is a word {name} already. Where it was taught to this model, it is replaced.").format(name=name)
        ):
            return

        def start(**callbacks: Any) -> Any:
            return self.logic.teachAsync(
                self.ui.inputSelector.currentNode(),
                self.ui.outputSelector.currentNode(),
                segmentId,
                name,
                self.settings.options,
                self.modality,
                **callbacks,
            )

        self.run.run(start, self._tellTaught)

    def _tellTaught(self, word: WordFile, seconds: float) -> str:
        text = _("“{name}” can be asked for now: {quality} · {time}").format(
            name=word.record.name, quality=word.record.quality(), time=clock(seconds)
        )
        self.run.log(text)
        return text

    def undo(self) -> None:
        """Take back the last run, or the last removal."""
        if self._undo is None or self.run.running:
            return
        undo, rows = self._undo
        edited = undo.editedSince()
        if edited and not slicer.util.confirmOkCancelDisplay(
            _("{names}: changed after the run. Undo takes these changes away too.").format(names=", ".join(edited))
        ):
            return
        self._undo = None
        nodeId = undo.segmentationNode.GetID()
        undo.undo()
        self._rows[nodeId] = rows
        self._sayResults()

    def exportToScene(self) -> Any:
        """A table node with the results."""
        return toTableNode(self.results.rows, self.ui.outputSelector.currentNode())

    def exportCsv(self, path: str) -> None:
        """A CSV file with the results, whole or not at all."""
        try:
            with atomic_path(Path(path), overwrite=True) as temporary:
                temporary.write_text(asCsv(self.results.rows), encoding="utf-8", newline="")
        except SATSegmentError as error:
            self.run.showError(error)

    def _onExportCsv(self) -> None:
        path = qt.QFileDialog.getSaveFileName(self.widget, _("Results"), "results.csv", "CSV (*.csv)")
        if path:
            self.exportCsv(path)
