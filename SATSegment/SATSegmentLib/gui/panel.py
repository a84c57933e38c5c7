"""The panel: the parts of SATSegment's module, and what they tell each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from SATSegmentLib.anatomy.personal.user_words import WordFile, find_words
from SATSegmentLib.errors import Cancelled, CheckpointError, ModelNotFound, SATSegmentError, ScanError
from SATSegmentLib.gui.away_progress import AwayProgress
from SATSegmentLib.gui.modality import Guess, guessModality, mismatch
from SATSegmentLib.gui.model_labels import ANY_LABEL
from SATSegmentLib.gui.panel_state import INPUT, OUTPUT, PanelState
from SATSegmentLib.gui.prompt_box import PromptBox
from SATSegmentLib.gui.results_model import ResultRow, decimals
from SATSegmentLib.gui.results_panel import ResultsPanel
from SATSegmentLib.gui.run_controller import RunController, clock
from SATSegmentLib.gui.scan_watch import ScanWatch
from SATSegmentLib.gui.settings_panel import SettingsPanel
from SATSegmentLib.gui.setup_panel import SetupPanel
from SATSegmentLib.gui.signal import Connections
from SATSegmentLib.gui.teach_bar import TeachBar
from SATSegmentLib.gui.warm_start import WarmStart
from SATSegmentLib.mrml.views import moveToResults, sliceStates
from SATSegmentLib.mrml.volumes import checkVolume, volumeOf
from SATSegmentLib.types import DEFAULT_THRESHOLD, MODALITIES, MODALITY_TITLES, Modality, Prompt


class Panel:
    """All parts over one loaded `SATSegment.ui`.

    Parameters
    ----------
    uiWidget : Any
        The widget of the .ui file, with its scene set.
    logic : Any
        The module's logic.
    python : Any
        Gives the interpreter and the environment of child processes.
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
        # What the run in progress will be called in the undo button, and where the slice views stood when it began.
        self._step = ("", "")
        self._slices: dict[str, tuple[float, ...]] = {}
        self.promptBox = PromptBox(self.ui.promptPlaceholder)
        # Not `ui.promptPlaceholderLayout`: childWidgetVariables leaves out layouts that are empty when they are loaded.
        self.ui.promptPlaceholder.layout().addWidget(self.promptBox.widget)
        self.settings = SettingsPanel(self.ui)
        self.setup = SetupPanel(self.ui, self.settings, python)
        self.resultsPanel = ResultsPanel(self.ui, self.widget, self._whyNoThreshold, python)
        self.results = self.resultsPanel.table
        self.teachBar = TeachBar(self.ui.resultsPlaceholder)
        self.run = RunController(self.ui, self._startRun, self._onProcessor)
        self.away = AwayProgress(self.run.cancel)
        self.warmStart = WarmStart(self.ui.loadAheadCheckBox, logic.loadAhead, self._optionsToCome)
        self._connect()
        self._observeScene()
        self._fromScene()
        self._onReady(self.setup.isReady)

    # --- Slicer tells

    def enter(self) -> None:
        """The module comes to the front."""
        self.away.enter()
        if not self.run.running:
            self.settings.refreshModels()
        self.setup.refresh()
        self.promptBox.setFocus()
        self.warmStart.opened()

    def exit(self) -> None:
        """The module goes to the back; a run goes on."""
        self.away.leave(self.run.running)
        self.warmStart.left()

    def release(self) -> None:
        """Let go of everything: the panel is closed or made anew."""
        for source, tag in self._observed:
            source.RemoveObserver(tag)
        self._observed = []
        self._connections.release()
        parts = (self._scanWatch, self.warmStart, self.run, self.setup, self.settings)
        for part in (*parts, self.resultsPanel, self.teachBar, self.away):
            part.release()
        self.promptBox.release()

    # --- how it is wired

    def _connect(self) -> None:
        ui, connect = self.ui, self._connections.connect
        connect(ui.inputSelector, "currentNodeChanged(vtkMRMLNode*)", self._onInput)
        connect(ui.outputSelector, "currentNodeChanged(vtkMRMLNode*)", self._onOutput)
        connect(ui.modalityComboBox, "currentIndexChanged(int)", self._onModality)
        connect(ui.modalityComboBox, "activated(int)", self._onModalityByHand)
        run, undo, redo = self.run.run, self.resultsPanel.undo, self.resultsPanel.redo
        keys = {"Ctrl+Return": run, "Ctrl+Enter": run, "Esc": self.run.escape}
        for key, slot in {**keys, "Ctrl+Z": undo, "Ctrl+Shift+Z": redo, "Ctrl+Y": redo}.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), self.widget)
            shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
            connect(shortcut, "activated()", slot)
        self.promptBox.promptsChanged.connect(self._onPrompts)
        self.promptBox.runRequested.connect(self.run.run)
        self.promptBox.escapePressed.connect(self.run.escape)
        self.promptBox.undoRequested.connect(self.resultsPanel.undo)
        self.promptBox.redoRequested.connect(self.resultsPanel.redo)
        self.setup.ready.connect(self._onReady)
        self.setup.failed.connect(self.run.showError)
        self.setup.logged.connect(self.run.log)
        self.run.started.connect(self._onStarted)
        self.run.ended.connect(self._onEnded)
        self.run.progressed.connect(self.away.progressed)
        self.resultsPanel.teachAsked.connect(self._onTeachRow)
        self.resultsPanel.thresholdAsked.connect(self._onThreshold)
        self.resultsPanel.said.connect(self.run.say)
        self.resultsPanel.failed.connect(self.run.showError)
        self.promptBox.teachRequested.connect(self._onTeachAsked)
        self.teachBar.asked.connect(self.teach)

    def _observeScene(self) -> None:
        scene = slicer.mrmlScene
        for event, slot in (
            (scene.StartCloseEvent, self._onSceneCloses),
            (scene.EndCloseEvent, lambda *_: self._fromScene()),
            (scene.EndImportEvent, self._onSceneLoaded),
            (scene.NodeRemovedEvent, lambda *_: self.resultsPanel.nodeRemoved()),
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
        self.away.ended("")
        self.run.forget()
        self.promptBox.clear()
        self.resultsPanel.clear()
        self.teachBar.close()

    def _onSceneLoaded(self, caller: Any, event: str) -> None:
        self.run.forget()
        self._fromScene()
        self.resultsPanel.sceneLoaded()

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
        if volumeNode is not None:
            self.warmStart.runMayCome()

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
        self.resultsPanel.refresh()

    def _onPrompts(self) -> None:
        self.state.prompts = self.promptBox.prompts()
        self._sayPossible()

    def _onReady(self, ready: bool) -> None:
        self.promptBox.setLabels(self.settings.labels if ready else ANY_LABEL)
        self._sayPossible()
        self.warmStart.look()

    def _optionsToCome(self) -> Any:
        """Of the run that could be started here now; None where none could, or where a server does it."""
        possible = self.setup.isReady and not self.run.running and not self.settings.server.url
        return self.settings.options if possible else None

    def _sayPossible(self) -> None:
        volumeNode, prompts = self.ui.inputSelector.currentNode(), self.promptBox.prompts()
        text = ""
        if volumeNode is not None:
            text = mismatch(volumeNode, self._guess, self.modality, [*prompts, *self.promptBox.misfits()])
        unknown = self.promptBox.labels.unknown(prompts)
        if unknown and not text:
            text = _("{model} was not trained on {structures}. Choose another model in Settings, or they are left out.")
            text = text.format(
                model=self.settings.modelTitle, structures=", ".join(prompt.text for prompt in unknown[:3])
            )
        self.ui.mismatchLabel.text = text
        self.ui.mismatchLabel.setVisible(bool(text))
        ready = self.setup.isReady
        self.ui.runButton.setVisible(ready)
        self.run.setPossible(len(prompts) - len(unknown), ready and volumeNode is not None)

    # --- a run

    def _startRun(self, **callbacks: Any) -> Any:
        prompts = self.promptBox.prompts()
        asked = prompts[0].text if len(prompts) == 1 else _("{count} structures").format(count=len(prompts))
        self._step = (_("segmentation of {structures}").format(structures=asked), _("Undo segmentation"))
        return self._segment(
            self.ui.inputSelector.currentNode(), prompts, self.modality, DEFAULT_THRESHOLD, **callbacks
        )

    def _segment(
        self, volumeNode: Any, prompts: Sequence[Prompt], modality: Modality, threshold: float, **callbacks: Any
    ) -> Any:
        if volumeNode is None:
            raise ScanError("No volume is chosen.", "Load a scan, and choose it on top of the panel.")
        self._slices = sliceStates(slicer.mrmlScene)
        self.settings.server.applyTo(self.logic)
        self.run.log(
            f"{MODALITY_TITLES[modality]}, {self.settings.modelTitle}, {self.settings.device}, "
            f"{self.settings.precision}: " + ", ".join(prompt.text for prompt in prompts)
        )
        return self.logic.segmentAsync(
            volumeNode,
            list(prompts),
            dataclasses.replace(self.settings.options, threshold=threshold),
            modality,
            self.ui.outputSelector.currentNode(),
            **callbacks,
        )

    def _onStarted(self) -> None:
        self.promptBox.remember()
        self._setBusy(True)
        self.away.began()

    def _onEnded(self, output: Any, error: BaseException | None) -> None:
        self._setBusy(False)
        self.away.ended("" if isinstance(error, Cancelled) else self.run.told)
        if isinstance(error, Cancelled):  # a cancel may have ended the engine
            self.warmStart.runMayCome()
        elif isinstance(error, ModelNotFound | CheckpointError) and not self.settings.server.isChosen:
            self.settings.refreshModels()
            self.setup.refresh()
        if isinstance(output, WordFile):
            self.teachBar.close()
        elif output is not None:
            self.resultsPanel.added(self._step[0], output.undo, self._step[1])
            node = output.segmentationNode
            moveToResults(node, volumeOf(node), output.results, self._slices)
        self.promptBox.setFocus()

    def _setBusy(self, busy: bool) -> None:
        """Disable everything that would invalidate a running job."""
        for widget in (self.ui.inputSelector, self.ui.modalityComboBox, self.ui.outputSelector):
            widget.enabled = not busy
        self.settings.setBusy(busy)
        self.promptBox.setEnabled(not busy)
        self.resultsPanel.setBusy(busy)
        self.teachBar.setBusy(busy)

    def _onProcessor(self) -> None:
        self.settings.chooseDevice("cpu")
        self.run.run()

    # --- results

    def _whyNoThreshold(self, row: ResultRow, segmentationNode: Any) -> str:
        """Why a structure cannot be decoded again with another threshold; nothing where it can."""
        volumeNode = volumeOf(segmentationNode)
        if volumeNode is None or volumeNode.GetImageData() is None:
            return _("The threshold can no longer be changed: the scan of this result is not in the scene.")
        if not self.setup.isReady:
            return _("The threshold can be changed once a model is installed.")
        chosen = self.settings.modelSha256
        if chosen and row.modelSha256 and chosen != row.modelSha256:
            return _("The threshold can be changed with the model that found this: choose {model} in Settings.").format(
                model=row.model
            )
        return ""

    def _onThreshold(self, row: ResultRow, threshold: float) -> None:
        """Decode this structure again, in the scan that it was found in, whichever is chosen now.

        As long as the scan's features are kept its windows are not encoded anew.
        """

        def start(**callbacks: Any) -> Any:
            self._step = (_("threshold of {structure}").format(structure=row.prompt.text), _("Undo threshold"))
            volumeNode = volumeOf(self.resultsPanel.node)
            return self._segment(volumeNode, [row.prompt], row.prompt.modality, threshold, **callbacks)

        def tell(output: Any, seconds: float) -> str:
            (result,) = output.results
            now = _("{volume} mL").format(volume=decimals(result.volume_ml, 1)) if result.voxels else _("not found")
            before = _("{volume} mL").format(volume=decimals(row.volumeMl, 1)) if row.segmentId else _("not found")
            return _("{structure} with threshold {threshold}: {now}, was {before} · {time}").format(
                structure=row.prompt.text, threshold=decimals(threshold, 2), now=now, before=before, time=clock(seconds)
            )

        self.run.run(start, tell)

    # --- teaching

    def _onTeachRow(self, row: ResultRow) -> None:
        self.teachBar.open(self.resultsPanel.node, row.segmentId)

    def _onTeachAsked(self) -> None:
        self.teachBar.open(self.ui.outputSelector.currentNode())

    def teach(self, segmentId: str, name: str) -> None:
        """Make a segment of the result a word of this name."""
        if find_words(name, self.modality) and not slicer.util.confirmOkCancelDisplay(
            _("A word {name} already exists. Where it was taught to this model, it is replaced.").format(name=name)
        ):
            return

        def start(**callbacks: Any) -> Any:
            self.settings.server.applyTo(self.logic)
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
