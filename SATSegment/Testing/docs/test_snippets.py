"""What README and Docs show runs: Python blocks, command lines, calls of Slicer's console API."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from SATSegmentLib.cli.main import build_parser
from SATSegmentLib.resources import resource_path
from SATSegmentLib.scans import read_scan

ROOT = Path(__file__).parent.parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "Docs").glob("*.md"))]
# "```python fragment" needs what its page speaks of (files, a network in training): it is parsed, not run.
FENCE = re.compile(r"^```(\w*)( fragment)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Weights that cannot be shipped: what needs them is parsed, not run.
NEEDS_WEIGHTS = re.compile(r"sat-nano|sat-pro|\bslicer\b|import SATSegment\b|logic\.")


def blocks(language: str, fragments: bool = True) -> list:
    found = []
    for page in PAGES:
        for number, (kind, fragment, text) in enumerate(FENCE.findall(page.read_text(encoding="utf-8")), start=1):
            if kind == language and (fragments or not fragment):
                found.append(pytest.param(text, id=f"{page.stem}-{number}"))
    return found


def command_lines() -> list:
    found = []
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            text = line.strip()
            if line.startswith(("    satsegment ", "satsegment ")) and not re.search(r"…|\.\.\.|\[", text):
                found.append(pytest.param(text, id=f"{page.stem}: {text[:60]}"))
    return found


@pytest.mark.parametrize("text", blocks("python"))
def test_python_blocks_are_python_and_name_what_there_is(text):
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("SATSegmentLib"):
            module = importlib.import_module(node.module)
            for name in node.names:
                if not hasattr(module, name.name):
                    importlib.import_module(f"{node.module}.{name.name}")


@pytest.mark.parametrize(
    "text",
    [p for p in blocks("python", fragments=False) if not NEEDS_WEIGHTS.search(ast.unparse(ast.parse(p.values[0])))],
)
def test_python_blocks_run(text, monkeypatch, tmp_path):
    image = read_scan(resource_path("Demo/itk_t1.nii.gz"))
    monkeypatch.chdir(tmp_path)
    exec(
        compile(text, "snippet", "exec"),
        {"path": tmp_path / "sets.json", "array_kji": image.array, "ijk_to_ras": image.ijk_to_ras, "image": image},
    )


def console_methods() -> dict[str, ast.arguments]:
    """The methods of Slicer's console API, read from the file: importing it takes a Slicer."""
    tree = ast.parse((ROOT / "SATSegment" / "SATSegment.py").read_text(encoding="utf-8"))
    logic = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "SATSegmentLogic")
    return {node.name: node.args for node in logic.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("text", blocks("python"))
def test_calls_of_the_console_api_fit_its_methods(text):
    methods = console_methods()
    for node in ast.walk(ast.parse(text)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in methods):
            continue
        owner = ast.unparse(node.func.value)
        if owner == "logic" or "SATSegmentLogic" in owner:
            takes = methods[node.func.attr]
            names = [argument.arg for argument in (*takes.args, *takes.kwonlyargs)]
            assert len(node.args) < len(takes.args), ast.unparse(node)
            assert {keyword.arg for keyword in node.keywords} <= set(names), ast.unparse(node)


@pytest.mark.parametrize("text", command_lines())
def test_command_lines_are_understood(text, capsys):
    words = shlex.split(text, comments=True)[1:]
    command = next((word for word in words if not word.startswith("-")), None)
    try:
        build_parser(command).parse_args(words)
    except SystemExit as stop:
        pytest.fail(capsys.readouterr().err) if stop.code else None


def scripts() -> list:
    slow = {"05_teach_a_word"}
    found = sorted((ROOT / "examples").glob("*.py"))
    return [pytest.param(p, id=p.stem, marks=[pytest.mark.long] if p.stem in slow else []) for p in found]


@pytest.mark.parametrize("script", scripts())
def test_examples_run(script, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [script.name])
    exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out


def test_the_notebook_runs():
    import json

    import matplotlib as mpl

    mpl.use("Agg")
    cells = json.loads((ROOT / "examples" / "segment.ipynb").read_text(encoding="utf-8"))["cells"]
    names: dict = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            exec(compile("".join(cell["source"]), "cell", "exec"), names)
    assert any(np.any(result.mask) for result in names["results"])
