"""The panel's translation files: in step with its texts, whole in German and French, and readable by Qt."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
_FIELD = re.compile(r"\{[^}]*\}")


def _tool() -> ModuleType:
    path = ROOT / "tools/translations/update.py"
    spec = importlib.util.spec_from_file_location("update_translations", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


UPDATE = _tool()


@pytest.mark.parametrize("locale", UPDATE.LOCALES)
def test_a_file_holds_the_panels_texts_and_no_other(locale):
    """`python tools/translations/update.py` mends this."""
    path = UPDATE.FOLDER / f"SATSegment_{locale}.ts"
    assert path.read_text(encoding="utf-8") == UPDATE.written(locale, UPDATE.messages(), UPDATE.read(path))


@pytest.mark.parametrize("locale", ["de-DE", "fr-FR"])
def test_german_and_french_are_whole(locale):
    finished = UPDATE.read(UPDATE.FOLDER / f"SATSegment_{locale}.ts")
    missing = [text for text in UPDATE.messages() if text not in finished]
    # A text that was just changed shows in English until it is translated; more than a handful is neglect.
    assert len(missing) <= 0.05 * len(UPDATE.messages()), missing


@pytest.mark.parametrize("locale", UPDATE.LOCALES)
def test_a_translation_keeps_the_fields_and_spaces_of_its_text(locale):
    for (_, source), translation in UPDATE.read(UPDATE.FOLDER / f"SATSegment_{locale}.ts").items():
        assert sorted(_FIELD.findall(translation)) == sorted(_FIELD.findall(source)), source
        assert translation.startswith(" ") == source.startswith(" "), source
        assert translation.endswith(" ") == source.endswith(" "), source


def test_a_context_is_what_slicer_looks_a_text_up_by():
    contexts = {context for context, _ in UPDATE.messages()}
    assert {"SATSegment", "gui"} <= contexts
    assert not contexts & {"panel", "popup"}


def test_qt_finds_a_translation_in_the_compiled_file(tmp_path):
    core = pytest.importorskip("PySide6.QtCore")
    target = tmp_path / "SATSegment_de.qm"
    source = UPDATE.FOLDER / "SATSegment_de-DE.ts"
    command = [sys.executable, "-c", "import sys; from PySide6.scripts.pyside_tool import lrelease; lrelease()"]
    done = subprocess.run([*command, str(source), "-qm", str(target)], capture_output=True, text=True, check=False)
    if not target.exists():
        pytest.skip(f"no lrelease here: {done.stderr[-200:]}")
    translator = core.QTranslator()
    assert translator.load(str(target))
    assert translator.translate("SATSegment", "Results") == "Ergebnisse"
    assert translator.translate("gui", "Remove all structures") == "Alle Strukturen entfernen"


def test_the_extension_installs_the_files():
    cmake = (ROOT / "SATSegment/CMakeLists.txt").read_text(encoding="utf-8")
    assert "${CMAKE_CURRENT_SOURCE_DIR}/Resources/*" in cmake
