"""DICOM series through the panel: oblique, under a linear transform, with gantry tilt. The masks lie on the anatomy.

The real head scan is written as a series, read as Slicer's DICOM module does, and segmented by the demonstration model;
where the masks ought to be is known from the scan's own labels, without any code of the panel.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import slicer
import vtk
from gui.panel_rig import PanelInRig, keptEngine, panelWithDemoModel
from mrml.mrml_phantom import addLinearTransform, fromMatrix, worldPoints
from rig.hands import click, waitFor
from vtk.util.numpy_support import numpy_to_vtk

from SATSegmentLib.resources import resource_path
from SATSegmentLib.scans import read_scan

# SAMSEG's labels: white matter and cortex of each half.
SIDES = {"left cerebellum": (7, 8), "right cerebellum": (46, 47)}
# Rows that a slice lies further along than the one before: 14.9 degrees in this scan.
TILT_ROWS = 0.4


@pytest.fixture(scope="module", autouse=True)
def _engine() -> Iterator[None]:
    with keptEngine():
        yield


@pytest.fixture
def rig(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PanelInRig]:
    with panelWithDemoModel(tmp_path, monkeypatch) as rig:
        yield rig


def oblique() -> np.ndarray:
    """The head's grid, turned by 10 degrees about x and 7 about z."""
    a, b = np.deg2rad([10, 7])
    aboutX = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    aboutZ = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    turned = np.eye(4)
    turned[:3, :3] = aboutZ @ aboutX
    return turned @ read_scan(resource_path("Demo/itk_t1.nii.gz")).ijk_to_ras


def tilted(array: np.ndarray) -> np.ndarray:
    """What a scanner with a tilted gantry would have acquired: each slice begins a little further along its rows."""
    result = np.zeros_like(array)
    for k, piece in enumerate(array):
        whole, part = divmod(TILT_ROWS * k, 1)
        ahead = np.zeros((2, *piece.shape))
        for place, start in enumerate((int(whole), int(whole) + 1)):
            ahead[place, : len(piece) - start] = piece[start:]
        result[k] = np.round((1 - part) * ahead[0] + part * ahead[1])
    return result


def writeSeries(folder: Path, array: np.ndarray, ijkToRas: np.ndarray) -> list[str]:
    """One file per slice; returns them sorted along the slices' normal, as Slicer's DICOM module sorts them."""
    folder.mkdir()
    ijkToLps = np.diag([-1, -1, 1, 1]) @ ijkToRas
    spacing = np.linalg.norm(ijkToLps[:3, :3], axis=0)
    row, column = (ijkToLps[:3, axis] / spacing[axis] for axis in (0, 1))
    places = {}
    for number, piece in enumerate(array):
        data = pydicom.Dataset()
        data.SOPClassUID = pydicom.uid.MRImageStorage
        data.SOPInstanceUID = f"1.2.826.0.1.3680043.2.1125.7.{number + 1}"
        data.StudyInstanceUID, data.SeriesInstanceUID = (f"1.2.826.0.1.3680043.2.1125.{n}" for n in (8, 9))
        data.Modality, data.InstanceNumber = "MR", number + 1
        position = (ijkToLps @ [0, 0, number, 1])[:3]
        data.ImagePositionPatient = [f"{v:.6f}" for v in position]
        data.ImageOrientationPatient = [f"{v:.6f}" for v in (*row, *column)]
        data.PixelSpacing = [spacing[1], spacing[0]]
        # As in real series, this is not how far the slices are apart.
        data.SpacingBetweenSlices = "1.0"
        data.Rows, data.Columns = piece.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
        data.PixelData = piece.astype(np.int16).tobytes()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        path = folder / f"{(number * 7) % len(array):03d}.dcm"
        data.save_as(path, enforce_file_format=True)
        places[str(path)] = float(np.cross(row, column) @ position)
    return sorted(places, key=places.__getitem__)


def loadSeries(files: list[str]) -> Any:
    """A volume node as Slicer's DICOM module makes it."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Head")
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetSingleFile(0)
    storage.SetFileName(files[0])
    for file in files:
        storage.AddFileName(file)
    assert storage.ReadData(node)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
    hierarchy.SetItemAttribute(item, "DICOM.Modality", "MR")
    return node


def ijkToRasOf(node: Any) -> np.ndarray:
    found = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(found)
    return fromMatrix(found)


def acquisitionTransform(node: Any, toTrue: np.ndarray) -> Any:
    """The grid transform that Slicer puts a tilted series under: displacements at the corners of its box."""
    corners = np.array(np.meshgrid(*([0, n - 1] for n in node.GetImageData().GetDimensions()))).reshape(3, -1)
    places = (ijkToRasOf(node) @ np.vstack([corners, np.ones(8)]))[:3]
    low, high = places.min(axis=1) - 50, places.max(axis=1) + 50
    grid = vtk.vtkImageData()
    grid.SetDimensions(2, 2, 2)
    grid.SetOrigin(*low)
    grid.SetSpacing(*(high - low))
    nodes = np.array([(x, y, z, 1) for z in (0, 1) for y in (0, 1) for x in (0, 1)], float)
    nodes[:, :3] = low + nodes[:, :3] * (high - low)
    grid.GetPointData().SetScalars(numpy_to_vtk((nodes @ toTrue.T - nodes)[:, :3].copy(), deep=True))
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(grid)
    transformNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode", "acquisition transform")
    transformNode.SetAndObserveTransformToParent(transform)
    return transformNode


def agreements(segmentationNode: Any, ijkToWorld: np.ndarray) -> dict[str, dict[str, float]]:
    """Dice of each segment, as it lies in the world, with each structure of the scan's own labels."""
    labels = read_scan(resource_path("Demo/itk_t1_samseg.nii.gz")).array
    found: dict[str, dict[str, float]] = {}
    for name in SIDES:
        points = worldPoints(segmentationNode, f"SAT_mri_{name.replace(' ', '_')}")
        back = np.linalg.inv(ijkToWorld) @ np.c_[points, np.ones(len(points))].T
        i, j, k = np.round(back[:3]).astype(int).clip(0, np.array(labels.shape[::-1])[:, None] - 1)
        mask = np.zeros(labels.shape, bool)
        mask[k, j, i] = True
        truths = {one: np.isin(labels, numbers) for one, numbers in SIDES.items()}
        found[name] = {one: 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) for one, truth in truths.items()}
    return found


def assertOnTheAnatomy(segmentationNode: Any, ijkToWorld: np.ndarray) -> None:
    found = agreements(segmentationNode, ijkToWorld)
    print({name: round(float(sides[name]), 3) for name, sides in found.items()})
    for name, sides in found.items():
        assert sides[name] > 0.5, found
        assert max(sides, key=sides.__getitem__) == name, found


def segment(rig: PanelInRig) -> Any:
    # The panel looks at a scan a moment after its loader has finished; people are slower than that.
    waitFor(lambda: rig.ui.modalityReasonLabel.text == "from DICOM", 5, "the look at the tags")
    rig.panel.promptBox.clear()
    rig.ask(*SIDES)
    click(rig.ui.runButton)
    rig.waitForEnd(180)
    assert rig.ui.errorFrame.isHidden(), rig.ui.errorLabel.text
    return rig.ui.outputSelector.currentNode()


def test_an_oblique_series_under_a_linear_transform(rig: PanelInRig, tmp_path: Path) -> None:
    head, grid = read_scan(resource_path("Demo/itk_t1.nii.gz")).array, oblique()
    node = loadSeries(writeSeries(tmp_path / "series", head, grid))
    toWorld = np.array([[0.8, -0.6, 0, 17], [0.6, 0.8, 0, -23], [0, 0, 1, 41], [0, 0, 0, 1]])
    node.SetAndObserveTransformNodeID(addLinearTransform(slicer.mrmlScene, toWorld).GetID())
    assertOnTheAnatomy(segment(rig), toWorld @ grid)
    assert rig.ui.modalityComboBox.currentText == "MRI"


def shearedGrid() -> np.ndarray:
    sheared = oblique()
    sheared[:3, 2] += TILT_ROWS * sheared[:3, 1]
    return sheared


def test_a_series_with_gantry_tilt_as_its_axes_say(rig: PanelInRig, tmp_path: Path) -> None:
    """As Slicer's reader gives it: the third axis is not at right angles to the slices."""
    head = tilted(read_scan(resource_path("Demo/itk_t1.nii.gz")).array)
    node = loadSeries(writeSeries(tmp_path / "series", head, shearedGrid()))
    np.testing.assert_allclose(np.abs(ijkToRasOf(node)[:3, 2]), np.abs(shearedGrid()[:3, 2]), atol=1e-4)
    assertOnTheAnatomy(segment(rig), oblique())
    assert "tilted by 14.9 degrees" in rig.ui.logTextEdit.plainText


@pytest.mark.long
def test_a_series_with_gantry_tilt_under_slicers_transform(rig: PanelInRig, tmp_path: Path) -> None:
    """As Slicer's DICOM module corrects it: refused with the remedy, and right after the remedy."""
    head = tilted(read_scan(resource_path("Demo/itk_t1.nii.gz")).array)
    node = loadSeries(writeSeries(tmp_path / "series", head, oblique()))
    node.SetName("Tilted")
    node.SetAndObserveTransformNodeID(acquisitionTransform(node, shearedGrid() @ np.linalg.inv(oblique())).GetID())
    waitFor(lambda: "non-linear transform" in rig.ui.errorLabel.text, 5)
    rig.ask("left cerebellum")
    click(rig.ui.runButton)
    assert not rig.panel.run.running
    assert "Tilted is under a non-linear transform" in rig.ui.errorLabel.text
    assert "Harden" in rig.ui.errorLabel.text
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert node.HardenTransform()
    waitFor(lambda: rig.ui.errorFrame.isHidden(), 5)
    assertOnTheAnatomy(segment(rig), oblique())
