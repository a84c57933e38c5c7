"""The rig itself: PythonQt's manners over PySide6, and the panel's real layout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ctk
import pytest
import qt
import slicer
from rig import ctk_widgets, mrml_widgets
from rig.api import classes, moduleNames

UI = Path(__file__).parents[2] / "Resources" / "UI" / "SATSegment.ui"


def test_properties_are_read_and_set_without_a_call() -> None:
    edit = qt.QLineEdit()
    edit.text = "liver"
    assert edit.text == "liver"
    edit.setText("spleen")
    assert edit.text == "spleen"
    with pytest.raises(TypeError):
        edit.text()


def test_a_slot_gets_what_the_named_signature_has_and_no_more_than_it_takes() -> None:
    received = []

    def slot(force: Any = "nothing") -> None:
        received.append(force)

    button = qt.QPushButton()
    button.connect("clicked()", slot)
    button.click()
    button.disconnect("clicked()", slot)
    button.connect("clicked(bool)", slot)
    button.click()
    button.disconnect("clicked(bool)", slot)
    button.click()
    assert received == ["nothing", False]


def test_what_qt_makes_by_itself_behaves_alike() -> None:
    edit = qt.QLineEdit()
    completer = qt.QCompleter(edit)
    edit.setCompleter(completer)
    assert completer.popup().visible is False


@pytest.mark.parametrize("name", ["QTest", "QRegExp", "QTextCodec", "QDesktopWidget", "Signal"])
def test_names_that_pythonqt_has_not_are_not_there(name: str) -> None:
    with pytest.raises(AttributeError):
        getattr(qt, name)


def test_methods_that_pythonqt_has_not_are_not_there() -> None:
    with pytest.raises(AttributeError):
        ctk.ctkCollapsibleButton().setCollapsed(True)
    with pytest.raises(ValueError, match="no signal"):
        qt.QPushButton().connect("clack()", print)


@pytest.mark.parametrize("cls", [*ctk_widgets.WIDGETS.values(), *mrml_widgets.WIDGETS.values()])
def test_the_stand_ins_offer_only_recorded_names(cls: type) -> None:
    recorded = classes()[cls.__name__]
    own = {name for name in vars(cls) if not name.startswith("_") and name != "staticMetaObject"}
    assert {name for name in own if not recorded.offers(name)} == set()
    assert cls.__name__ in moduleNames("ctk") | moduleNames("slicer_widgets")


def test_the_panel_loads_and_follows_the_scene(scene: Any) -> None:
    panel = slicer.util.loadUI(str(UI))
    ui = slicer.util.childWidgetVariables(panel)
    panel.setMRMLScene(scene)
    seen = []
    ui.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", seen.append)
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CTChest")
    scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Not offered")
    assert seen == [volume]
    assert ui.inputSelector.nodeCount() == 1
    assert ui.outputSelector.currentNode() is None
    scene.RemoveNode(volume)
    assert ui.inputSelector.currentNode() is None
    assert ui.settingsCollapsibleButton.collapsed


def test_a_machine_without_the_libraries_is_told_what_to_install() -> None:
    code = "import sys; sys.modules['PySide6'] = None; from rig.start import start; start()"
    paths = os.pathsep.join(str(folder) for folder in (UI.parents[3], UI.parents[2] / "Testing"))
    environment = {**os.environ, "PYTHONPATH": paths}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "apt-get install" in run.stderr
    assert "libegl1" in run.stderr


def test_reload_makes_the_panel_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rig's onReload does what Slicer's does: clean up, empty the parent, execute the file again."""
    (tmp_path / "Toy.py").write_text(TOY, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    import Toy

    widget = Toy.ToyWidget()
    widget.setup()
    widget.onReload()
    assert Toy.events == ["setup"], "the file was executed again"
    assert widget.events == ["setup", "cleanup"]
    assert widget.layout.count() == 1


TOY = """
import qt
from slicer.ScriptedLoadableModule import *
events = []
class ToyWidget(ScriptedLoadableModuleWidget):
    def setup(self):
        self.events = events
        events.append("setup")
        self.layout.addWidget(qt.QLabel("toy"))
    def cleanup(self):
        events.append("cleanup")
"""
