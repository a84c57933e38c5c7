"""The rig against a real Slicer, beside truth values: slots, objects, processes; see test_rig_truths.py."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ctk
import pytest
import qt
import slicer
from PySide6.QtCore import Property
from rig.ctk_widgets import WIDGETS
from rig.hands import settle
from rig.launcher import writeLauncher

# --- slots, signals, errors


class Printed:
    """What goes to sys.excepthook, where PythonQt prints to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.errors: list[BaseException] = []
        monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: self.errors.append(error))


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Printed:
    return Printed(monkeypatch)


@pytest.mark.parametrize("how", ["clicked()", "clicked(bool)", "by name"])
def test_an_exception_in_a_slot_is_printed_and_the_caller_goes_on(how: str, printed: Printed) -> None:
    def fails(checked: bool = False) -> None:
        raise KeyError("liver")

    heard = []
    button = qt.QPushButton()
    _connect(button, how, fails)
    _connect(button, how, heard.append if how != "clicked()" else lambda: heard.append(False))
    button.click()
    assert [type(error) for error in printed.errors] == [KeyError]
    assert heard == [False], "the next slot is called all the same"


@pytest.mark.parametrize(("how", "received"), [("clicked()", ()), ("clicked(bool)", (False,)), ("by name", (False,))])
def test_what_a_slot_receives(how: str, received: tuple[Any, ...]) -> None:
    seen = []
    button = qt.QPushButton()
    _connect(button, how, lambda *arguments: seen.append(arguments))
    button.click()
    assert seen == [received]


@pytest.mark.parametrize("how", ["clicked()", "clicked(bool)", "by name"])
def test_a_slot_that_wants_more_is_not_run(how: str, printed: Printed) -> None:
    seen = []
    button = qt.QPushButton()
    _connect(button, how, lambda one, two: seen.append((one, two)))
    button.click()
    assert seen == []
    assert [type(error) for error in printed.errors] == [TypeError]


def test_a_default_argument_is_filled_by_the_click() -> None:
    seen = []

    def slot(force: Any = "untouched") -> None:
        seen.append(force)

    for how in ("clicked()", "clicked(bool)", "by name"):
        button = qt.QPushButton()
        _connect(button, how, slot)
        button.click()
    assert seen == ["untouched", False, False]


def test_only_keywords_stay_out_of_a_clicks_reach() -> None:
    seen = []
    button = qt.QPushButton()
    button.connect("clicked(bool)", lambda *, force="untouched": seen.append(force))
    button.click()
    assert seen == ["untouched"]


def test_a_callable_that_is_no_function_gets_all_arguments(printed: Printed) -> None:
    """PythonQt counts the arguments of functions and methods only; a partial gets what the signal has."""
    import functools

    button = qt.QPushButton()
    button.connect("clicked(bool)", functools.partial(lambda: None))
    button.click()
    assert [type(error) for error in printed.errors] == [TypeError]


def _connect(button: Any, how: str, slot: Any) -> None:
    if how == "by name":
        button.clicked.connect(slot)
    else:
        button.connect(how, slot)


def test_a_disconnected_slot_is_not_called() -> None:
    seen = []
    button = qt.QPushButton()
    button.clicked.connect(seen.append)
    button.clicked.disconnect(seen.append)
    button.connect("clicked(bool)", seen.append)
    button.disconnect("clicked(bool)", seen.append)
    button.click()
    assert seen == []


def test_a_single_shot_takes_a_lambda() -> None:
    seen = []
    qt.QTimer.singleShot(0, lambda: seen.append(1))
    settle()
    assert seen == [1]


class Wide(qt.QLabel):
    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.asked = 0

    def sizeHint(self) -> Any:
        self.asked += 1
        return qt.QSize(321, 20)


def test_a_layout_calls_an_overridden_size_hint() -> None:
    window = qt.QWidget()
    layout = qt.QVBoxLayout(window)
    layout.setContentsMargins(0, 0, 0, 0)
    wide = Wide(window)
    layout.addWidget(wide)
    assert layout.sizeHint().width() == 321
    assert wide.asked > 0


class Failing(qt.QObject):
    def eventFilter(self, watched: Any, event: Any) -> bool:
        raise KeyError("liver")


def test_an_exception_in_an_override_is_printed_too(printed: Printed) -> None:
    button = qt.QPushButton()
    failing = Failing()
    button.installEventFilter(failing)
    slicer.app.sendEvent(button, qt.QEvent(qt.QEvent.User))
    assert [type(error) for error in printed.errors] == [KeyError]
    button.removeEventFilter(failing)


# --- objects


@pytest.mark.parametrize("make", [qt.QLabel, qt.QObject, qt.QVBoxLayout, ctk.ctkSearchBox, qt.QListWidgetItem])
def test_a_cpp_object_takes_no_new_attribute(make: Any) -> None:
    made = make()
    with pytest.raises(AttributeError):
        made.mine = 5
    assert not hasattr(made, "mine")


def test_a_subclass_takes_attributes_but_none_that_qt_has() -> None:
    wide = Wide()
    wide.mine = 5
    assert wide.mine == 5
    with pytest.raises(AttributeError):
        wide.setText = print


# Every property that CTK's widgets have of their own here, a value that is not the first one, and what it does.
CTK_PROPERTIES: list[tuple[Any, str, Any, Callable[[Any], bool]]] = [
    (ctk.ctkCollapsibleButton, "collapsed", True, lambda one: not one.checked),
    (ctk.ctkSearchBox, "showSearchIcon", True, lambda one: True),
    (ctk.ctkPathLineEdit, "currentPath", "/scans", lambda one: one.findChild(qt.QLineEdit).text == "/scans"),
    (ctk.ctkPathLineEdit, "filters", 3, lambda one: True),
    (ctk.ctkPathLineEdit, "settingKey", "SATSegment/folder", lambda one: True),
    (ctk.ctkFlowLayout, "horizontalSpacing", 4, lambda one: True),
    (ctk.ctkFlowLayout, "verticalSpacing", 4, lambda one: True),
    (ctk.ctkFlowLayout, "orientation", qt.Qt.Vertical, lambda one: True),
    (ctk.ctkFlowLayout, "preferredExpandingDirections", qt.Qt.Vertical, lambda one: True),
    (ctk.ctkFlowLayout, "alignItems", False, lambda one: True),
    (slicer.qMRMLNodeComboBox, "nodeTypes", ["vtkMRMLScalarVolumeNode"], lambda one: True),
    (slicer.qMRMLNodeComboBox, "noneEnabled", True, lambda one: True),
]


@pytest.mark.parametrize(("make", "name", "value", "holds"), CTK_PROPERTIES)
def test_a_property_that_is_set_is_the_widgets_own(make: Any, name: str, value: Any, holds: Any) -> None:
    """And no attribute of the wrapper's, of which the widget knows nothing: Qt, too, is told."""
    made = make()
    assert getattr(made, name) != value
    setattr(made, name, value)
    assert getattr(made, name) == made.property(name) == value
    assert name not in vars(made)
    assert holds(made)


def test_the_table_has_every_property_of_ctks_widgets() -> None:
    own = {(cls, name) for cls in WIDGETS.values() for name, value in vars(cls).items() if type(value) is Property}
    assert own == {(make, name) for make, name, *_ in CTK_PROPERTIES if make.__name__.startswith("ctk")}


def test_a_signal_tells_of_a_property_that_was_set() -> None:
    edit, said = ctk.ctkPathLineEdit(), []
    edit.connect("currentPathChanged(QString)", said.append)
    edit.currentPath = "/scans"
    assert said == ["/scans"]


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (ctk.ctkCollapsibleButton, "collapsed", "no"),
        (ctk.ctkCollapsibleButton, "collapsed", None),
        (ctk.ctkPathLineEdit, "filters", "3"),
        (ctk.ctkFlowLayout, "horizontalSpacing", []),
        (slicer.qMRMLNodeComboBox, "nodeTypes", 5),
    ],
)
def test_a_property_refuses_what_is_not_of_its_type(make: Any, name: str, value: Any) -> None:
    with pytest.raises(AttributeError, match=f"Property '{name}' of type .* does not accept"):
        setattr(make(), name, value)


@pytest.mark.parametrize("make", list(WIDGETS.values()))
def test_a_property_that_is_not_there_is_an_error(make: Any) -> None:
    with pytest.raises(AttributeError, match="has no attribute named 'curentPath'"):
        make().curentPath = "/scans"


def test_the_same_object_fetched_twice_is_the_same() -> None:
    window = qt.QWidget()
    layout = qt.QVBoxLayout(window)
    layout.addWidget(qt.QLabel("liver"))
    first, second = layout.itemAt(0).widget(), layout.itemAt(0).widget()
    assert first is second
    assert first == second
    assert hash(first) == hash(second)


@pytest.fixture
def orphan() -> Any:
    """A label whose parent was deleted."""
    window = qt.QWidget()
    label = qt.QLabel("liver", window)
    window.deleteLater()
    settle()
    return label


def test_a_destroyed_object_is_false(orphan: Any) -> None:
    assert not orphan


@pytest.mark.parametrize("use", [lambda one: one.text, lambda one: one.show(), lambda one: one.setText("x")])
def test_a_destroyed_object_says_so(orphan: Any, use: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match="destroyed QLabel object"):
        use(orphan)


def test_a_destroyed_object_cannot_be_written(orphan: Any) -> None:
    with pytest.raises(AttributeError, match="destroyed QLabel object"):
        orphan.text = "x"


@pytest.mark.parametrize("make", [qt.QLabel, ctk.ctkSearchBox, ctk.ctkCollapsibleButton, slicer.qMRMLNodeComboBox])
def test_a_widget_is_an_instance_of_its_own_class_only(make: Any) -> None:
    made = make()
    assert not isinstance(made, qt.QWidget)
    assert not isinstance(made, qt.QObject)
    assert isinstance(made, make)


def test_a_subclass_is_an_instance_of_the_class_it_is_made_from() -> None:
    wide = Wide()
    assert isinstance(wide, Wide)
    assert isinstance(wide, qt.QLabel)
    assert not isinstance(wide, qt.QWidget)


def test_enumerators_are_whole_numbers() -> None:
    assert type(qt.Qt.AlignLeft) is not int
    assert isinstance(qt.Qt.AlignLeft | qt.Qt.AlignTop, int)
    assert int(qt.Qt.Key_Return) == 0x01000004
    assert int(qt.Qt.Checked) == 2
    assert not qt.Qt.Unchecked


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (qt.QLabel, ("size", "width", "text", "visible", "rect")),
        (qt.QComboBox, ("count", "currentIndex", "size", "width", "visible", "rect")),
        (qt.QListWidget, ("count", "width")),
    ],
)
def test_properties_are_read_without_a_call(make: Any, names: tuple[str, ...]) -> None:
    made = make()
    for name in names:
        assert not callable(getattr(made, name)), name


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (qt.QLabel, ("isVisible",)),
        (qt.QListWidget, ("isVisible", "model", "selectedItems")),
        (qt.QComboBox, ("model",)),
    ],
)
def test_methods_are_called(make: Any, names: tuple[str, ...]) -> None:
    made = make()
    for name in names:
        assert callable(getattr(made, name)), name
        getattr(made, name)()


@pytest.mark.parametrize("name", ["QVariant", "QTest", "QRegExp", "QTextCodec", "QDesktopWidget"])
def test_is_absent(name: str) -> None:
    """QVariant always; the others in a Slicer with Qt 6 or 5: what is missing in one of them is missing here."""
    assert not hasattr(qt, name)


def test_an_action_group_needs_a_parent() -> None:
    with pytest.raises(ValueError, match="matching overload"):
        qt.QActionGroup()
    assert qt.QActionGroup(qt.QWidget())


def test_an_item_out_of_range_is_none() -> None:
    assert qt.QListWidget().item(5) is None


def test_a_dict_in_an_items_data_comes_back() -> None:
    item = qt.QListWidgetItem("liver")
    item.setData(qt.Qt.UserRole, {"modality": "ct"})
    assert item.data(qt.Qt.UserRole) == {"modality": "ct"}


def test_bytes_and_icons_are_as_measured() -> None:
    assert bytes(qt.QByteArray(b"abc").data()) == b"abc"
    assert not qt.QIcon.fromTheme("document-open")


# --- processes


@pytest.mark.skipif(sys.platform == "win32", reason="the launcher is a shell script")
def test_a_killed_child_is_exit_code_one_with_the_launchers_own_line(tmp_path: Path) -> None:
    launcher = writeLauncher(tmp_path)
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    run = subprocess.run([launcher, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "exit abnormally" in run.stderr
    assert str(tmp_path) in run.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the launcher is a shell script")
def test_everything_else_passes_through_the_launcher(tmp_path: Path) -> None:
    launcher = writeLauncher(tmp_path)
    code = "import sys; print(sys.stdin.read().upper(), sys.argv[1]); sys.exit(3)"
    run = subprocess.run([launcher, "-c", code, "x"], input="liver", capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (3, "LIVER x\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="the launcher is a shell script")
def test_the_panels_worker_runs_behind_the_launcher() -> None:
    from gui.panel_rig import loadModule

    python, environment = loadModule().childPython()
    assert Path(python).parent.parent == Path(slicer.app.slicerHome)
    assert os.path.basename(python) == "PythonSlicer"
    assert environment["PYTHONUTF8"] == "1"
