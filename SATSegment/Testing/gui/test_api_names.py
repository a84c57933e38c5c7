"""Slicer-side code uses only what a real Slicer's PythonQt has, in the way it has it.

What runs is checked while it runs: the rig takes away what was not recorded. Here the rest of the source is read.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rig.api import classes, moduleNames

ROOT = Path(__file__).parents[2]
FILES = [
    *sorted((ROOT / "SATSegmentLib" / "gui").rglob("*.py")),
    *sorted((ROOT / "SATSegmentLib" / "setup").glob("*.py")),
    *sorted((ROOT / "SATSegmentLib" / "mrml").glob("*.py")),
    *ROOT.glob("SATSegment.py"),
]
_SIGNATURE = re.compile(r"^\w+\((?:[\w:<>*&, ]*)\)$")
_SHOWN = {"setText", "setToolTip", "setWindowTitle", "setPlaceholderText", "setAccessibleName", "setTitle"}
_SHOWN |= {"setAccessibleDescription", "addAction", "addMenu", "setHeaderLabels", "setStatusTip", "setHtml"}
_SHOWN_PROPERTIES = {"text", "toolTip", "windowTitle", "placeholderText", "accessibleName", "title"}
# Of items, actions' data, clipboards and the like, which are not widgets and have methods of these names.
_METHODS_ELSEWHERE = {"text", "data", "size", "rect", "font", "icon", "count", "model", "pos", "width", "height"}


def ids(path: Path) -> str:
    return path.name


def read(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def chain(node: ast.AST) -> list[str]:
    """["qt", "Qt", "AlignLeft"] for `qt.Qt.AlignLeft`; empty where the beginning is no plain name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else []


def attributes(tree: ast.AST) -> Iterator[tuple[ast.Attribute, list[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node, chain(node)


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_there_is_something_to_look_at() -> None:
    assert {"prompt_box.py", "chips.py"} <= {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_every_name_of_qt_and_ctk_is_there(path: Path) -> None:
    unknown = set()
    for _, names in attributes(read(path)):
        if len(names) >= 2 and names[0] in ("qt", "ctk") and names[1] not in moduleNames(names[0]):
            unknown.add(".".join(names[:2]))
        isWidget = len(names) >= 2 and names[0] == "slicer" and names[1].startswith(("qMRML", "qSlicer"))
        if isWidget and names[1] not in moduleNames("slicer_widgets"):
            unknown.add(".".join(names[:2]))
    assert unknown == set()


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_recorded_classes_are_used_as_recorded(path: Path) -> None:
    """`qt.QComboBox.AdjustToContents`: an enumerator or method of a recorded class."""
    unknown = {
        ".".join(names)
        for _, names in attributes(read(path))
        if len(names) == 3 and names[0] in ("qt", "ctk") and names[1] in classes()
        if not names[2].startswith("__") and not classes()[names[1]].offers(names[2])
    }
    assert unknown == set()


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_enumerators_are_named_through_the_class(path: Path) -> None:
    """`qt.Qt.AlignLeft`, not `qt.Qt.AlignmentFlag.AlignLeft`, which PySide6 has and PythonQt may not."""
    scoped = {".".join(names) for _, names in attributes(read(path)) if len(names) == 4 and names[0] in ("qt", "ctk")}
    assert {name for name in scoped if not name.split(".")[2].startswith("__")} == set()


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_signals_are_connected_by_a_recorded_signature(path: Path) -> None:
    known = {signature for api in classes().values() for signature in api.signals}
    wrong = []
    for call in calls(read(path)):
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("connect", "disconnect"):
            texts = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            wrong += [text for text in texts if not _SIGNATURE.match(text) or text.replace(", ", ",") not in known]
    # QSpinBox and QShortcut were not among the recorded classes.
    assert set(wrong) - {"valueChanged(double)", "valueChanged(int)", "activated()", "anchorClicked(QUrl)"} == set()


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_properties_are_not_called(path: Path) -> None:
    """A name that is a property wherever it was recorded."""
    apis = classes().values()
    properties = {name for api in apis for name in api.properties}
    properties -= {name for api in apis for name in api.methods} | _METHODS_ELSEWHERE
    called = {
        call.func.attr
        for call in calls(read(path))
        if isinstance(call.func, ast.Attribute) and not call.args + call.keywords and call.func.attr in properties
    }
    assert called == set()


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_nothing_is_connected_that_cannot_be_disconnected(path: Path) -> None:
    for call in calls(read(path)):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "connect":
            assert not any(isinstance(argument, ast.Lambda) for argument in call.args), f"line {call.lineno}"


# What the self test prints and fills in is for developers.
@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name != "self_test"], ids=ids)
def test_what_people_read_can_be_translated(path: Path) -> None:
    """Texts go through `_()`, and are filled in after it."""
    tree = read(path)
    bare = []
    for call in calls(tree):
        if isinstance(call.func, ast.Name) and call.func.id == "_":
            assert not any(isinstance(a, ast.JoinedStr | ast.BinOp) for a in call.args), f"line {call.lineno}"
        if isinstance(call.func, ast.Attribute) and call.func.attr in _SHOWN:
            bare += [argument for argument in call.args if _isWords(argument)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _isWords(node.value):
            bare += [t for t in node.targets if isinstance(t, ast.Attribute) and t.attr in _SHOWN_PROPERTIES]
    assert [ast.unparse(node) for node in bare] == []


def _isWords(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(re.search("[A-Za-z]", node.value))


@pytest.mark.parametrize(
    ("check", "code"),
    [
        (test_every_name_of_qt_and_ctk_is_there, "qt.QTest.keyClick(w, 1)"),
        (test_every_name_of_qt_and_ctk_is_there, "slicer.qMRMLMagicWidget()"),
        (test_recorded_classes_are_used_as_recorded, "qt.QComboBox.AdjustToMagic"),
        (test_enumerators_are_named_through_the_class, "x = qt.Qt.AlignmentFlag.AlignLeft"),
        (test_signals_are_connected_by_a_recorded_signature, "b.connect('clack()', f)"),
        (test_signals_are_connected_by_a_recorded_signature, "c.connect(e, 'textEdited(int)', f)"),
        (test_properties_are_not_called, "if edit.placeholderText(): pass"),
        (test_nothing_is_connected_that_cannot_be_disconnected, "b.clicked.connect(lambda: 1)"),
        (test_what_people_read_can_be_translated, "label.setText('Liver')"),
        (test_what_people_read_can_be_translated, "label.text = 'Liver'"),
        (test_what_people_read_can_be_translated, "label.setText(_(f'{n} found'))"),
    ],
)
def test_the_checks_find_what_they_look_for(check: Callable[[Path], None], code: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(code, encoding="utf-8")
    with pytest.raises(AssertionError):
        check(bad)
