"""The rig against what a real Slicer answered: one line of a table for each line that was measured there.

Measured in Slicer 5.13.0 (revision 34908, Qt 5.15.8, PythonQt 4.1.0) on 2026-11-28. A panel that passes in the rig and
fails in Slicer means that a line is missing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ctk
import pytest
import qt
import slicer

EMPTY: dict[str, Callable[[], Any]] = {
    "QVBoxLayout": lambda: qt.QVBoxLayout(),
    "QHBoxLayout": lambda: qt.QHBoxLayout(),
    "QGridLayout": lambda: qt.QGridLayout(),
    "QFormLayout": lambda: qt.QFormLayout(),
    "QStackedLayout": lambda: qt.QStackedLayout(),
    "ctkFlowLayout": lambda: ctk.ctkFlowLayout(),
    "QSpacerItem": lambda: qt.QSpacerItem(5, 5),
    "QMenu": lambda: qt.QMenu(),
    "QIcon": lambda: qt.QIcon(),
    "QPixmap": lambda: qt.QPixmap(),
    "QImage": lambda: qt.QImage(),
    "QColor": lambda: qt.QColor(),
    "QKeySequence": lambda: qt.QKeySequence(),
    "QUrl": lambda: qt.QUrl(),
    "QRect": lambda: qt.QRect(),
    "QSize": lambda: qt.QSize(0, 0),
    "QPoint": lambda: qt.QPoint(),
    "QPoint(0, 0)": lambda: qt.QPoint(0, 0),
    "QPointF": lambda: qt.QPointF(),
    "QSizeF": lambda: qt.QSizeF(),
    "QRectF": lambda: qt.QRectF(),
    "QModelIndex": lambda: qt.QModelIndex(),
    "QPersistentModelIndex": lambda: qt.QPersistentModelIndex(),
    "QTextDocument": lambda: qt.QTextDocument(),
    "QTextCursor": lambda: qt.QTextCursor(),
    "QRegion": lambda: qt.QRegion(),
    "QPolygon": lambda: qt.QPolygon(),
    "QPainterPath": lambda: qt.QPainterPath(),
    "QByteArray": lambda: qt.QByteArray(),
    "QDate": lambda: qt.QDate(),
    "QTime": lambda: qt.QTime(),
    "QDateTime": lambda: qt.QDateTime(),
    "QItemSelection": lambda: qt.QItemSelection(),
}

FULL: dict[str, Callable[[], Any]] = {
    "QBrush": lambda: qt.QBrush(),
    "QFont": lambda: qt.QFont(),
    "QRegularExpression": lambda: qt.QRegularExpression(),
    "QFileInfo": lambda: qt.QFileInfo(),
    "QDir": lambda: qt.QDir(),
    "QSettings": lambda: qt.QSettings(),
    "QTimer": lambda: qt.QTimer(),
    "QMimeData": lambda: qt.QMimeData(),
    "QStandardItemModel": lambda: qt.QStandardItemModel(),
    "QStringListModel": lambda: qt.QStringListModel(),
    "QStandardItem": lambda: qt.QStandardItem(),
    "QListWidget": lambda: qt.QListWidget(),
    "QTreeWidget": lambda: qt.QTreeWidget(),
    "QTableWidget": lambda: qt.QTableWidget(),
    "QComboBox": lambda: qt.QComboBox(),
    "QButtonGroup": lambda: qt.QButtonGroup(),
    "QWidget": lambda: qt.QWidget(),
    "QLabel": lambda: qt.QLabel(),
    "QLineEdit": lambda: qt.QLineEdit(),
    "QDialog": lambda: qt.QDialog(),
    "QCompleter": lambda: qt.QCompleter(),
    "QEventLoop": lambda: qt.QEventLoop(),
    "QProcess": lambda: qt.QProcess(),
    "QTransform": lambda: qt.QTransform(),
    "QPalette": lambda: qt.QPalette(),
    "QCursor": lambda: qt.QCursor(),
    "QEvent": lambda: qt.QEvent(qt.QEvent.User),
    "ctkCollapsibleButton": lambda: ctk.ctkCollapsibleButton(),
    "ctkSearchBox": lambda: ctk.ctkSearchBox(),
    "ctkPathLineEdit": lambda: ctk.ctkPathLineEdit(),
    "qMRMLWidget": lambda: slicer.qMRMLWidget(),
    "qMRMLNodeComboBox": lambda: slicer.qMRMLNodeComboBox(),
    # The same classes as above, with something in them.
    "QVBoxLayout with a widget": lambda: _filled(qt.QVBoxLayout()),
    "QFormLayout with a widget": lambda: _filled(qt.QFormLayout()),
    "QMenu with an action": lambda: _filledMenu(),
    "QPixmap with pixels": lambda: qt.QPixmap(2, 2),
    "QColor with a colour": lambda: qt.QColor(0, 0, 0),
    "QKeySequence with keys": lambda: qt.QKeySequence("Ctrl+Z"),
    "QUrl with an address": lambda: qt.QUrl("file:///x"),
    "QRect with a size": lambda: qt.QRect(0, 0, 1, 1),
    "QSize with a size": lambda: qt.QSize(1, 1),
    "QPoint elsewhere": lambda: qt.QPoint(0, 1),
    "QModelIndex of a row": lambda: _rowOfModel(),
    "QTextDocument with text": lambda: qt.QTextDocument("liver"),
    "QByteArray with bytes": lambda: qt.QByteArray(b"x"),
    "QDate of a day": lambda: qt.QDate(2026, 11, 28),
}


def _filled(layout: Any) -> Any:
    window = qt.QWidget()
    window.setLayout(layout)
    layout.addWidget(qt.QLabel(window))
    _KEPT.append(window)
    return layout


# What has no parent goes with its last name.
_KEPT: list[Any] = []


def _filledMenu() -> Any:
    menu = qt.QMenu()
    menu.addAction("Paste")
    return menu


def _rowOfModel() -> Any:
    _KEPT.append(qt.QStringListModel(["liver"]))
    return _KEPT[-1].index(0, 0)


@pytest.mark.parametrize("name", EMPTY)
def test_is_false_while_it_is_empty_or_null(name: str) -> None:
    assert not EMPTY[name]()


@pytest.mark.parametrize("name", FULL)
def test_is_true_when_it_is_made(name: str) -> None:
    assert FULL[name]()
    _KEPT.clear()


def test_a_spacer_is_false_in_a_layout_too() -> None:
    layout = qt.QVBoxLayout()
    layout.addStretch(1)
    assert not layout.itemAt(0)


# --- Slicer's own look-up of widgets by name

UI = """<ui version="4.0"><widget class="QWidget" name="panel"><layout class="QVBoxLayout" name="panelLayout">
<item><widget class="QWidget" name="empty"><layout class="QVBoxLayout" name="emptyLayout"/></widget></item>
<item><widget class="QWidget" name="full"><layout class="QVBoxLayout" name="fullLayout">
<item><widget class="QLabel" name="label"/></item></layout></widget></item></layout></widget></ui>"""


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "panel.ui").write_text(UI, encoding="utf-8")
    widget = slicer.util.loadUI(str(tmp_path / "panel.ui"))
    yield slicer.util.childWidgetVariables(widget)
    widget.deleteLater()


def test_an_empty_layout_is_no_variable_of_the_loaded_file(ui: Any) -> None:
    """How a panel that passed all tests did not open in Slicer."""
    with pytest.raises(AttributeError):
        ui.emptyLayout.addWidget(qt.QLabel())
    assert ui.empty.layout() is not None
    assert ui.fullLayout is ui.full.layout()
    assert ui.label is ui.fullLayout.itemAt(0).widget()


def test_find_children_passes_over_what_is_empty(ui: Any) -> None:
    names = {one.name for one in slicer.util.findChildren(ui.full.parentWidget())}
    assert {"panel", "panelLayout", "empty", "full", "fullLayout", "label"} <= names
    assert "emptyLayout" not in names
    assert slicer.util.findChildren(ui.empty, name="emptyLayout") == []
