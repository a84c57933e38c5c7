"""Bring the panel's translation files up to date with its texts.

    python tools/translations/update.py
    python tools/translations/update.py es-ES        begins a language; en-US: the template that Slicer's tools take

Collects every text of `_("...")` in the Slicer side's Python files and every string of the .ui file, and writes them
into `SATSegment/Resources/Translations/*.ts`, Qt's format, which Weblate and Slicer's language tools read. What was
translated stays; a text that is new is marked as unfinished; one that is gone is dropped. Standard library only.

A text's context is what Slicer looks it up by: `slicer.i18n.tr` takes the name of the package's folder ("gui"), or of
the file where it is in none; a .ui file's is its class.
"""

from __future__ import annotations

import ast
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "SATSegment"
FOLDER = MODULE / "Resources/Translations"
# Names of Slicer's language packs: those that are there.
LOCALES = ("de-DE", "fr-FR")

# Context and text.
Message = tuple[str, str]


def messages() -> list[Message]:
    """Every text of the panel, by context and then as the files are sorted."""
    found: dict[Message, None] = {}
    python = [MODULE / "SATSegment.py", *sorted((MODULE / "SATSegmentLib").rglob("*.py"))]
    for path in python:
        source = path.read_text(encoding="utf-8")
        if "slicer.i18n import tr as _" in source:
            found.update(dict.fromkeys((_context(path), text) for text in _texts(ast.parse(source), path)))
    for path in sorted((MODULE / "Resources/UI").glob("*.ui")):
        found.update(dict.fromkeys(_ui_messages(path)))
    return sorted(found)


def read(path: Path) -> dict[Message, str]:
    """The finished translations of a file."""
    if not path.exists():
        return {}
    finished = {}
    for context in ElementTree.parse(path).getroot().iter("context"):
        name = context.findtext("name", "")
        for message in context.iter("message"):
            translation = message.find("translation")
            if translation is not None and translation.get("type") is None and translation.text:
                finished[name, message.findtext("source", "")] = translation.text
    return finished


def written(locale: str, texts: list[Message], finished: dict[Message, str]) -> str:
    """A .ts file's text."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<!DOCTYPE TS>"]
    lines.append(f'<TS version="2.1" language="{locale.replace("-", "_")}" sourcelanguage="en_US">')
    for context in dict.fromkeys(context for context, _ in texts):
        lines += ["<context>", f"<name>{context}</name>"]
        for message in (one for one in texts if one[0] == context):
            translation = finished.get(message, "")
            kind = "" if translation else ' type="unfinished"'
            lines += [
                "<message>",
                f"<source>{escape(message[1])}</source>",
                f"<translation{kind}>{escape(translation)}</translation>",
                "</message>",
            ]
        lines.append("</context>")
    return "\n".join([*lines, "</TS>", ""])


def main() -> int:
    texts = messages()
    FOLDER.mkdir(exist_ok=True)
    for locale in dict.fromkeys((*LOCALES, *sys.argv[1:])):
        path = FOLDER / f"SATSegment_{locale}.ts"
        finished = read(path)
        path.write_text(written(locale, texts, finished), encoding="utf-8")
        print(f"{path.name}: {sum(text in finished for text in texts)} of {len(texts)} translated")
    return 0


def _context(path: Path) -> str:
    return path.parent.name if (path.parent / "__init__.py").exists() else path.stem


def _texts(tree: ast.AST, path: Path) -> list[str]:
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_" and node.args:
            argument = node.args[0]
            if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                raise SystemExit(f"{path}:{node.lineno}: _() takes a plain text, or no translator will see it.")
            texts.append(argument.value)
    return texts


def _ui_messages(path: Path) -> list[Message]:
    root = ElementTree.parse(path).getroot()
    context = root.findtext("class", path.stem)
    found = []
    for part in root.iter("property"):
        if part.get("name") in _NOT_SHOWN:
            continue
        found += [(context, one.text) for one in part.findall("string") if one.text and one.get("notr") != "true"]
    return found


# Properties of MRML widgets that hold names of classes and attributes.
_NOT_SHOWN = {"SlicerParameterName", "nodeTypes", "objectName"}

if __name__ == "__main__":
    sys.exit(main())
