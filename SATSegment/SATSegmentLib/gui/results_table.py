"""The table of results, and what can be done with a structure in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from SATSegmentLib.anatomy.personal.user_words import is_taught
from SATSegmentLib.anatomy.vocabulary.labels import label_of
from SATSegmentLib.gui.icons import icon
from SATSegmentLib.gui.language import languageChanged, localName, withLocalName
from SATSegmentLib.gui.results_model import ResultRow, decimals
from SATSegmentLib.gui.signal import Connections, Signal
from SATSegmentLib.mrml.segmentations import jumpToSegment

_NAME, _STATUS, _VOLUME, _PROBABILITY, _SECONDS, _LOCAL = range(6)
_STEPS = 100
_MOST_ROWS_SHOWN = 8
_THRESHOLD_TIP = _("A voxel belongs to the structure where its probability exceeds this. Lower makes it larger.")


class ResultsTable:
    """A table with one row a structure, and below it what the chosen row offers.

    Signals
    -------
    editAsked(row), teachAsked(row), removeAsked(row), thresholdAsked(row, threshold), renameAsked(row, name).

    Parameters
    ----------
    parent : Any
        The widget that it is put into; has a layout.
    whyNoThreshold : Callable[[ResultRow], str], optional
        Gets a row; says why its threshold cannot be changed any more, or nothing where it can.
    """

    def __init__(self, parent: Any, whyNoThreshold: Callable[[ResultRow], str] = lambda row: "") -> None:
        self._whyNoThreshold = whyNoThreshold
        self.renameAsked = Signal()
        self.editAsked = Signal()
        self.teachAsked = Signal()
        self.removeAsked = Signal()
        self.thresholdAsked = Signal()
        self.rows: list[ResultRow] = []
        self._segmentationNode: Any = None
        self._connections = Connections()
        self._build(parent)
        self.show([], None)

    def show(self, rows: Sequence[ResultRow], segmentationNode: Any) -> None:
        """Show these rows; colours and names come from the segments themselves."""
        chosen = self.currentRow()
        self.rows = list(rows)
        self._segmentationNode = segmentationNode
        self.table.blockSignals(True)
        self.table.setRowCount(len(self.rows))
        for number, row in enumerate(self.rows):
            self._fill(number, row)
        self.table.blockSignals(False)
        self.table.setColumnHidden(_LOCAL, not any(self.table.item(n, _LOCAL).text() for n in range(len(self.rows))))
        self._fit()
        same = [n for n, row in enumerate(self.rows) if chosen is not None and row.prompt == chosen.prompt]
        self.table.setCurrentCell(same[0] if same else -1, _NAME)
        self.widget.setVisible(bool(self.rows))
        self._onCurrent()

    def currentRow(self) -> ResultRow | None:
        number = self.table.currentRow()
        return self.rows[number] if 0 <= number < len(self.rows) else None

    def setBusy(self, busy: bool) -> None:
        """While a run is on, nothing that would start another or invalidate it."""
        self._busy = busy
        self._onCurrent()

    def release(self) -> None:
        """Let go of all connections."""
        self._connections.release()
        languageChanged.disconnect(self._onLanguage)
        for signal in (self.editAsked, self.teachAsked, self.removeAsked, self.thresholdAsked, self.renameAsked):
            signal.disconnectAll()
        self._segmentationNode = None

    # --- building

    def _build(self, parent: Any) -> None:
        self._busy = False
        self.widget = qt.QWidget(parent)
        column = qt.QVBoxLayout(self.widget)
        column.setContentsMargins(0, 0, 0, 0)
        self.table = qt.QTableWidget(self.widget)
        self.table.setColumnCount(6)
        self.table.setHorizontalHeaderLabels([_("Structure"), _("Result"), _("mL"), _("Mean p"), _("s"), _("Name")])
        for number, tip in enumerate(
            (
                _("Enter shows where it is, F2 renames the segment, Del removes it."),
                _("Whether the structure was found, whether the scan's edge cuts it, and what speaks against it."),
                _("Volume in millilitres."),
                _("Mean of the network's probability over the structure's voxels. This is not a measure of accuracy."),
                _("Seconds spent on this structure alone."),
                _("What the structure is called in the language chosen in Settings."),
            )
        ):
            self.table.horizontalHeaderItem(number).setToolTip(tip)
        self.table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
        self.table.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        self.table.setEditTriggers(qt.QAbstractItemView.EditKeyPressed)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(self.table.fontMetrics().height() + 8)
        self.table.setWordWrap(False)
        self.table.setAccessibleName(_("Results"))
        # Tab leads on to the buttons; the arrow keys go through the rows.
        self.table.tabKeyNavigation = False
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        for columnNumber in (_NAME, _LOCAL):
            header.setSectionResizeMode(columnNumber, qt.QHeaderView.Stretch)
        # Beside the structure, whatever its number.
        header.moveSection(_LOCAL, _STATUS)
        languageChanged.connect(self._onLanguage)
        column.addWidget(self.table)
        column.addLayout(self._buildActions())
        self.noteLabel = qt.QLabel(self.widget)
        self.noteLabel.setWordWrap(True)
        self.noteLabel.hide()
        column.addWidget(self.noteLabel)
        for widget in (self.widget, parent):
            # As high as the table needs; what is left belongs at the panel's lower end.
            widget.setSizePolicy(qt.QSizePolicy.Preferred, qt.QSizePolicy.Maximum)
        parent.layout().addWidget(self.widget)
        self._connections.connect(self.table, "itemSelectionChanged()", self._onCurrent)
        self._connections.connect(self.table, "cellClicked(int,int)", self._onClicked)
        self._connections.connect(self.table, "cellActivated(int,int)", self._onClicked)
        self._connections.connect(self.table, "itemChanged(QTableWidgetItem*)", self._onRenamed)
        self._deleteKey = qt.QShortcut(qt.QKeySequence("Del"), self.table)
        self._deleteKey.setContext(qt.Qt.WidgetWithChildrenShortcut)
        self._connections.connect(self._deleteKey, "activated()", self._onRemove)

    def _buildActions(self) -> Any:
        line = qt.QHBoxLayout()
        self.editButton = self._button(_("Edit"), "edit", _("Edit this structure in Segment Editor."), self._onEdit)
        self.teachButton = self._button(
            "", "teach", _("Teach: make this segment, as you edited it, a word that can be asked for."), self._onTeach
        )
        self.showButton = self._button(_("Hide"), "hide", _("Show or hide this structure."), self._onShow)
        self.removeButton = self._button(_("Remove"), "remove", _("Remove this structure. (Del)"), self._onRemove)
        self.thresholdLabel = qt.QLabel(_("Threshold:"), self.widget)
        self.thresholdSlider = qt.QSlider(qt.Qt.Horizontal, self.widget)
        self.thresholdSlider.setRange(5, 95)
        self.thresholdSlider.setValue(50)
        self.thresholdSlider.setTracking(False)
        self.thresholdSlider.setAccessibleName(_("Threshold of the probability"))
        self.thresholdSlider.setMinimumWidth(40)
        self._connections.connect(self.thresholdSlider, "valueChanged(int)", self._onThreshold)
        self._connections.connect(self.thresholdSlider, "sliderMoved(int)", self._sayThreshold)
        for widget in (self.editButton, self.showButton, self.removeButton, self.teachButton, self.thresholdLabel):
            line.addWidget(widget)
        line.addWidget(self.thresholdSlider, 1)
        return line

    def _button(self, text: str, picture: str, tip: str, slot: Any) -> Any:
        button = qt.QToolButton(self.widget)
        button.text = text
        button.setIcon(icon(picture, button))
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setAutoRaise(True)
        button.setFocusPolicy(qt.Qt.TabFocus)
        self._connections.connect(button, "clicked()", slot)
        return button

    def _fill(self, number: int, row: ResultRow) -> None:
        found = row.status == "found"
        texts = [
            row.prompt.text,
            row.markedStatus,
            decimals(row.volumeMl, 1) if found else "",
            decimals(row.meanProbability, 2) if found else "",
            decimals(row.seconds, 1) if row.status != "unknown" else "",
            localName(row.prompt.text) if row.prompt.trained else "",
        ]
        segment = self._segment(row)
        if segment is not None:
            texts[_NAME] = segment.GetName()
        for columnNumber, text in enumerate(texts):
            item = qt.QTableWidgetItem(text)
            editable = columnNumber == _NAME and segment is not None
            flags = qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled
            item.setFlags(flags | qt.Qt.ItemIsEditable if editable else flags)
            item.setToolTip(self._tip(row))
            if row.flags and columnNumber in (_NAME, _STATUS):
                # A screen reader gets the sentences, not a sign.
                spoken = " ".join(flag.sentence for flag in row.flags)
                item.setData(qt.Qt.AccessibleDescriptionRole, spoken)
            if _VOLUME <= columnNumber <= _SECONDS:
                item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
            self.table.setItem(number, columnNumber, item)
        if segment is not None:
            self.table.item(number, _NAME).setIcon(_swatch(segment.GetColor()))

    def _tip(self, row: ResultRow) -> str:
        if row.status == "unknown":
            return _(
                "{model} was not trained on {structure}. Choose another model in Settings and segment again, or remove "
                "the structure."
            ).format(model=row.model or _("The model"), structure=row.prompt.text)
        name = withLocalName(row.prompt.text) if row.prompt.trained else row.prompt.text
        text = _("{structure}: {status}. Highest probability {highest}. {model}, {device}, {precision}.").format(
            structure=name,
            status=row.statusText,
            highest=decimals(row.maxProbability, 2) or _("not kept"),
            model=row.model,
            device=row.device,
            precision=row.precision,
        )
        if row.statisticsText:
            text += "\n" + row.statisticsText
        if row.windowsText:
            text += "\n" + row.windowsText
        for flag in row.flags:
            text += "\n\u26a0 " + flag.sentence
        if is_taught(row.prompt):
            text += " " + _("A word that was taught from examples.")
        elif not row.prompt.trained and label_of(row.prompt):
            text += " " + _("A label of SAT; whether this model was trained on it is not known.")
        elif not row.prompt.trained:
            text += " " + _("Free text: SAT was never trained on this name.")
        return text

    def _fit(self) -> None:
        """As high as its rows, up to a few; beyond that it scrolls."""
        rows = min(max(len(self.rows), 1), _MOST_ROWS_SHOWN)
        height = self.table.horizontalHeader().height + 2 * self.table.frameWidth
        self.table.setFixedHeight(height + rows * self.table.verticalHeader().defaultSectionSize + 4)

    # --- what is chosen

    def _segment(self, row: ResultRow | None) -> Any:
        if row is None or not row.segmentId or self._segmentationNode is None:
            return None
        return self._segmentationNode.GetSegmentation().GetSegment(row.segmentId)

    def _onCurrent(self) -> None:
        row = self.currentRow()
        segment = self._segment(row)
        for button in (self.editButton, self.showButton):
            button.enabled = segment is not None
        self.teachButton.enabled = segment is not None and not self._busy
        self.removeButton.enabled = row is not None and not self._busy
        why = self._whyNot(row)
        for widget in (self.thresholdLabel, self.thresholdSlider):
            widget.enabled = row is not None and not self._busy and not why
            widget.setToolTip(why or _THRESHOLD_TIP)
        notes = [f"\u26a0 {flag.sentence}" for flag in row.flags] if row is not None else []
        notes += [why] if why else []
        self.noteLabel.text = "\n".join(notes)
        self.noteLabel.setVisible(bool(notes))
        if row is not None and not math.isnan(row.threshold):
            self.thresholdSlider.blockSignals(True)
            self.thresholdSlider.setValue(round(row.threshold * _STEPS))
            self.thresholdSlider.blockSignals(False)
            self._sayThreshold(round(row.threshold * _STEPS))
        self._sayVisibility(row if segment is not None else None)

    def _whyNot(self, row: ResultRow | None) -> str:
        """What can be done about a row whose threshold cannot be changed; nothing where it can."""
        if row is None:
            return ""
        return self._tip(row) if row.status == "unknown" else self._whyNoThreshold(row)

    def _sayThreshold(self, value: int) -> None:
        self.thresholdLabel.text = _("Threshold {value:.2f}").format(value=value / _STEPS)

    def _sayVisibility(self, row: ResultRow | None) -> None:
        display = self._segmentationNode.GetDisplayNode() if row is not None else None
        visible = row is None or display is None or display.GetSegmentVisibility(row.segmentId)
        self.showButton.text = _("Hide") if visible else _("Show")
        self.showButton.setIcon(icon("hide" if visible else "show", self.showButton))

    def _onLanguage(self) -> None:
        self.show(self.rows, self._segmentationNode)

    def _onClicked(self, number: int, column: int) -> None:
        row = self.rows[number]
        if self._segment(row) is not None:
            jumpToSegment(self._segmentationNode, row.segmentId)

    def _onRenamed(self, item: Any) -> None:
        row = self.rows[item.row()]
        segment = self._segment(row)
        name = item.text().strip()
        if segment is not None and name and name != segment.GetName():
            self.renameAsked.emit(row, name)

    def _onEdit(self) -> None:
        row = self.currentRow()
        if self._segment(row) is not None:
            self.editAsked.emit(row)

    def _onTeach(self) -> None:
        row = self.currentRow()
        if self._segment(row) is not None and not self._busy:
            self.teachAsked.emit(row)

    def _onShow(self) -> None:
        row = self.currentRow()
        if row is None or self._segment(row) is None:
            return
        display = self._segmentationNode.GetDisplayNode()
        if display is not None:
            display.SetSegmentVisibility(row.segmentId, not display.GetSegmentVisibility(row.segmentId))
        self._sayVisibility(row)

    def _onRemove(self) -> None:
        row = self.currentRow()
        if row is not None and not self._busy:
            self.removeAsked.emit(row)

    def _onThreshold(self, value: int) -> None:
        row = self.currentRow()
        if row is not None and self.thresholdSlider.enabled and decimals(row.threshold, 2) != f"{value / _STEPS:.2f}":
            self.thresholdAsked.emit(row, value / _STEPS)


def _swatch(color: Sequence[float]) -> Any:
    pixmap = qt.QPixmap(12, 12)
    pixmap.fill(qt.QColor(*(round(255 * channel) for channel in color)))
    return qt.QIcon(pixmap)


def editInSegmentEditor(segmentationNode: Any, volumeNode: Any, segmentId: str) -> None:
    """Hand a segment over to the Segment Editor, with its scan and itself chosen."""
    slicer.util.selectModule("SegmentEditor")
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    # The segmentation first: the other way round floods the log with errors.
    editor.setSegmentationNode(segmentationNode)
    editor.setSourceVolumeNode(volumeNode)
    editor.setCurrentSegmentID(segmentId)
