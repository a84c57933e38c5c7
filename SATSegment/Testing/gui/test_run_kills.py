"""Ten kills at random moments: no lost segment, no leftover file or process, and the eleventh run works."""

from __future__ import annotations

import os
import random
import signal
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
from worker.small_model import makeModel


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


@pytest.mark.long
def test_ten_kills_at_random_moments(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    for _ in range(10):
        rig.ui.inputSelector.setCurrentNode(large)
        rig.ui.outputSelector.setCurrentNode(None)
        rig.panel.run.run()
        moment = time.monotonic() + chance.uniform(0.0, 8.0)
        waitFor(lambda moment=moment: time.monotonic() > moment or not rig.panel.run.running, 30)
        pid = rig.module.sharedWorker().pid
        if pid is not None and rig.panel.run.running:
            os.kill(pid, signal.SIGKILL)
            rig.waitForEnd(30)
            errors += not rig.ui.errorFrame.isHidden()
        else:
            rig.panel.run.cancel()
            rig.waitForEnd(30)
        settle()
        assert {one: sorted(map(tuple, worldPoints(node, one).tolist())) for one in segmentNames(node)} == kept
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
    assert errors >= 5
    rig.ui.inputSelector.setCurrentNode(small)
    rig.ui.outputSelector.setCurrentNode(node)
    rig.panel.run.run()
    rig.waitForEnd()
    assert rig.ui.errorFrame.isHidden(), rig.ui.errorLabel.text
    assert {one: sorted(map(tuple, worldPoints(node, one).tolist())) for one in segmentNames(node)} == kept
    rig.cleanup()
    assert leftovers() == []
    assert children() <= before
