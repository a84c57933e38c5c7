"""The line below the prompt that asks back, or says why something cannot be done. Never a modal box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from SATSegmentLib.gui.icons import icon
from SATSegmentLib.gui.signal import Connections, Signal


class QuestionBar:
    """A message, buttons to choose from, and one to dismiss it.

    Signals
    -------
    chosen(int): the number of the button.
    named(str): the text that was typed, where a name was asked for.
    dismissed(): closed without an answer, by the button or with Esc.
    """

    def __init__(self, parent: Any) -> None:
        self.chosen, self.named, self.dismissed = Signal(), Signal(), Signal()
        self._connections = Connections()
        self._ofButtons = Connections()
        self.buttons: list[Any] = []
        self.widget = qt.QFrame(parent)
        self.widget.setFrameShape(qt.QFrame.StyledPanel)
        outer = qt.QVBoxLayout(self.widget)
        outer.setContentsMargins(6, 4, 4, 4)
        top = qt.QHBoxLayout()
        outer.addLayout(top)
        self.label = qt.QLabel(self.widget)
        self.label.setWordWrap(True)
        self.label.setTextFormat(qt.Qt.PlainText)
        self.closeButton = qt.QToolButton(self.widget)
        self.closeButton.setAutoRaise(True)
        self.closeButton.setIcon(icon("remove", self.widget))
        self.closeButton.setAccessibleName(_("Dismiss the question"))
        self.closeButton.toolTip = _("Dismiss (Esc)")
        top.addWidget(self.label, 1)
        top.addWidget(self.closeButton, 0, qt.Qt.AlignTop)
        self.nameEdit = qt.QLineEdit(self.widget)
        self.nameEdit.setAccessibleName(_("Name of the set"))
        outer.addWidget(self.nameEdit)
        self._choices = qt.QWidget(self.widget)
        self._flow = ctk.ctkFlowLayout()
        self._flow.setContentsMargins(0, 0, 0, 0)
        self._flow.horizontalSpacing = 4
        self._flow.verticalSpacing = 4
        self._flow.alignItems = False
        self._choices.setLayout(self._flow)
        outer.addWidget(self._choices)
        self._filter = _BarKeys(self, self.widget)
        self._connections.filterEvents(self.closeButton, self._filter)
        self._connections.filterEvents(self.nameEdit, self._filter)
        self._connections.connect(self.closeButton, "clicked()", self.dismiss)
        self._connections.connect(self.nameEdit, "returnPressed()", self._onName)
        self.widget.hide()

    @property
    def isOpen(self) -> bool:
        return not self.widget.isHidden()

    def ask(self, message: str, choices: Sequence[tuple[str, str]] = ()) -> None:
        """Show a message with a button for each (text, tool tip); without choices it only tells."""
        self._show(message)
        self.nameEdit.hide()
        for text, toolTip in choices:
            button = qt.QPushButton(text, self._choices)
            button.toolTip = toolTip
            button.setAutoDefault(False)
            button.setAccessibleName(f"{text}, {toolTip}" if toolTip else text)
            self._ofButtons.connect(button, "clicked()", _Choice(self, len(self.buttons)).pick)
            self._ofButtons.filterEvents(button, self._filter)
            self._flow.addWidget(button)
            self.buttons.append(button)
        self._choices.setVisible(bool(choices))

    def askName(self, message: str) -> None:
        """Ask for a name, with the focus in its line."""
        self._show(message)
        self._choices.hide()
        self.nameEdit.clear()
        self.nameEdit.show()
        self.nameEdit.setFocus()

    def focusFirst(self) -> None:
        """The focus to the first button."""
        (self.buttons[0] if self.buttons else self.closeButton).setFocus()

    def focusNext(self, step: int) -> None:
        """The focus to the next button, or the one before."""
        focused = next((i for i, button in enumerate(self.buttons) if button.hasFocus()), None)
        if focused is not None:
            self.buttons[(focused + step) % len(self.buttons)].setFocus()

    def dismiss(self) -> None:
        self.close()
        self.dismissed.emit()

    def close(self) -> None:
        """Hide without a word."""
        self._clearButtons()
        self.widget.hide()

    def release(self) -> None:
        """Let go of everything, so that the panel can be made anew."""
        self._filter.bar = None
        self._clearButtons()
        self._connections.release()
        for signal in (self.chosen, self.named, self.dismissed):
            signal.disconnectAll()

    def _show(self, message: str) -> None:
        self._clearButtons()
        self.label.text = message
        self.label.setAccessibleName(message)
        self.widget.show()

    def _clearButtons(self) -> None:
        self._ofButtons.release()
        for button in self.buttons:
            self._flow.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = []

    def _onName(self) -> None:
        if self.nameEdit.text.strip():
            self.named.emit(self.nameEdit.text.strip())


class _Choice:
    """Knows which button it belongs to: Qt does not say who was clicked, and a lambda could not be disconnected."""

    def __init__(self, bar: QuestionBar, number: int) -> None:
        self.bar, self.number = bar, number

    def pick(self) -> None:
        self.bar.chosen.emit(self.number)


class _BarKeys(qt.QObject):
    """Esc dismisses, arrows go from button to button, Enter presses the button that has the focus."""

    def __init__(self, bar: QuestionBar, parent: Any) -> None:
        qt.QObject.__init__(self, parent)
        self.bar: QuestionBar | None = bar

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if self.bar is None or event.type() != qt.QEvent.KeyPress:
            return False
        if event.key() == qt.Qt.Key_Escape:
            self.bar.dismiss()
            return True
        if watched in self.bar.buttons:
            if event.key() in (qt.Qt.Key_Left, qt.Qt.Key_Right):
                self.bar.focusNext(1 if event.key() == qt.Qt.Key_Right else -1)
                return True
            if event.key() in (qt.Qt.Key_Return, qt.Qt.Key_Enter):
                self.bar.chosen.emit(self.bar.buttons.index(watched))
                return True
        return False
