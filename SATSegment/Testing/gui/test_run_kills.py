"""Ten kills at random moments: no lost segment, no leftover file or process, and the eleventh run works."""

from __future__ import annotations

import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import qt
import slicer
from gui.panel_rig import PanelInRig, addHead, leftovers, segmentNames
from mrml.mrml_phantom import worldPoints
from rig.hands import settle, waitFor

from helpers.small_model import makeModel
from SATSegmentLib.gui.self_test.acceptance import killWorker


def children() -> set[int]:
    """Processes that are ours and still live."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and fields[0] != "Z":
            found.add(int(status.parent.name))
    return found


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.long)])
def test_kills_at_random_moments(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int) -> None:
    models = tmp_path / "models"
    models.mkdir()
    model = makeModel(models)
    monkeypatch.setenv("SATSEGMENT_MODELS", str(models))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    qt.QSettings().setValue("SATSegment/model", str(model))
    before = children()
    small, large = addHead(scene, "Small"), addHead(scene, "Large", (4, 8, 8))
    rig = PanelInRig()
    rig.ui.inputSelector.setCurrentNode(small)
    rig.ask("left hippocampus", "brainstem")
    rig.panel.run.run()
    rig.waitForEnd()
    node = rig.ui.outputSelector.currentNode()
    kept = {one: sorted(map(tuple, worldPoints(node, one).tolist())) for one in segmentNames(node)}
    assert len(kept) == 2
    chance = random.Random(4)
    errors = 0
    for number in range(kills):
        rig.ui.inputSelector.setCurrentNode(large)
        rig.ui.outputSelector.setCurrentNode(None)
        rig.panel.run.run()
        if number % 3 == 2:
            # In the middle of its work; the others while it starts, is asked, or loads the model.
            waitFor(lambda: rig.ui.progressBar.value > 0, 60)
        moment = time.monotonic() + chance.uniform(0.0, 1.5)
        waitFor(lambda moment=moment: time.monotonic() > moment, 30)
        assert rig.panel.run.running
        # The child is started in the run's thread.
        waitFor(lambda: rig.module.sharedEngine().pid is not None, 10)
        killWorker(rig.module.sharedEngine().pid)
        rig.waitForEnd(30)
        errors += "Nothing was lost" in rig.ui.errorLabel.text and not rig.ui.errorFrame.isHidden()
        settle()
        assert {one: sorted(map(tuple, worldPoints(node, one).tolist())) for one in segmentNames(node)} == kept
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
    assert errors == kills
    rig.ui.inputSelector.setCurrentNode(small)
    rig.ui.outputSelector.setCurrentNode(node)
    rig.panel.run.run()
    rig.waitForEnd()
    assert rig.ui.errorFrame.isHidden(), rig.ui.errorLabel.text
    assert {one: sorted(map(tuple, worldPoints(node, one).tolist())) for one in segmentNames(node)} == kept
    rig.cleanup()
    assert leftovers() == []
    assert children() <= before
