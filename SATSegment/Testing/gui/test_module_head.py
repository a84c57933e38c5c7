"""The whole way with what comes with SATSegment: the demonstration model, the real head scan, the real panel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gui.panel_rig import (
    Heart,
    PanelInRig,
    addRealHead,
    importWhatRunsNeed,
    keptEngine,
    ownEngine,
    panelWithDemoModel,
    segmentNames,
)
from rig.hands import click, settle

from helpers.processor import slowdown
from SATSegmentLib.mrml.record import records
from SATSegmentLib.resources import resource_path
from SATSegmentLib.scans import read_scan

# What the demonstration model does well; in SAMSEG's labels of the scan.
LABELS = {"cerebellum": (7, 8, 46, 47), "lateral ventricle": (4, 5, 43, 44), "white matter": (2, 41)}
SIDES = {"left cerebellum": (7, 8), "right cerebellum": (46, 47)}


@pytest.fixture(scope="module", autouse=True)
def _engine() -> Iterator[None]:
    with keptEngine():
        yield


@pytest.fixture
def rig(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PanelInRig]:
    addRealHead(scene)
    with panelWithDemoModel(tmp_path, monkeypatch) as rig:
        yield rig


def test_typed_names_become_coded_segments_of_these_structures(rig: PanelInRig) -> None:
    rig.ask("cerebellum", "lateral ventricle", "white matter")
    assert [prompt.text for prompt in rig.panel.promptBox.prompts()] == list(LABELS)
    click(rig.ui.runButton)
    rig.waitForEnd(120)
    assert rig.ui.errorFrame.isHidden(), rig.ui.errorLabel.text
    node = rig.ui.outputSelector.currentNode()
    assert sorted(segmentNames(node).values()) == sorted(LABELS)
    truth = read_scan(resource_path("Demo/itk_t1_samseg.nii.gz")).array
    overlaps = {}
    for result in rig.moduleWidget.logic.results:
        full = result.whole_mask(truth.shape)
        overlaps[result.prompt.text] = {name: dice(full, np.isin(truth, labels)) for name, labels in LABELS.items()}
    for name in LABELS:
        # Each name's mask is that structure's, and no other's.
        assert max(overlaps[name], key=overlaps[name].get) == name, overlaps
        assert overlaps[name][name] > 0.35, overlaps
    (run,) = records(node)
    assert len(run["model_sha256"]) == 64
    assert [prompt["orientation"] for prompt in run["prompts"]] == ["RAS"] * 3
    assert run["precision"] == "float32"
    assert run["torch"]
    assert (run["windows"], run["overlap"]) == ("all", 0.5)
    assert {one["windows"]["looked_at"] for one in run["prompts"]} == {run["prompts"][0]["windows"]["total"]}
    assert "T1 head" not in json.dumps(run)


def test_left_is_left_and_right_is_right(rig: PanelInRig) -> None:
    """Against the scan's labels, and against the patient's axes."""
    rig.ask(*SIDES)
    click(rig.ui.runButton)
    rig.waitForEnd(180)
    assert rig.ui.errorFrame.isHidden(), rig.ui.errorLabel.text
    node = rig.ui.outputSelector.currentNode()
    truth = read_scan(resource_path("Demo/itk_t1_samseg.nii.gz")).array
    for result in rig.moduleWidget.logic.results:
        full = result.whole_mask(truth.shape)
        found = {name: dice(full, np.isin(truth, labels)) for name, labels in SIDES.items()}
        assert max(found, key=found.get) == result.prompt.text, found
        assert found[result.prompt.text] > 0.5, found
        assert min(found.values()) < 0.1, found
    left, right = (node.GetSegmentCenterRAS(f"SAT_mri_{name.replace(' ', '_')}")[0] for name in SIDES)
    assert left < right, "x runs to the patient's right"
    assert segmentNames(node) == {f"SAT_mri_{name.replace(' ', '_')}": name for name in SIDES}


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def test_the_panel_lives_through_the_whole_run_and_its_writing(
    rig: PanelInRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    ownEngine(monkeypatch)  # its start is a part of a run
    rig.ask("brain", "white matter", "grey matter", "cerebellum", "lateral ventricle", "brain ventricle")
    settle()
    importWhatRunsNeed()
    heart = Heart()
    click(rig.ui.runButton)
    rig.waitForEnd(120)
    heart.stop()
    print(f"at most {heart.longestWork * 1000:.0f} ms of work between two beats")
    assert rig.ui.errorFrame.isHidden(), rig.ui.errorLabel.text
    assert len(segmentNames(rig.ui.outputSelector.currentNode())) == 6
    assert heart.beats > 50
    assert heart.longestWork <= 0.1 * slowdown()
