"""The panel's results as DICOM: written by a process of its own, read back by other readers."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
import slicer
from gui.panel_rig import PanelInRig, keptEngine, panelWithDemoModel
from mrml.mrml_phantom import addVolume
from rig.file_dialog import QFileDialog
from rig.hands import settle, waitFor

from helpers.dicom_results import SHAPE, masks
from helpers.dicom_series import lps_affine, write_classic
from helpers.results import result
from SATSegmentLib.engine.api import ModelRecord
from SATSegmentLib.grid.affine import lps_to_ras
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.masks.open import open_masks
from SATSegmentLib.mrml.record import addRecord
from SATSegmentLib.mrml.segmentations import createSegmentation, writeResults
from SATSegmentLib.setup import packages

MODEL = ModelRecord("SAT-Nano", "ab" * 32, "", "2.8")
NAMES = ("left kidney", "spleen")
AFFINE = lps_affine(SHAPE, [1, 0, 0, 0, 1, 0])


@pytest.fixture(scope="module", autouse=True)
def _engine() -> Iterator[None]:
    with keptEngine():
        yield


@pytest.fixture
def rig(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PanelInRig]:
    monkeypatch.setattr(QFileDialog, "answers", [])
    with panelWithDemoModel(tmp_path, monkeypatch) as rig:
        yield rig


def loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A volume as Slicer loads it from its DICOM database, which knows where each image lies."""
    array = np.random.default_rng(0).integers(-900, 900, SHAPE)
    write_classic(folder, array, AFFINE, np.random.default_rng(1).permutation(SHAPE[0]))
    files = {str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID): str(file) for file in folder.iterdir()}
    database = types.SimpleNamespace(
        isOpen=True, fileForInstance=lambda uid: files.get(uid, ""), instanceValue=lambda uid, tag: "CT"
    )
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    volumeNode = addVolume(slicer.mrmlScene, array.astype(np.int16), lps_to_ras(AFFINE), "Chest")
    volumeNode.SetAttribute("DICOM.instanceUIDs", " ".join(files))
    return volumeNode


def segmented(rig: PanelInRig, volumeNode: Any) -> Any:
    """The volume with what a run leaves: two structures, and one that was not found."""
    results = [result(name, masks()[name], "ct") for name in NAMES]
    results.append(result("pancreas", np.zeros(SHAPE, bool), "ct"))
    voxelMl = Grid.of(types.SimpleNamespace(array=np.zeros(SHAPE), ijk_to_ras=lps_to_ras(AFFINE))).voxel_ml
    for one in results:
        object.__setattr__(one, "volume_ml", one.voxels * voxelMl)
    node = createSegmentation(volumeNode)
    writeResults(node, volumeNode, results)
    addRecord(node, results, MODEL, 0.5)
    rig.ui.inputSelector.setCurrentNode(volumeNode)
    rig.ui.outputSelector.setCurrentNode(node)
    settle()
    return node


def export(rig: PanelInRig, action: Any, path: Path) -> None:
    QFileDialog.answers.append(str(path))
    action.trigger()
    waitFor(lambda: not rig.panel.resultsPanel.dicom.running, 60, "the end of the export")
    settle()


def test_structures_leave_as_dicom_with_what_the_user_did_to_them(
    rig: PanelInRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumeNode = loaded(tmp_path / "scan", monkeypatch)
    node = segmented(rig, volumeNode)
    node.GetSegmentation().GetSegment("SAT_ct_left_kidney").SetName("kidney, checked")
    edited = masks()["spleen"].copy()
    edited[:2] = False
    segment = node.GetSegmentation().GetSegment("SAT_ct_spleen")
    writeResults(node, volumeNode, [result("spleen", edited, "ct")])  # by hand: the record knows nothing of it
    assert segment is not None
    parts = rig.panel.resultsPanel
    export(rig, parts.toSegAction, tmp_path / "seg")  # without its ending
    assert rig.ui.errorFrame.isHidden(), rig.ui.errorLabel.text
    assert rig.ui.stageLabel.text == "Written: 2 structures. Left out, because not found: pancreas."
    seg = highdicom.seg.segread(tmp_path / "seg.dcm")
    kidney, spleen = seg.SegmentSequence
    assert (kidney.SegmentLabel, kidney.SegmentAlgorithmType) == ("kidney, checked", "AUTOMATIC")
    assert (spleen.SegmentLabel, spleen.SegmentAlgorithmType) == ("spleen", "SEMIAUTOMATIC")
    assert kidney.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == "SAT-Nano"
    assert seg.StudyInstanceUID == pydicom.dcmread(next((tmp_path / "scan").iterdir())).StudyInstanceUID
    export(rig, parts.toStructuresAction, tmp_path / "rt.dcm")
    grid = Grid(SHAPE, lps_to_ras(AFFINE))
    for file, names in (("seg.dcm", ("kidney, checked", "spleen")), ("rt.dcm", ("kidney, checked", "Spleen"))):
        opened = open_masks(tmp_path / file)
        assert opened.names == names
        for name, expected in zip(names, (masks()["left kidney"], edited), strict=True):
            np.testing.assert_array_equal(opened.read(name, grid).array, expected)


def test_why_there_is_no_file_is_said(rig: PanelInRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts, error = rig.panel.resultsPanel, rig.ui.errorLabel
    segmented(rig, addVolume(slicer.mrmlScene, np.zeros(SHAPE, np.int16), lps_to_ras(AFFINE), "Head"))
    parts.toSegAction.trigger()  # no dialog is opened: that would fail here
    assert "Head was not loaded from Slicer's DICOM database" in error.text
    assert "module DICOM" in error.text

    volumeNode = loaded(tmp_path / "scan", monkeypatch)
    segmented(rig, volumeNode)
    volumeNode.SetOrigin(1, 2, 3)  # as where it was centred, or registered and hardened
    export(rig, parts.toSegAction, tmp_path / "seg.dcm")
    assert "does not show the voxels of this scan" in error.text
    assert not (tmp_path / "seg.dcm").exists()

    asked: list[str] = []

    def install(purpose: str, progress: Any = None) -> None:
        asked.append(purpose)
        raise packages.SetupError("contourpy was not installed.", "Nothing was changed.")

    monkeypatch.setattr(packages, "missing", lambda purpose: ["contourpy>=1.2"])
    monkeypatch.setattr(packages, "install", install)
    parts.toStructuresAction.trigger()
    assert asked == ["dicom"]
    assert "contourpy was not installed" in error.text


def test_another_scan_gets_a_segmentation_of_its_own(rig: PanelInRig) -> None:
    node = segmented(rig, addVolume(slicer.mrmlScene, np.zeros(SHAPE, np.int16), lps_to_ras(AFFINE), "May"))
    other = addVolume(slicer.mrmlScene, np.zeros(SHAPE, np.int16), lps_to_ras(AFFINE), "June")
    rig.ui.inputSelector.setCurrentNode(other)
    settle()
    assert rig.ui.outputSelector.currentNode() is None
    rig.ui.outputSelector.setCurrentNode(node)  # still to be looked at
    settle()
    assert [row.prompt.text for row in rig.panel.results.rows][:2] == list(NAMES)
