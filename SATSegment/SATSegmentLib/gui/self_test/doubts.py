"""What the panel relies on in PythonQt, each as a check of its own: a Slicer release that answers otherwise fails here.

Each check is a function without arguments that raises AssertionError.
"""

from __future__ import annotations

import gc
from typing import Any

import ctk
import qt
import slicer

from SATSegmentLib.gui.icons import icon
from SATSegmentLib.gui.self_test.hands import press
from SATSegmentLib.gui.signal import Connections, Signal


def aLayoutOfAWidgetIsThereThoughItIsEmpty() -> None:
    """An empty layout is False, so the panel asks `is None` and takes layouts from their widgets."""
    window = qt.QWidget()
    window.setLayout(qt.QVBoxLayout())
    assert window.layout() is not None
    window.layout().addWidget(qt.QLabel("liver", window))
    assert window.layout().count() == 1


def aClickFillsNoArgumentWhereItIsConnectedWithout() -> None:
    seen: list[Any] = []

    def slot(force: Any = None) -> None:
        seen.append(force)

    button = qt.QPushButton()
    button.connect("clicked()", slot)
    button.click()
    assert seen == [None], seen
    button.disconnect("clicked()", slot)
    button.click()
    assert seen == [None], "a disconnected slot was called"


def aBoundMethodIsDisconnectedByAnotherOfTheSame() -> None:
    """`self.slot` is a new object each time; `Connections.release` relies on their being equal."""
    button, connections, heard = qt.QPushButton(), Connections(), _Heard()
    connections.connect(button, "clicked()", heard.note)
    connections.release()
    button.click()
    assert heard.count == 0


def aConnectionKeepsItsObject() -> None:
    """The panel connects methods of objects that nobody else keeps (the choices of a question)."""
    button = qt.QPushButton()
    seen: list[int] = []
    button.connect("clicked()", _Choice(seen).pick)
    gc.collect()
    button.click()
    assert seen == [1], seen


def connectionsOfADestroyedObjectCanBeReleased() -> None:
    window = qt.QWidget()
    button, connections, heard = qt.QPushButton("x", window), Connections(), _Heard()
    connections.connect(button, "clicked()", heard.note)
    window.deleteLater()
    slicer.app.sendPostedEvents(None, qt.QEvent.DeferredDelete)
    connections.release()


def aSignalOfOursEmitsAQtSignalsArguments() -> None:
    edit, signal = qt.QLineEdit(), Signal()
    seen: list[str] = []
    signal.connect(seen.append)
    edit.connect("textChanged(QString)", signal.emit)
    edit.text = "liver"
    assert seen == ["liver"], seen


def anEventFilterSeesKeysAndStopsThem() -> None:
    edit, keys = qt.QLineEdit(), _Keys()
    edit.installEventFilter(keys)
    press(edit, qt.Qt.Key_Return)
    press(edit, qt.Qt.Key_A, text="a")
    edit.removeEventFilter(keys)
    assert keys.seen[:1] == [int(qt.Qt.Key_Return)], keys.seen
    assert edit.text == "a", edit.text


def modifiersAndFlagsAreNumbers() -> None:
    event = qt.QKeyEvent(qt.QEvent.KeyPress, qt.Qt.Key_Return, qt.Qt.ControlModifier)
    assert event.modifiers() & qt.Qt.ControlModifier
    assert not event.modifiers() & qt.Qt.ShiftModifier
    assert event.key() in (qt.Qt.Key_Return, qt.Qt.Key_Enter)
    assert event.type() == qt.QEvent.KeyPress


def standardKeysAreKnown() -> None:
    event = qt.QKeyEvent(qt.QEvent.KeyPress, qt.Qt.Key_V, qt.Qt.ControlModifier)
    assert event.matches(qt.QKeySequence.Paste)
    assert not event.matches(qt.QKeySequence.Undo)


def itemsOutliveTheirNamesInPython() -> None:
    """Items that Python makes belong to the list, table or tree that they are put into."""
    listed, table, tree = qt.QListWidget(), qt.QTableWidget(), qt.QTreeWidget()
    for number in range(20):
        item = qt.QListWidgetItem(f"structure {number}")
        item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
        item.setData(qt.Qt.UserRole, number)
        item.setCheckState(qt.Qt.Checked)
        listed.addItem(item)
    table.setColumnCount(1)
    table.setRowCount(1)
    table.setItem(0, 0, qt.QTableWidgetItem("liver"))
    branch = qt.QTreeWidgetItem()
    tree.invisibleRootItem().addChild(branch)
    branch.setText(0, "abdomen")
    del item, branch
    gc.collect()
    assert [listed.item(row).data(qt.Qt.UserRole) for row in range(listed.count)] == list(range(20))
    assert listed.item(0).checkState() == qt.Qt.Checked
    assert listed.item(99) is None
    assert table.item(0, 0).text() == "liver"
    assert tree.topLevelItem(0).text(0) == "abdomen"


def aCompleterShowsItsPopupWithoutBeingTheLinesOwn() -> None:
    window = qt.QWidget()
    edit = qt.QLineEdit(window)
    model = qt.QStringListModel(edit)
    completer = qt.QCompleter(edit)
    completer.setModel(model)
    completer.setCompletionMode(qt.QCompleter.UnfilteredPopupCompletion)
    completer.setWidget(edit)
    window.show()
    gc.collect()
    model.setStringList(["liver", "left kidney"])
    completer.complete()
    assert completer.popup().visible
    assert completer.completionModel().index(0, 0).row() == 0
    completer.popup().hide()
    window.hide()


def itemDataKeepsItsType() -> None:
    combo = qt.QComboBox()
    combo.addItem("Automatic", "auto")
    combo.setCurrentIndex(max(combo.findData("auto"), 0))
    assert combo.currentData == "auto", combo.currentData
    assert combo.count == 1
    action = qt.QAction(combo)
    action.setData("7")
    assert action.data() == "7", action.data()


def settingsComeBackAsWhatTheyAreReadAs() -> None:
    key = "SATSegment/selfTest"
    qt.QSettings().setValue(key, 3.5)
    try:
        assert float(slicer.util.settingsValue(key, 8.0)) == 3.5
        assert slicer.util.settingsValue("SATSegment/noSuchKey", "auto") == "auto"
    finally:
        qt.QSettings().remove(key)


def iconsAreDrawn() -> None:
    widget = qt.QWidget()
    for name in ("remove", "undo", "run", "warning"):
        picture = icon(name, widget).pixmap(20, 20)
        assert not picture.isNull(), name
        assert picture.width() > 0, name


def aFlowLayoutTakesItsProperties() -> None:
    holder, flow = qt.QWidget(), ctk.ctkFlowLayout()
    flow.horizontalSpacing = 4
    flow.verticalSpacing = 4
    flow.alignItems = False
    flow.setContentsMargins(0, 0, 0, 0)
    holder.setLayout(flow)
    flow.addWidget(qt.QPushButton("liver", holder))
    assert flow.count() == 1
    assert flow.horizontalSpacing == 4


def anOverriddenSizeHintIsAsked() -> None:
    view, delegate = qt.QListView(), _Tall()
    model = qt.QStringListModel(view)
    model.setStringList(["liver"])
    view.setModel(model)
    view.setItemDelegate(delegate)
    assert view.sizeHintForRow(0) == 41, view.sizeHintForRow(0)


def aSingleShotTimerFires() -> None:
    from SATSegmentLib.gui.self_test.hands import waitFor

    timer, heard = qt.QTimer(), _Heard()
    timer.setSingleShot(True)
    timer.setInterval(1)
    timer.connect("timeout()", heard.note)
    timer.start()
    waitFor(lambda: heard.count, 5, "a timer of a millisecond")
    timer.disconnect("timeout()", heard.note)


class _Heard:
    def __init__(self) -> None:
        self.count = 0

    def note(self) -> None:
        self.count += 1


class _Choice:
    def __init__(self, seen: list[int]) -> None:
        self._seen = seen

    def pick(self) -> None:
        self._seen.append(1)


class _Keys(qt.QObject):
    def __init__(self) -> None:
        qt.QObject.__init__(self)
        self.seen: list[int] = []

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if event.type() != qt.QEvent.KeyPress:
            return False
        self.seen.append(int(event.key()))
        return event.key() == qt.Qt.Key_Return


class _Tall(qt.QStyledItemDelegate):
    def sizeHint(self, option: Any, index: Any) -> Any:
        return qt.QSize(10, 41)


CHECKS = (
    aLayoutOfAWidgetIsThereThoughItIsEmpty,
    aClickFillsNoArgumentWhereItIsConnectedWithout,
    aBoundMethodIsDisconnectedByAnotherOfTheSame,
    aConnectionKeepsItsObject,
    connectionsOfADestroyedObjectCanBeReleased,
    aSignalOfOursEmitsAQtSignalsArguments,
    anEventFilterSeesKeysAndStopsThem,
    modifiersAndFlagsAreNumbers,
    standardKeysAreKnown,
    itemsOutliveTheirNamesInPython,
    aCompleterShowsItsPopupWithoutBeingTheLinesOwn,
    itemDataKeepsItsType,
    settingsComeBackAsWhatTheyAreReadAs,
    iconsAreDrawn,
    aFlowLayoutTakesItsProperties,
    anOverriddenSizeHintIsAsked,
    aSingleShotTimerFires,
)
