"""The module's self test, which is made for a real Slicer, passes in the rig too, and fails where it should."""

from __future__ import annotations

import tempfile
import types
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import slicer
from gui.panel_rig import PanelInRig, addHead, libraryModules, restoreLibrary

from helpers.small_model import makeModel
from SATSegmentLib.gui.self_test import acceptance, doubts


@pytest.fixture
def rig(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PanelInRig]:
    monkeypatch.setenv("SATSEGMENT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    kept = libraryModules()
    rig = PanelInRig()
    module = types.SimpleNamespace(widgetRepresentation=lambda: rig.moduleWidget.parent)
    monkeypatch.setattr(slicer.modules, "satsegment", module, raising=False)
    yield rig
    slicer.modules.SATSegmentWidget.cleanup()
    restoreLibrary(kept)


@pytest.mark.parametrize("check", doubts.CHECKS, ids=lambda check: check.__name__)
def test_the_rig_answers_as_the_panel_needs_it(check: Any) -> None:
    check()


def test_every_doubt_is_in_the_list() -> None:
    written = {name for name, one in vars(doubts).items() if name[0].islower() and callable(one)}
    imported = {"icon", "press"}
    assert written - imported == {check.__name__ for check in doubts.CHECKS}


def test_the_whole_self_test_passes(rig: PanelInRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a small network and scan; everything else is what Slicer runs."""
    monkeypatch.setenv(acceptance.REQUIRE_VARIABLE, "1")
    (tmp_path / "models").mkdir()
    model = str(makeModel(tmp_path / "models"))
    rig.panel.settings.refreshModels()
    typed = (("left hippoc", "left hippocampus"), ("brainstem", "brainstem"))
    story = acceptance.Acceptance(lambda: addHead(slicer.mrmlScene), model, typed)
    monkeypatch.setattr(rig.module.SATSegmentTest, "story", lambda self: story)
    assert rig.module.selfTest()


@pytest.mark.long
def test_the_whole_self_test_passes_with_the_demonstration_model(
    rig: PanelInRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(acceptance.REQUIRE_VARIABLE, "1")
    assert rig.module.selfTest()


@pytest.mark.long
def test_without_pytorch_the_runs_are_skipped_and_the_rest_is_done(
    rig: PanelInRig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(acceptance.REQUIRE_VARIABLE, raising=False)
    monkeypatch.setattr(acceptance.packages, "missing", lambda purpose: ["torch>=2.4"])
    assert rig.module.selfTest()
    told = capsys.readouterr()
    assert "segments: skipped because torch>=2.4 is not installed" in told.out
    assert "skipped=1" in told.err
    assert "savesAndLoadsTheScene" in told.out


@pytest.mark.parametrize("broken", [False, True])
def test_slicer_ends_with_the_result_as_its_exit_code(
    rig: PanelInRig, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(slicer.util, "exit", codes.append)
    monkeypatch.setattr(rig.module, "SATSegmentTest", type("OneTest", (unittest.TestCase,), {"test_it": _test(broken)}))
    rig.module.selfTestAndExit()
    assert codes == [int(broken)]


def _test(broken: bool) -> Any:
    def test_it(self: unittest.TestCase) -> None:
        self.assertFalse(broken)  # noqa: PT009 - it is unittest's

    return test_it
