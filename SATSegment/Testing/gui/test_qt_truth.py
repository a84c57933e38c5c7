"""No code on Slicer's side asks a Qt object for its truth: that means "is it empty?" in PythonQt, not "is it there?".

What is a Qt object is told by where it comes from: made in `qt` or `ctk`, taken from the loaded panel (`ui.…`),
returned by one of Qt's methods, or handed over under one of the usual names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "SATSegmentLib"
FILES = [*sorted((LIBRARY / "gui").rglob("*.py")), *sorted((LIBRARY / "mrml").rglob("*.py")), ROOT / "SATSegment.py"]
_RETURN_QT = {
    "layout", "menu", "addMenu", "addAction", "popup", "header", "horizontalHeader", "verticalHeader", "widget",
    "parentWidget", "itemAt", "takeAt", "horizontalHeaderItem", "invisibleRootItem", "topLevelItem", "clipboard",
    "pixmap", "icon", "completer", "completionModel", "document", "textCursor", "findChild", "mainWindow",
    "layoutManager", "sizeHint", "visualRect",
}  # fmt: skip
_HANDED_OVER = {
    "widget", "parent", "layout", "menu", "button", "event", "watched", "index", "action", "lineEdit", "combo", "view",
    "uiWidget", "painter", "option", "delegate", "pixmap", "cursor", "shortcut", "timer", "dialog",
}  # fmt: skip
_NO_QT_MODULES = {"re", "anatomy", "path", "Path"}


def asked(tree: ast.Module) -> list[str]:
    """The expressions that are Qt objects and are asked for their truth, with their lines."""
    attributes = {ast.unparse(target) for target, value in _assignments(tree) if _makesQt(value, set())}
    attributes = {name for name in attributes if name.startswith("self.")}
    found = []
    for scope in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))]:
        names = attributes | _handedOver(scope)
        names |= {
            ast.unparse(t) for t, value in _assignments(scope) if isinstance(t, ast.Name) and _makesQt(value, names)
        }
        for node in _questions(scope):
            if _isQt(node, names):
                found.append(f"{node.lineno}: {ast.unparse(node)}")
    return sorted(set(found))


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, without those of functions in it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from _own(child)


def _assignments(scope: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    for node in ast.walk(scope) if isinstance(scope, ast.Module) else _own(scope):
        if isinstance(node, ast.Assign):
            yield from ((target, node.value) for target in node.targets)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            yield node.target, node.value


def _handedOver(scope: ast.AST) -> set[str]:
    if not isinstance(scope, ast.FunctionDef):
        return set()
    arguments = [*scope.args.args, *scope.args.kwonlyargs]
    untyped = [one for one in arguments if one.annotation is None or ast.unparse(one.annotation) == "Any"]
    return {one.arg for one in untyped} & _HANDED_OVER


def _questions(scope: ast.AST) -> Iterator[ast.expr]:
    """Every expression whose truth is asked for."""
    for node in _own(scope):
        if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
            yield node.test
        elif isinstance(node, ast.BoolOp):
            yield from node.values
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node.operand
        elif isinstance(node, ast.comprehension):
            yield from node.ifs
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "bool":
            yield from node.args


def _isQt(node: ast.expr, names: set[str]) -> bool:
    if isinstance(node, ast.NamedExpr):
        return _isQt(node.value, names)
    if isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in names:
        return True
    if isinstance(node, ast.Attribute):
        return ast.unparse(node.value).split(".")[-1] in ("ui", "_ui")
    return _makesQt(node, names)


def _makesQt(node: ast.expr, names: set[str]) -> bool:
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    if isinstance(function, ast.Name):
        return function.id == "icon"
    if not isinstance(function, ast.Attribute):
        return False
    owner = ast.unparse(function.value)
    if owner in ("qt", "ctk"):
        return function.attr.startswith(("Q", "ctk"))
    if owner == "slicer":
        return function.attr.startswith(("qMRML", "qSlicer"))
    return function.attr in _RETURN_QT and owner.split(".")[0] not in _NO_QT_MODULES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_qt_object_is_asked_for_its_truth(path: Path) -> None:
    assert asked(ast.parse(path.read_text(encoding="utf-8"))) == []


def layoutsByName(tree: ast.Module) -> list[str]:
    """`ui.fooLayout`: there only while something is in the layout when its file is loaded."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.endswith("Layout")]
    return [ast.unparse(node) for node in nodes if ast.unparse(node.value).split(".")[-1] in ("ui", "_ui")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_layout_of_the_loaded_file_is_asked_for_by_name(path: Path) -> None:
    assert layoutsByName(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_a_layout_asked_for_by_name_is_found() -> None:
    assert layoutsByName(ast.parse("def f(self):\n self.ui.promptPlaceholderLayout.addWidget(w)"))


@pytest.mark.parametrize(
    "code",
    [
        "def f(ui):\n if ui.promptPlaceholderLayout: pass",
        "def f(self):\n if self.ui.weightsPlaceholderLayout: pass",
        "def f(layout):\n layout = layout or 5",
        "def f(parent, menu=None):\n return (menu or parent).addMenu('x')",
        "def f(self):\n self.menu = qt.QMenu()\n if not self.menu: pass",
        "class A:\n def f(self):\n  self.row = qt.QHBoxLayout()\n def g(self):\n  return bool(self.row)",
        "def f(widget):\n while widget.layout(): pass",
        "def f(name, widget):\n picture = icon(name, widget)\n assert picture",
        "def f(view: Any):\n return 1 if view else 2",
        "def f(w):\n if (menu := w.addMenu('x')): pass",
        "def f(all):\n return [one for one in all if one.layout()]",
        "keys = qt.QKeySequence('x')\nif keys: pass",
    ],
)
def test_such_a_question_is_found(code: str) -> None:
    assert asked(ast.parse(code))


@pytest.mark.parametrize(
    "code",
    [
        "def f(layout):\n if layout is None: pass",
        "def f(ui):\n if ui.runButton.enabled and ui.promptEdit.text: pass",
        "def f(self):\n self.menu = qt.QMenu()\n if self.menu.isEmpty(): pass",
        "def f(event):\n return event.modifiers() & qt.Qt.ControlModifier or event.key() in KEYS",
        "def f(names):\n menu = names or ['liver']\n return not menu",
    ],
)
def test_other_questions_are_not(code: str) -> None:
    assert asked(ast.parse(code)) == []
