"""The modality is read where it can be, guessed where it must be, and says why."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from SATSegmentLib.gui.modality import Guess, guessModality, mismatch
from SATSegmentLib.types import Prompt

SPLEEN, HIPPOCAMPUS = Prompt("spleen", "ct"), Prompt("left hippocampus", "mri")


def volume(scene: Any, array: np.ndarray, name: str = "Scan") -> Any:
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(name)
    image = vtk.vtkImageData()
    image.SetDimensions(*reversed(array.shape))
    image.GetPointData().SetScalars(numpy_to_vtk(array.ravel(), deep=True))
    node.SetAndObserveImageData(image)
    return scene.AddNode(node)


def putDicomTag(node: Any, modality: str) -> None:
    """As Slicer's DICOM import leaves it in the subject hierarchy."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
    hierarchy.SetItemAttribute(item, "DICOM.Modality", modality)


def body(air: float) -> np.ndarray:
    array = np.full((20, 30, 30), air, np.float32)
    array[5:15, 8:22, 8:22] = np.random.default_rng(2).normal(40, 20, (10, 14, 14))
    return array


@pytest.mark.parametrize(("tag", "modality"), [("CT", "ct"), ("MR", "mri"), ("PT", "pet")])
def test_dicom_is_believed_before_the_intensities(scene: Any, tag: str, modality: str) -> None:
    node = volume(scene, body(-1000))
    putDicomTag(node, tag)
    guess = guessModality(node)
    assert (guess.modality, guess.certain) == (modality, True)
    assert "DICOM" in guess.reason


def test_the_dicom_database_is_asked_for_the_first_instance(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node = volume(scene, body(0))
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    database = types.SimpleNamespace(
        isOpen=True, instanceValue=lambda uid, tag: "CT" if (uid, tag) == ("1.2.3", "0008,0060") else ""
    )
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    assert guessModality(node).modality == "ct"


def test_a_modality_that_sat_does_not_know_is_named_and_not_replaced(scene: Any) -> None:
    node = volume(scene, body(0))
    putDicomTag(node, "US")
    guess = guessModality(node)
    assert guess.modality is None
    assert "US" in guess.reason


def test_air_in_hounsfield_units_means_ct(scene: Any) -> None:
    guess = guessModality(volume(scene, body(-1000)))
    assert guess.modality == "ct"
    assert "-1000" in guess.reason
    assert not guess.certain


def test_without_air_it_is_not_ct(scene: Any) -> None:
    guess = guessModality(volume(scene, body(0)))
    assert guess.modality == "mri"
    assert "guessed" in guess.reason


def test_a_mismatch_is_said_before_the_run(scene: Any) -> None:
    node = volume(scene, body(-1000), "Thorax")
    read = Guess("ct", "from DICOM", certain=True)
    assert mismatch(node, read, "ct", [SPLEEN]) == ""
    assert "Thorax is CT by its DICOM tags, but MRI is chosen" in mismatch(node, read, "mri", [HIPPOCAMPUS])
    assert "looks like CT" in mismatch(node, Guess("ct", "guessed"), "pet", [])
    assert "left hippocampus" in mismatch(node, read, "ct", [SPLEEN, HIPPOCAMPUS])
