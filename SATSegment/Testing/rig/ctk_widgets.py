"""CTK's widgets that the panel uses, in PySide6: what they show and answer, not how they look."""

# The names are those of the classes that are stood in for.
# ruff: noqa: N801, N815

from __future__ import annotations

import types
from typing import Any

from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, QPoint, QRect, QSize, Qt, Signal
from rig.api import moduleNames
from rig.wrappers import isA


def _held(kind: type, name: str) -> Property:
    """A property that the stand-in keeps, and does nothing else with."""
    return Property(kind, lambda self: getattr(self, name), lambda self, value: setattr(self, name, value))


class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A header that folds what is below it; `collapsed` is a property and has no setter method."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments: Any) -> None:
        parent = next((a for a in arguments if isA(a, QtWidgets.QWidget)), None)
        super().__init__(parent)
        self.text = next((a for a in arguments if isinstance(a, str)), "")
        self._collapsed = False
        self.checkable = True
        self.setChecked(True)
        self.toggled.connect(self._onToggled)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Preferred)
        self.setFocusPolicy(Qt.StrongFocus)
        self.setContentsMargins(0, self._headerHeight(), 0, 0)

    def _headerHeight(self) -> int:
        return self.fontMetrics().height() + 8

    def _onToggled(self, checked: bool) -> None:
        self._collapse(not checked)

    def _collapse(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self.setChecked(not collapsed)
        for child in self.children():
            if isA(child, QtWidgets.QWidget):
                child.setVisible(not collapsed)
        self.updateGeometry()
        self.contentsCollapsed.emit(collapsed)

    collapsed = Property(bool, lambda self: self._collapsed, lambda self, value: self._collapse(value))

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        """What is put into a folded section stays hidden."""
        child = event.child()
        if self._collapsed and event.type() == QtCore.QEvent.ChildPolished and isA(child, QtWidgets.QWidget):
            child.hide()

    def _headerSize(self) -> QSize:
        """As wide as its text: that is what CTK's own asks for, folded too."""
        return QSize(self.fontMetrics().horizontalAdvance(self.text) + 2 * self._headerHeight(), self._headerHeight())

    def sizeHint(self) -> QSize:
        if self._collapsed or self.layout() is None:
            return self._headerSize()
        return self.layout().totalSizeHint().expandedTo(self._headerSize())

    def minimumSizeHint(self) -> QSize:
        if self._collapsed or self.layout() is None:
            return self._headerSize()
        return self.layout().totalMinimumSize().expandedTo(self._headerSize())

    def paintEvent(self, event: object) -> None:
        painter = QtWidgets.QStylePainter(self)
        header = QRect(0, 0, self.width, self._headerHeight())
        option = QtWidgets.QStyleOption()
        option.initFrom(self)
        option.rect = QRect(2, 4, self._headerHeight() - 8, self._headerHeight() - 8)
        arrow = QtWidgets.QStyle.PE_IndicatorArrowRight if self._collapsed else QtWidgets.QStyle.PE_IndicatorArrowDown
        painter.drawPrimitive(arrow, option)
        painter.drawText(header.adjusted(header.height(), 0, 0, 0), Qt.AlignVCenter, self.text)


class ctkSearchBox(QtWidgets.QLineEdit):
    """A line edit with a magnifier and a button that clears it."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._showSearchIcon = False
        self.setClearButtonEnabled(True)

    showSearchIcon = _held(bool, "_showSearchIcon")


class ctkPathLineEdit(QtWidgets.QWidget):
    """A path with a button to browse."""

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._edit = QtWidgets.QLineEdit(self)
        self._browse = QtWidgets.QToolButton(self)
        self._browse.text = "..."
        row.addWidget(self._edit)
        self.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        row.addWidget(self._browse)
        self.setFocusProxy(self._edit)
        self._edit.textChanged.connect(self.currentPathChanged)
        self._filters, self._settingKey = 0, ""

    def setCurrentPath(self, path: str) -> None:
        self._edit.text = path

    currentPath = Property(str, lambda self: self._edit.text, setCurrentPath)
    filters = _held(int, "_filters")
    settingKey = _held(str, "_settingKey")

    def addCurrentPathToHistory(self) -> None:
        """The stand-in keeps no history."""


class ctkFlowLayout(QtWidgets.QLayout):
    """Items in a row that breaks where it is full."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._items: list[QtWidgets.QLayoutItem] = []
        self._gaps = [6, 6]
        self._direction = self._expanding = Qt.Horizontal
        self._alignItems = True

    def addItem(self, item: QtWidgets.QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QtWidgets.QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QtWidgets.QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Horizontal | Qt.Vertical  # as CTK's own, whatever `preferredExpandingDirections` is set to

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._place(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._place(rect, move=True)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        size = QSize()
        for item in self._items:
            size = size.expandedTo(item.minimumSize())
        margins = self.contentsMargins
        return size + QSize(margins.left() + margins.right(), margins.top() + margins.bottom())

    horizontalSpacing = Property(int, lambda self: self._gaps[0], lambda self, value: self._setGap(0, value))
    verticalSpacing = Property(int, lambda self: self._gaps[1], lambda self, value: self._setGap(1, value))
    orientation = _held(Qt.Orientation, "_direction")
    preferredExpandingDirections = _held(Qt.Orientation, "_expanding")
    alignItems = _held(bool, "_alignItems")

    def _setGap(self, which: int, value: int) -> None:
        self._gaps[which] = value
        self.invalidate()

    def _place(self, rect: QRect, *, move: bool) -> int:
        """Height that the items need in the rect's width; they are put there where `move` says so."""
        margins = self.contentsMargins
        area = rect.adjusted(margins.left(), margins.top(), -margins.right(), -margins.bottom())
        x, y, row = area.x(), area.y(), 0
        for item in self._items:
            if item.widget() is not None and item.widget().isHidden():
                continue
            size = item.sizeHint()
            size = QSize(min(size.width(), max(area.width(), 1)), size.height())
            if x > area.x() and x + size.width() > area.x() + area.width():
                x, y, row = area.x(), y + row + self._gaps[1], 0
            if move:
                item.setGeometry(QRect(QPoint(x, y), size))
            x, row = x + size.width() + self._gaps[0], max(row, size.height())
        return y + row - rect.y() + margins.bottom()


class ctkMessageBox(QtWidgets.QMessageBox):
    """A message box that can be told not to come again."""


class ctkExpandButton(QtWidgets.QToolButton):
    """A tool button with a chevron."""


class ctkMenuButton(QtWidgets.QPushButton):
    """A push button with a menu."""


class ctkPushButton(QtWidgets.QPushButton):
    """A push button."""


class ctkComboBox(QtWidgets.QComboBox):
    """A combo box."""


WIDGETS = {
    cls.__name__: cls
    for cls in (
        ctkCollapsibleButton, ctkSearchBox, ctkPathLineEdit, ctkFlowLayout, ctkMessageBox, ctkExpandButton,
        ctkMenuButton, ctkPushButton, ctkComboBox,
    )
}  # fmt: skip


class CtkModule(types.ModuleType):
    """`import ctk` in the tests."""

    def __getattr__(self, name: str) -> Any:
        if name in WIDGETS:
            return WIDGETS[name]
        if name in moduleNames("ctk"):
            raise NotImplementedError(f"ctk.{name} is in PythonQt, but not in the stand-in: rig/ctk_widgets.py")
        raise AttributeError(f"PythonQt has no ctk.{name}")
