"""Public docstrings are numpydoc: `name : type`, then the text, so that an API site and editors can read them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

LIBRARY = Path(__file__).parent.parent / "SATSegmentLib"
FILES = [LIBRARY.parent / "SATSegment.py", *sorted(LIBRARY.rglob("*.py"))]
SECTIONS = ("Parameters", "Attributes", "Raises", "Returns", "Yields")


def sections(text: str) -> list[tuple[str, list[str]]]:
    lines, found = text.splitlines(), []
    for number, line in enumerate(lines[:-1]):
        if line.strip() in SECTIONS and re.fullmatch(r"-{3,}", lines[number + 1].strip()):
            body = []
            for after in lines[number + 2 :]:
                if re.fullmatch(r"-{3,}", after.strip()):
                    body.pop()
                    break
                body.append(after)
            found.append((line.strip(), body))
    return found


def test_every_entry_has_its_text_on_lines_of_its_own():
    wrong = []
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
                continue
            for section, body in sections(ast.get_docstring(node) or ""):
                for number, line in enumerate(body):
                    if not line or line.startswith(" ") or section not in ("Parameters", "Attributes"):
                        continue
                    following = body[number + 1] if number + 1 < len(body) else ""
                    if re.match(r"^[*\w, ]+:(?! ?\S+$) ", line) and " : " not in line:
                        wrong.append(f"{file.name}:{node.lineno} {section}: {line}")
                    elif " : " in line and not following.startswith("    "):
                        wrong.append(f"{file.name}:{node.lineno} {section}: {line} has no text")
    assert wrong == []


def test_parameters_are_those_of_the_function():
    wrong = []
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            takes = node.args
            known = {a.arg for a in (*takes.posonlyargs, *takes.args, *takes.kwonlyargs)}
            known |= {a.arg for a in (takes.vararg, takes.kwarg) if a}
            for section, body in sections(ast.get_docstring(node) or ""):
                if section != "Parameters":
                    continue
                for line in body:
                    if match := re.match(r"^([*\w]+(?:, [*\w]+)*)(?: : .*)?$", line):
                        unknown = [n for n in match[1].split(", ") if n.lstrip("*") not in known]
                        wrong += [f"{file.name}:{node.lineno} {name}" for name in unknown]
    assert wrong == []
