"""The list below the prompt line."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from SATSegmentLib.gui.popup_delegate import RowDelegate
from SATSegmentLib.gui.popup_rows import ROWS, Row
from SATSegmentLib.gui.signal import Connections, Signal

_ENTER = (qt.Qt.Key_Return, qt.Qt.Key_Enter)


class Popup:
    """Shows rows under a line edit and says which one was chosen.

    A plain QCompleter over a QStringListModel that is refilled: it places the popup and forwards the keys, on every
    platform. It is not the line edit's own completer, which would write the highlighted row into the line.

    Signals
    -------
    chosen(Row): a row was taken, with Enter or the mouse.
    entered(): Enter while no row was highlighted.
    runRequested(): Ctrl+Enter.
    """

    def __init__(self, lineEdit: Any) -> None:
        self.chosen, self.entered, self.runRequested = Signal(), Signal(), Signal()
        self._lineEdit = lineEdit
        self._connections = Connections()
        self._model = qt.QStringListModel(lineEdit)
        self._completer = qt.QCompleter(lineEdit)
        self._completer.setModel(self._model)
        self._completer.setCompletionMode(qt.QCompleter.UnfilteredPopupCompletion)
        self._completer.setMaxVisibleItems(ROWS)
        self._completer.setWidget(lineEdit)
        self.view = self._completer.popup()
        self.view.setAccessibleName(_("Suggestions"))
        self._delegate = RowDelegate(lineEdit)
        self.view.setItemDelegate(self._delegate)
        self.view.setUniformItemSizes(True)
        self._filter = _PopupKeys(self, lineEdit)
        self._connections.filterEvents(self.view, self._filter)
        self._connections.connect(self.view, "clicked(QModelIndex)", self._onClicked)
        self.view.setMouseTracking(True)
        self._connections.connect(self.view, "entered(QModelIndex)", self._onEntered)

    @property
    def rows(self) -> tuple[Row, ...]:
        return self._delegate.rows

    @property
    def visible(self) -> bool:
        return self.view.visible

    def show(self, rows: tuple[Row, ...], *, highlightFirst: bool) -> None:
        """Show these rows, the first one highlighted where Enter shall take it; nothing is shown for no rows."""
        self._delegate.rows = rows
        self._model.setStringList([row.spoken() for row in rows])
        if not rows:
            self.hide()
            return
        # As wide as the whole part of the panel, not only as the line.
        room = self._lineEdit.parentWidget().width - self._lineEdit.x
        self._completer.complete(qt.QRect(0, 0, max(room, self._lineEdit.width), self._lineEdit.height))
        self.view.setCurrentIndex(self._completer.completionModel().index(0, 0) if highlightFirst else qt.QModelIndex())

    def hide(self) -> None:
        self.view.hide()

    def highlighted(self) -> Row | None:
        index = self.view.currentIndex()
        return self.rows[index.row()] if self.visible and 0 <= index.row() < len(self.rows) else None

    def takeHighlighted(self, *, thenRun: bool = False) -> None:
        """What Enter does while the popup is open; with Ctrl, a run is asked for after it."""
        row = self.highlighted()
        self.hide()
        if row is not None:
            self.chosen.emit(row)
        elif not thenRun:
            self.entered.emit()
        if thenRun:
            self.runRequested.emit()

    def release(self) -> None:
        """Let go of everything, so that the panel can be made anew."""
        self.hide()
        self._filter.popup = None
        self._connections.release()
        for signal in (self.chosen, self.entered, self.runRequested):
            signal.disconnectAll()
        self._completer.setWidget(None)
        self._completer.deleteLater()

    def _onEntered(self, index: Any) -> None:
        """Say what the row under the mouse means."""
        if 0 <= index.row() < len(self.rows):
            qt.QToolTip.showText(qt.QCursor.pos(), self.rows[index.row()].toolTip(), self.view)

    def _onClicked(self, index: Any) -> None:
        row = self.rows[index.row()]
        self.hide()
        self.chosen.emit(row)


class _PopupKeys(qt.QObject):
    """Keys while the popup has them. Arrows, letters and backspace are QCompleter's business."""

    def __init__(self, popup: Popup, parent: Any) -> None:
        qt.QObject.__init__(self, parent)
        self.popup: Popup | None = popup

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if self.popup is None or event.type() != qt.QEvent.KeyPress:
            return False
        if event.key() in _ENTER:
            self.popup.takeHighlighted(thenRun=bool(event.modifiers() & qt.Qt.ControlModifier))
            return True
        if event.key() == qt.Qt.Key_Escape:
            self.popup.hide()
            return True
        return False
