"""The whole panel in one story: opened, typed into, run, cancelled, killed, undone, saved, loaded, reloaded.

    steps = Acceptance()
    for step in steps.all():
        step()

Works on the panel that Slicer itself has made, with keys and clicks, and on real MRML. The steps that segment need
PyTorch; without it they raise `Skipped`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import SkipTest

import qt
import slicer

from SATSegmentLib.gui.self_test.hands import press, printedErrors, settle, typeText, waitFor
from SATSegmentLib.resources import resource_path
from SATSegmentLib.setup import packages

# With this set to anything, a step that would be skipped fails.
REQUIRE_VARIABLE = "SATSEGMENT_TEST_REQUIRE_RUN"
_OPEN_SECONDS, _RUN_SECONDS, _STOP_SECONDS = 60.0, 600.0, 30.0


class Acceptance:
    """Steps that follow upon each other.

    Parameters
    ----------
    addScan : callable, optional
        Puts an MRI of the head into the scene and returns its node; by default the one that comes with the module.
    model : str
        Name or folder of the model to segment with.
    typed : tuple of (str, str)
        What is typed, and the structure that is meant by it. The first is picked from the list, the second with Enter.
    """

    def __init__(
        self,
        addScan: Callable[[], Any] | None = None,
        model: str = "demo",
        typed: tuple[tuple[str, str], ...] = (("left putam", "left putamen"), ("brainstem", "brainstem")),
    ) -> None:
        self._addScan = _addHead if addScan is None else addScan
        self._model, self._typed = model, typed
        self._folder = Path(tempfile.mkdtemp(prefix="SATSegmentSelfTest-"))

    def all(self) -> tuple[Callable[[], None], ...]:
        """In the order in which they belong."""
        return (
            self.opens,
            self.takesTheScan,
            self.typingOffersAndAListRowIsPicked,
            self.segments,
            self.undoesTheRun,
            self.cancels,
            self.outlivesAKilledWorker,
            self.savesAndLoadsTheScene,
            self.reloads,
        )

    def play(self) -> str:
        """Do all steps, each told on standard output; why the last one that was skipped was, or nothing.

        Raises
        ------
        AssertionError
            A step failed, or a slot raised an exception meanwhile.
        """
        skipped = ""
        with printedErrors() as errors:
            for step in self.all():
                print(f"  {step.__name__}", flush=True)
                try:
                    step()
                except SkipTest as reason:
                    skipped = str(reason)
                    print(f"  {step.__name__}: {skipped}", flush=True)
                if errors:
                    raise AssertionError(f"{step.__name__}: an exception in a slot") from errors[0]
        return skipped

    def close(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- the panel as Slicer has it now

    @property
    def widget(self) -> Any:
        return slicer.modules.SATSegmentWidget

    @property
    def panel(self) -> Any:
        return self.widget.panel

    @property
    def ui(self) -> Any:
        return self.panel.ui

    @property
    def _module(self) -> Any:
        return sys.modules[type(self.widget).__module__]

    # --- steps

    def opens(self) -> None:
        slicer.mrmlScene.Clear()
        slicer.util.selectModule("SATSegment")
        slicer.modules.satsegment.widgetRepresentation()
        waitFor(lambda: hasattr(slicer.modules, "SATSegmentWidget"), _OPEN_SECONDS, "the module's panel")
        self.panel.promptBox.clear()
        index = self.ui.modelComboBox.findData(self._model)
        assert index >= 0, f"the model {self._model} is not offered"
        self.ui.modelComboBox.setCurrentIndex(index)
        settle()

    def takesTheScan(self) -> None:
        node = self._addScan()
        self.ui.inputSelector.setCurrentNode(node)
        settle(0.5)
        assert self.ui.inputSelector.currentNode() is node
        assert self.panel.modality == "mri", f"the modality was read as {self.panel.modality}"
        assert self.ui.errorFrame.isHidden(), self.ui.errorLabel.text

    def typingOffersAndAListRowIsPicked(self) -> None:
        box = self.panel.promptBox
        (beginning, first), (text, second) = self._typed
        self._focus()
        typeText(box.lineEdit, beginning)
        waitFor(lambda: box.popup.visible, _OPEN_SECONDS, "the list below the prompt line")
        rows = [row.name for row in box.popup.rows]
        assert first in rows, rows
        while box.popup.highlighted() is None or box.popup.highlighted().name != first:
            before = box.popup.view.currentIndex().row()
            press(self._keys(), qt.Qt.Key_Down)
            assert box.popup.view.currentIndex().row() != before, "the arrow key does not move in the list"
        press(self._keys(), qt.Qt.Key_Return)
        typeText(box.lineEdit, text)
        press(self._keys(), qt.Qt.Key_Escape)
        press(box.lineEdit, qt.Qt.Key_Return)
        settle()
        assert [prompt.text for prompt in box.prompts()] == [first, second], [p.text for p in box.prompts()]
        assert box.lineEdit.text == ""

    def segments(self) -> None:
        self._needsTorch()
        self._run()
        node = self.ui.outputSelector.currentNode()
        assert self.ui.errorFrame.isHidden(), self.ui.errorLabel.text
        assert node is not None, self.ui.logTextEdit.plainText
        asked = [structure for _, structure in self._typed]
        assert [row.prompt.text for row in self.panel.results.rows] == asked
        assert set(_names(node)) <= set(asked)
        assert _names(node), "nothing was found in the scan"
        for identifier in _ids(node):
            segment = node.GetSegmentation().GetSegment(identifier)
            assert segment.HasTag(segment.GetTerminologyEntryTagName()), f"{identifier} has no code"

    def undoesTheRun(self) -> None:
        self._needsTorch()
        count = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
        self.ui.undoButton.click()
        settle()
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == count - 1
        assert list(self.panel.results.rows) == []

    def cancels(self) -> None:
        self._needsTorch()
        self._module.closeEngine()
        self.ui.runButton.click()
        assert self.panel.run.running, self.ui.errorLabel.text
        settle(0.5)
        self.ui.runButton.click()
        waitFor(lambda: not self.panel.run.running, _STOP_SECONDS, "the end of a cancelled run")
        assert self.ui.errorFrame.isHidden(), self.ui.errorLabel.text
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0

    def outlivesAKilledWorker(self) -> None:
        self._needsTorch()
        self._module.closeEngine()
        self.ui.runButton.click()
        waitFor(lambda: self._module.sharedEngine().pid is not None, _STOP_SECONDS, "the worker's start")
        settle(0.5)
        killWorker(self._module.sharedEngine().pid)
        waitFor(lambda: not self.panel.run.running, _STOP_SECONDS, "the end of a run whose worker was killed")
        assert not self.ui.errorFrame.isHidden(), "a killed worker is an error that is shown"
        assert "Nothing was lost" in self.ui.errorLabel.text, self.ui.errorLabel.text
        self._run()
        assert self.ui.errorFrame.isHidden(), self.ui.errorLabel.text
        assert _names(self.ui.outputSelector.currentNode()), "the run after it found nothing"

    def savesAndLoadsTheScene(self) -> None:
        before = self._saved()
        bundle, folder = self._folder / "scene.mrb", self._folder / "scene"
        slicer.util.saveScene(str(bundle))
        self._closeAndLoad(bundle)
        assert self._saved() == before, f"{self._saved()} was loaded from a bundle, and {before} saved"
        folder.mkdir()
        slicer.util.saveScene(str(folder))
        self._closeAndLoad(next(folder.glob("*.mrml"), folder / "scene.mrml"))
        assert self._saved() == before, f"{self._saved()} was loaded from a folder, and {before} saved"

    def _closeAndLoad(self, path: Path) -> None:
        assert path.is_file(), f"{path.name} was not written"
        slicer.mrmlScene.Clear()
        settle()
        assert self.panel.promptBox.prompts() == (), "the structures outlived their scene"
        assert self.ui.inputSelector.currentNode() is None
        slicer.util.loadScene(str(path))
        settle(0.5)

    def reloads(self) -> None:
        prompts, old = [prompt.text for prompt in self.panel.promptBox.prompts()], self.panel
        self.widget.onReload()
        settle(0.5)
        assert self.panel is not old, "the panel was not made anew"
        assert [prompt.text for prompt in self.panel.promptBox.prompts()] == prompts
        self._focus()
        typeText(self.panel.promptBox.lineEdit, "left hipp")
        waitFor(lambda: self.panel.promptBox.popup.visible, _OPEN_SECONDS, "the list of the reloaded panel")
        self.panel.promptBox.popup.hide()
        self.panel.promptBox.lineEdit.clear()

    # --- what they share

    def _focus(self) -> None:
        self.panel.promptBox.lineEdit.window().activateWindow()
        self.panel.promptBox.setFocus()
        settle()

    def _keys(self) -> Any:
        """The list has the keys while it is open."""
        box = self.panel.promptBox
        return box.popup.view if box.popup.visible else box.lineEdit

    def _run(self) -> None:
        assert self.ui.runButton.enabled, self.ui.mismatchLabel.text
        self.ui.runButton.click()
        assert self.panel.run.running, self.ui.errorLabel.text
        waitFor(lambda: not self.panel.run.running, _RUN_SECONDS, "the end of a run")
        settle()

    def _saved(self) -> tuple[list[str], list[str]]:
        """What must come back with a scene: the structures that were asked for, and those that were found."""
        node = self.ui.outputSelector.currentNode()
        return [prompt.text for prompt in self.panel.promptBox.prompts()], _names(node) if node is not None else []

    @staticmethod
    def _needsTorch() -> None:
        missing = packages.missing("run")
        if not missing:
            return
        if os.environ.get(REQUIRE_VARIABLE):
            raise AssertionError(f"{', '.join(missing)} must be there, because {REQUIRE_VARIABLE} is set.")
        raise SkipTest(f"skipped because {', '.join(missing)} is not installed")


def killWorker(pid: int) -> None:
    """End the interpreter behind the launcher, as an operating system does that is short of memory."""
    import psutil

    process = psutil.Process(pid)
    waitFor(lambda: process.children(recursive=True) or not _isLauncher(process), 10, "the launcher's child")
    (process.children(recursive=True) or [process])[0].kill()


def _isLauncher(process: Any) -> bool:
    return "PythonSlicer" in " ".join(process.cmdline()[:3])


def _addHead() -> Any:
    """The T1 head that comes with the module, read by Slicer itself."""
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(resource_path("Demo/itk_t1.nii.gz")))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1 head")
    assert storage.ReadData(node), "the scan that comes with the module cannot be read"
    node.CreateDefaultDisplayNodes()
    return node


def _ids(segmentationNode: Any) -> list[str]:
    segmentation = segmentationNode.GetSegmentation()
    return [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]


def _names(segmentationNode: Any) -> list[str]:
    return [segmentationNode.GetSegmentation().GetSegment(one).GetName() for one in _ids(segmentationNode)]
