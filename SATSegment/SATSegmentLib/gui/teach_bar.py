"""The line below the results in which a segment becomes a word."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from SATSegmentLib.anatomy.personal.user_words import MAX_NAME
from SATSegmentLib.gui.icons import icon
from SATSegmentLib.gui.signal import Connections, Signal


class TeachBar:
    """Asks which segment, and what it is called. Never a modal box.

    Signals
    -------
    asked(segmentId, name): the user wants this word.

    Parameters
    ----------
    parent : Any
        The widget that it is put into; has a layout.
    """

    def __init__(self, parent: Any) -> None:
        self.asked = Signal()
        self._connections = Connections()
        self._ids: list[str] = []
        self._busy = False
        self._build(parent)
        self._connections.connect(self.nameEdit, "textChanged(QString)", self._sayPossible)
        self._connections.connect(self.nameEdit, "returnPressed()", self._onTeach)
        self._connections.connect(self.teachButton, "clicked()", self._onTeach)
        self._connections.connect(self.closeButton, "clicked()", self.close)

    @property
    def isOpen(self) -> bool:
        return not self.widget.isHidden()

    def open(self, segmentationNode: Any, segmentId: str = "") -> None:
        """Offer the segments of a node, one of them chosen."""
        segmentation: Any = segmentationNode.GetSegmentation() if segmentationNode is not None else None
        count = segmentation.GetNumberOfSegments() if segmentation is not None else 0
        self._ids = [segmentation.GetNthSegmentID(number) for number in range(count)]
        self.segmentCombo.clear()
        for one in self._ids:
            self.segmentCombo.addItem(segmentation.GetSegment(one).GetName())
        if segmentId in self._ids:
            self.segmentCombo.setCurrentIndex(self._ids.index(segmentId))
        self.label.text = (
            _("Teach a new word: draw the structure as a segment, then give it a name of your own.")
            if self._ids
            else _("There is no segment to teach from. Draw the structure in the result's segmentation first.")
        )
        self.label.setAccessibleName(self.label.text)
        for widget in (self.segmentCombo, self.nameEdit, self.teachButton):
            widget.setVisible(bool(self._ids))
        self.nameEdit.clear()
        self._sayPossible()
        self.widget.show()
        (self.nameEdit if self._ids else self.closeButton).setFocus()

    def close(self) -> None:
        self.widget.hide()

    def setBusy(self, busy: bool) -> None:
        """While a run is on, no other can be asked for."""
        self._busy = busy
        self._sayPossible()

    def release(self) -> None:
        """Let go of all connections."""
        self._connections.release()
        self.asked.disconnectAll()

    def _build(self, parent: Any) -> None:
        self.widget = qt.QFrame(parent)
        self.widget.setFrameShape(qt.QFrame.StyledPanel)
        column = qt.QVBoxLayout(self.widget)
        column.setContentsMargins(6, 4, 4, 4)
        top = qt.QHBoxLayout()
        column.addLayout(top)
        self.label = qt.QLabel(self.widget)
        self.label.setWordWrap(True)
        self.closeButton = qt.QToolButton(self.widget)
        self.closeButton.setAutoRaise(True)
        self.closeButton.setIcon(icon("remove", self.widget))
        self.closeButton.setAccessibleName(_("Do not teach"))
        top.addWidget(self.label, 1)
        top.addWidget(self.closeButton, 0, qt.Qt.AlignTop)
        row = qt.QHBoxLayout()
        column.addLayout(row)
        self.segmentCombo = qt.QComboBox(self.widget)
        self.segmentCombo.setAccessibleName(_("Segment to teach from"))
        self.segmentCombo.setMinimumContentsLength(8)
        self.segmentCombo.setSizeAdjustPolicy(qt.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self.nameEdit = qt.QLineEdit(self.widget)
        self.nameEdit.setMaxLength(MAX_NAME)
        self.nameEdit.setPlaceholderText(_("such as my implant"))
        self.nameEdit.setAccessibleName(_("Name of the new word"))
        self.teachButton = qt.QPushButton(_("Teach"), self.widget)
        self.teachButton.setAutoDefault(False)
        self.teachButton.setToolTip(_("Fits the word on what the model sees in this scan. A minute or two."))
        self.teachButton.setAccessibleName(_("Teach this word"))
        row.addWidget(self.segmentCombo, 1)
        row.addWidget(self.nameEdit, 1)
        row.addWidget(self.teachButton)
        parent.layout().addWidget(self.widget)
        self.widget.hide()

    def _sayPossible(self, *_: Any) -> None:
        self.teachButton.enabled = bool(self._ids) and bool(self.nameEdit.text.strip()) and not self._busy

    def _onTeach(self) -> None:
        if self.teachButton.enabled:
            self.asked.emit(self._ids[self.segmentCombo.currentIndex], self.nameEdit.text.strip())
