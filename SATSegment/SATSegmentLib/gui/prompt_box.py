"""The prompt line with its popup, its questions and its chips: what shall be segmented."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import qt
from slicer.i18n import tr as _

from SATSegmentLib import anatomy
from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.gui.chip_model import Chip
from SATSegmentLib.gui.chips import ChipBox
from SATSegmentLib.gui.history import History
from SATSegmentLib.gui.icons import icon
from SATSegmentLib.gui.model_labels import ANY_LABEL, ModelLabels
from SATSegmentLib.gui.popup import Popup
from SATSegmentLib.gui.popup_rows import Row, find, inModel
from SATSegmentLib.gui.presets_menu import PresetsMenu
from SATSegmentLib.gui.prompt_list import isList, readList, readName
from SATSegmentLib.gui.prompt_question import QuestionBar
from SATSegmentLib.gui.prompt_questions import notInModel, questionOf
from SATSegmentLib.gui.question_queue import QuestionQueue
from SATSegmentLib.gui.report_dialog import ReportDialog
from SATSegmentLib.gui.search_tables import areRead, readInBackground
from SATSegmentLib.gui.signal import Connections, Signal
from SATSegmentLib.gui.tree_browser import TreeBrowser
from SATSegmentLib.types import Modality, Prompt

_ENTER = (qt.Qt.Key_Return, qt.Qt.Key_Enter)
_LOOK_AGAIN_MS = 30


class PromptBox:
    """Everything of the panel's part "Structures", in `widget`.

    Typing shows what `anatomy.search` finds; Enter adds what is highlighted; what is no certain reading is asked back,
    one question after the other, in a line below. Nothing is ever added that was not shown.

    Signals
    -------
    promptsChanged(): chips came, went, or became something else.
    runRequested(): Ctrl+Enter in the prompt line, its popup or on a chip.
    teachRequested(): the menu's entry to teach a word from a segment.
    escapePressed(): Esc while there was nothing left to close.
    undoRequested(), redoRequested(): Ctrl+Z and Ctrl+Shift+Z while the line has nothing to take back.

    `ui.promptPlaceholder.layout().addWidget(PromptBox(ui.promptPlaceholder).widget)` puts it into the panel.
    """

    def __init__(self, parent: Any, modality: Modality = "ct", history: History | None = None) -> None:
        self.promptsChanged, self.runRequested, self.teachRequested = Signal(), Signal(), Signal()
        self.escapePressed, self.undoRequested, self.redoRequested = Signal(), Signal(), Signal()
        self.modality: Modality = modality
        self.labels = ANY_LABEL
        self.history = History() if history is None else history
        self._connections = Connections()
        self._build(parent)
        self._connect()
        readInBackground(modality)

    # --- what the panel asks and tells

    def prompts(self) -> tuple[Prompt, ...]:
        """What can be run, in order."""
        return self.chipBox.prompts()

    def misfits(self) -> tuple[Prompt, ...]:
        """What was asked for and is not trained in the chosen modality."""
        return self.chipBox.misfits()

    @property
    def chips(self) -> tuple[Chip, ...]:
        return self.chipBox.chips

    def setModality(self, modality: Modality) -> None:
        """Chips become those of the modality; what SAT was not trained on there stays, and says so."""
        if modality == self.modality:
            return
        self.modality = modality
        self.presets.modality = modality
        self.questions.close()
        self.popup.hide()
        self.chipBox.setModality(modality)
        self.tree.setModality(modality)
        self.report.setModality(modality)
        readInBackground(modality)

    def setLabels(self, labels: ModelLabels) -> None:
        """What the chosen model knows: all else is grey wherever structures are offered, and marked on its chip."""
        if labels == self.labels:
            return
        self.labels = labels
        self.popup.hide()
        for part in (self.presets, self.chipBox, self.tree, self.report):
            part.setLabels(labels)

    def setEnabled(self, enabled: bool) -> None:
        """No changes while a run is on."""
        if not enabled:
            self.popup.hide()
        self.widget.setEnabled(enabled)

    def remember(self) -> None:
        """Put what is asked for to the front of the history; to be called when a run starts."""
        self.history.remember(self.prompts())

    def setFocus(self) -> None:
        self.lineEdit.setFocus()

    def addText(self, text: str) -> None:
        """Take a name, or a list of names; what is no certain reading is asked back, a mere beginning too."""
        if isList(text):
            self._takeList(text)
            return
        if not text.strip():
            return
        entry = readName(text.strip(), self.modality, self.labels.sha256)
        if entry.certain is not None:
            self._takeKnown(*entry.certain)
        else:
            self._ask(entry.text, entry.answer)

    def addPrompts(self, name: str, prompts: Iterable[Prompt]) -> None:
        """Add a preset, a set, or what was chosen elsewhere, as one chip."""
        self.chipBox.add(name, Chip(name, tuple(prompts)).inModality(self.modality).prompts)

    def run(self) -> None:
        """Ask for a run. What is still in the line is taken first; a question that comes of it holds the run back."""
        self.addText(self.lineEdit.text)
        if not self.question.isOpen:
            self.runRequested.emit()

    def clear(self) -> None:
        """No chips, no text, no question."""
        self.questions.close()
        self.lineEdit.clear()
        self.chipBox.clear()

    def release(self) -> None:
        """Let go of everything, so that the panel can be made anew."""
        self._filter.box = None
        self._lookAgain.stop()
        self._connections.release()
        for part in (self.popup, self.presets, self.questions, self.question, self.chipBox, self.tree, self.report):
            part.release()
        for signal in (self.promptsChanged, self.runRequested, self.teachRequested):
            signal.disconnectAll()
        for signal in (self.escapePressed, self.undoRequested, self.redoRequested):
            signal.disconnectAll()

    # --- how it is made

    def _build(self, parent: Any) -> None:
        self.widget = qt.QWidget(parent)
        column = qt.QVBoxLayout(self.widget)
        column.setContentsMargins(0, 0, 0, 0)
        label = qt.QLabel(_("Structures"), self.widget)
        column.addWidget(label)
        row = qt.QHBoxLayout()
        row.setSpacing(2)
        column.addLayout(row)
        self.lineEdit = qt.QLineEdit(self.widget)
        self.lineEdit.setPlaceholderText(_("Type a structure, such as left kidney"))
        self.lineEdit.setClearButtonEnabled(True)
        self.lineEdit.setAccessibleName(_("Structure to segment"))
        self.lineEdit.setAccessibleDescription(_("Suggestions appear while you type. Enter adds, Ctrl+Enter segments."))
        label.setBuddy(self.lineEdit)
        self.treeButton = self._toolButton("tree", _("Browse all structures"))
        self.menuButton = self._toolButton("menu", _("Presets, history, paste, from report"))
        row.addWidget(self.lineEdit)
        row.addWidget(self.treeButton)
        row.addWidget(self.menuButton)
        self.question = QuestionBar(self.widget)
        self.questions = QuestionQueue(self.question)
        # At the top of its room: CTK's flow layout says that it wants all the height there is, whatever it is told.
        column.addWidget(self.question.widget, 0, qt.Qt.AlignTop)
        self.chipBox = ChipBox(self.widget, self.modality)
        column.addWidget(self.chipBox.widget, 0, qt.Qt.AlignTop)
        self.popup = Popup(self.lineEdit)
        self._lookAgain = qt.QTimer(self.widget)
        self._lookAgain.setSingleShot(True)
        self._lookAgain.setInterval(_LOOK_AGAIN_MS)
        self.presets = PresetsMenu(self.menuButton, self.history)
        self.presets.modality = self.modality
        self.menuButton.setMenu(self.presets.menu)
        self.menuButton.setPopupMode(qt.QToolButton.InstantPopup)
        self.tree = TreeBrowser(self.widget, self.modality)
        self.report = ReportDialog(self.widget, self.modality)

    def _toolButton(self, iconName: str, text: str) -> Any:
        button = qt.QToolButton(self.widget)
        button.setAutoRaise(True)
        button.setIcon(icon(iconName, self.widget))
        button.toolTip = text
        button.setAccessibleName(text)
        return button

    def _connect(self) -> None:
        self._filter = _LineKeys(self, self.widget)
        self._connections.filterEvents(self.lineEdit, self._filter)
        self._connections.connect(self.lineEdit, "textEdited(QString)", self._onEdited)
        self._connections.connect(self._lookAgain, "timeout()", self._suggest)
        self._connections.connect(self.treeButton, "clicked()", self._onTree)
        self.popup.chosen.connect(self._onChosen)
        self.popup.entered.connect(self._onEnter)
        self.popup.runRequested.connect(self.run)
        self.question.named.connect(self._saveAs)
        self.questions.answered.connect(self._onAnswer)
        self.questions.moved.connect(self.setFocus)
        self.chipBox.changed.connect(self._onChips)
        self.chipBox.leftToLine.connect(self.setFocus)
        self.presets.picked.connect(self.addPrompts)
        self.presets.pasteRequested.connect(self._onPasteRequested)
        self.presets.reportRequested.connect(self.report.open)
        self.presets.teachRequested.connect(self.teachRequested.emit)
        self.presets.saveRequested.connect(self._onSave)
        self.presets.forgetRequested.connect(self._onForget)
        self.presets.clearRequested.connect(self.clear)
        self.tree.toggled.connect(self._onTreeToggled)
        self.report.accepted.connect(self._onReport)

    # --- typing

    def _onEdited(self, text: str) -> None:
        self.questions.close()
        if isList(text) and any(mark in text for mark in "\n\r\u2028\u2029"):
            # Pasted with the mouse: the line cannot show it.
            self.lineEdit.clear()
            self._takeList(text)
            return
        self._suggest()

    def _suggest(self) -> None:
        """Show what fits the line's text; where the tables are still being read, as soon as they are."""
        text = self.lineEdit.text
        if not text.strip():
            self.popup.hide()
            return
        if not areRead(self.modality):
            self._lookAgain.start()
            return
        found = find(text, self.modality, self.labels)
        self.popup.show(found.rows, highlightFirst=found.certain)

    def _onEnter(self) -> None:
        self.addText(self.lineEdit.text)

    def _onChosen(self, row: Row) -> None:
        if row.prompts or row.withheld:
            self._takeKnown(row.name, row.prompts or row.withheld)
        else:
            self._ask(row.name, anatomy.resolve(row.name, self.modality, self.labels.sha256))

    def _ask(self, text: str, answer: anatomy.Resolution) -> None:
        self.questions.ask([questionOf(text, answer, self.modality, self.labels)])

    def _takeKnown(self, name: str, prompts: tuple[Prompt, ...]) -> None:
        """Add what the model knows at least in part; of all else it is asked whether it shall be there."""
        if len(self.labels.unknown(prompts)) < len(prompts):
            self._take(name, prompts)
        else:
            self.questions.ask([notInModel(name, prompts, self.labels)])

    def _take(self, name: str, prompts: tuple[Prompt, ...]) -> None:
        self.questions.close()
        self.lineEdit.clear()
        if not self.chipBox.add(name, prompts):
            self.question.ask(_("{name} is already in the list.").format(name=name))

    def _takeList(self, text: str) -> None:
        """What is certain becomes chips at once; the rest is asked, one after the other."""
        self.lineEdit.clear()
        questions = []
        for entry in readList(text, self.modality, self.labels.sha256):
            if entry.certain is not None:
                self.chipBox.add(*entry.certain)
            else:
                questions.append(questionOf(entry.text, entry.answer, self.modality, self.labels))
        self.questions.ask(questions)

    def paste(self) -> bool:
        """Take a list from the clipboard; False where it holds none, and the line may take it as text."""
        text = qt.QApplication.clipboard().text()
        if not isList(text):
            return False
        self._takeList(text)
        return True

    def showRecent(self) -> None:
        """The history, or what fits the text that is there, in the popup."""
        if self.lineEdit.text.strip():
            self._suggest()
        else:
            rows = tuple(inModel(row, self.labels) for row in self.history.recent(self.modality))
            self.popup.show(rows, highlightFirst=bool(rows) and rows[0].enabled)

    def _onAnswer(self, name: str, prompts: tuple[Prompt, ...]) -> None:
        self.lineEdit.clear()
        self.chipBox.add(name, prompts)

    # --- the menu, the tree, the report

    def _onPasteRequested(self) -> None:
        self.setFocus()
        if not self.paste():
            self.addText(qt.QApplication.clipboard().text())

    def _onSave(self) -> None:
        self.questions.close()
        self.question.askName(_("Name of the set with these {count} structures:").format(count=len(self.prompts())))

    def _saveAs(self, name: str) -> None:
        try:
            self.history.save(name, self.prompts())
        except SATSegmentError as error:
            self.question.ask(str(error))
            return
        self.questions.close()
        self.setFocus()

    def _onForget(self, name: str) -> None:
        try:
            self.history.remove(name)
        except SATSegmentError as error:
            self.question.ask(str(error))

    def _onTree(self) -> None:
        self.tree.open(self.prompts())

    def _onTreeToggled(self, added: tuple[Prompt, ...], removed: tuple[Prompt, ...]) -> None:
        if removed:
            self.chipBox.discard(removed)
        self.chipBox.addEach(added)

    def _onReport(self, prompts: tuple[Prompt, ...]) -> None:
        self.chipBox.addEach(prompts)
        self.setFocus()

    def _onChips(self) -> None:
        self.presets.hasChips = bool(self.chips)
        self.tree.setChecked(self.prompts())
        # Chips are made last, and Tab would come to them last: after the log.
        stops = [self.lineEdit, self.treeButton, self.menuButton, *(chip.button for chip in self.chipBox.widgets)]
        for before, after in itertools.pairwise(stops):
            qt.QWidget.setTabOrder(before, after)
        self.promptsChanged.emit()


class _LineKeys(qt.QObject):
    """Keys in the prompt line while no popup is open."""

    def __init__(self, box: PromptBox, parent: Any) -> None:
        qt.QObject.__init__(self, parent)
        self.box: PromptBox | None = box

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if self.box is None or event.type() != qt.QEvent.KeyPress:
            return False
        box, key = self.box, event.key()
        if key in _ENTER:
            if event.modifiers() & qt.Qt.ControlModifier:
                box.run()
            else:
                box.addText(box.lineEdit.text)
            return True
        if event.matches(qt.QKeySequence.Paste):
            return box.paste()
        if event.matches(qt.QKeySequence.Undo) and not box.lineEdit.text:
            # The line would swallow it: it takes Ctrl+Z for its own even where it has nothing to take back.
            box.undoRequested.emit()
            return True
        if event.matches(qt.QKeySequence.Redo) and not box.lineEdit.text:
            box.redoRequested.emit()
            return True
        if key == qt.Qt.Key_Backspace and not box.lineEdit.text:
            box.chipBox.removeLast()
            return True
        if key == qt.Qt.Key_Down:
            if box.question.isOpen:
                box.question.focusFirst()
            else:
                box.showRecent()
            return True
        if key == qt.Qt.Key_Escape:
            return self._escape(box)
        return False

    @staticmethod
    def _escape(box: PromptBox) -> bool:
        if box.question.isOpen:
            box.question.dismiss()
        elif box.lineEdit.text:
            box.lineEdit.clear()
        else:
            box.escapePressed.emit()
        return True
