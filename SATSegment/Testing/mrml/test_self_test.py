"""The module's self test, which Slicer runs, also passes on Slicer's libraries alone."""

from __future__ import annotations

import types
import unittest

import pytest
import slicer
from mrml.slicer_module import SATSegment

# Those of the panel need Qt: Testing/gui runs them.
NEED_QT = {"test_pythonQtAnswersAsThePanelNeedsIt", "test_thePanelFromTypingToReload"}
NAMES = sorted({name for name in dir(SATSegment.SATSegmentTest) if name.startswith("test_")} - NEED_QT)


class Case(SATSegment.SATSegmentTest, unittest.TestCase):
    __test__ = False  # run below, with a scene


@pytest.mark.parametrize("name", NAMES)
def test_self_test(scene, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    logic = slicer.vtkSlicerSegmentationsModuleLogic()
    logic.SetMRMLScene(scene)
    monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)
    # slicer.util asks the application's module for its logic.
    module = types.SimpleNamespace(logic=lambda: logic)
    monkeypatch.setattr(slicer, "modules", types.SimpleNamespace(segmentations=module), raising=False)
    result = Case(name).run()
    assert result.wasSuccessful(), result.errors + result.failures
    assert result.testsRun == 1
