"""What a loaded scan's file leaves open is said before the run, and kept in the record."""

from __future__ import annotations

import json
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
import slicer
from mrml.mrml_phantom import SHAPE, addVolume, grid

from helpers.dicom_files import stack, write_classic
from SATSegmentLib.engine.api import ModelRecord, RunListener, RunOptions, SegmentAnswer
from SATSegmentLib.mrml.doubts import volumeDoubts
from SATSegmentLib.mrml.record import RECORD_ATTRIBUTE, addRecord
from SATSegmentLib.mrml.run import VolumeRun
from SATSegmentLib.mrml.volumes import imageFromVolume
from SATSegmentLib.types import DoubtKind, Prompt

VOXELS = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)


def loaded(scene, path, affine=None):
    """A volume node as Slicer leaves it after loading that file."""
    volumeNode = addVolume(scene, VOXELS, grid("axial") if affine is None else affine)
    storageNode = slicer.vtkMRMLVolumeArchetypeStorageNode()
    scene.AddNode(storageNode)
    storageNode.SetFileName(str(path))
    volumeNode.SetAndObserveStorageNodeID(storageNode.GetID())
    return volumeNode


def kinds(volumeNode) -> set[DoubtKind]:
    return {doubt.kind for doubt in volumeDoubts(volumeNode, imageFromVolume(volumeNode))}


def save(path, sform=None, qform=None):
    image = nibabel.Nifti1Image(VOXELS.T, None)
    image.header.set_sform(sform, int(sform is not None))
    image.header.set_qform(qform, int(qform is not None))
    image.to_filename(path)
    return path


def test_a_volume_without_a_file_has_no_doubts(scene):
    assert kinds(addVolume(scene, VOXELS, grid("axial"))) == set()


@pytest.mark.parametrize(
    ("shape", "spacing", "said"), [((1, 9, 9), 1, "a single slice"), ((9, 2, 9), 1, "2 slices"), (SHAPE, 100, "large")]
)
def test_a_volume_that_is_flat_or_of_an_unlikely_size_is_doubted_whatever_it_came_from(scene, shape, spacing, said):
    affine = np.diag([spacing, spacing, spacing, 1.0])
    volumeNode = addVolume(scene, np.arange(np.prod(shape), dtype=np.int16).reshape(shape), affine)
    (doubt,) = volumeDoubts(volumeNode, imageFromVolume(volumeNode))
    assert doubt.kind is DoubtKind.SIZES
    assert said in doubt.text


def test_slicers_reader_inverts_monochrome1_and_that_is_doubted(scene, tmp_path, monkeypatch):
    """With Slicer's own reader: where it no longer does, the doubt goes."""
    read = {}
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        edit = lambda number, data, name=photometric: setattr(data, "PhotometricInterpretation", name)  # noqa: E731
        files = write_classic(tmp_path / photometric, stack(VOXELS), modality="MR", edit=edit)
        storageNode, volumeNode = slicer.vtkMRMLVolumeArchetypeStorageNode(), slicer.vtkMRMLScalarVolumeNode()
        for node in (storageNode, volumeNode):
            scene.AddNode(node)
        storageNode.SetSingleFile(0)
        storageNode.SetFileName(str(files[0]))
        for file in files:
            storageNode.AddFileName(str(file))
        assert storageNode.ReadData(volumeNode)
        database = SimpleNamespace(isOpen=True, instanceValue=lambda uid, tag, name=photometric: name)
        monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
        volumeNode.SetAttribute("DICOM.instanceUIDs", "1.2.3")
        read[photometric] = imageFromVolume(volumeNode).array.copy(), kinds(volumeNode)
    (inverted, doubted), (plain, trusted) = read.values()
    assert np.array_equal(plain, VOXELS)
    assert (doubted, trusted) == ({DoubtKind.VALUES}, set())
    assert not np.array_equal(inverted, plain)


def test_a_good_file_has_no_doubts(scene, tmp_path):
    affine = grid("axial")
    assert kinds(loaded(scene, save(tmp_path / "a.nii", affine, affine))) == set()


def test_a_file_without_orientation_is_doubted_in_slicer_too(scene, tmp_path):
    volumeNode = loaded(scene, save(tmp_path / "a.nii"), np.eye(4))
    assert kinds(volumeNode) == {DoubtKind.SIDES}


@pytest.mark.parametrize("mirrored", [False, True])
def test_two_transforms_that_disagree_are_doubted(scene, tmp_path, mirrored):
    other = grid("axial")
    if mirrored:
        other[:, 0] *= -1
    else:
        other[0, 3] += 9
    assert kinds(loaded(scene, save(tmp_path / "a.nii", grid("axial"), other))) == {DoubtKind.GRID}


def test_a_volume_that_lies_elsewhere_than_its_file_says_is_doubted(scene, tmp_path):
    """A unit of length that Slicer's reader passes over."""
    path = tmp_path / "a.mha"
    header = "ObjectType = Image\nNDims = 3\nBinaryData = True\nTransformMatrix = 1 0 0 0 1 0 0 0 1\n"
    header += f"ElementSpacing = 1 1 2\nDistanceUnits = cm\nDimSize = {' '.join(map(str, SHAPE[::-1]))}\n"
    path.write_bytes((header + "ElementType = MET_SHORT\nElementDataFile = LOCAL\n").encode() + VOXELS.tobytes())
    volumeNode = loaded(scene, path)
    assert volumeNode.GetStorageNode().ReadData(volumeNode)
    assert volumeNode.GetSpacing() == (1, 1, 2)
    assert kinds(volumeNode) == {DoubtKind.GRID}


@pytest.mark.parametrize("name", ["gone.nii", "picture.tif", "a.dcm"])
def test_a_file_that_is_gone_or_of_another_kind_says_nothing(scene, tmp_path, name):
    assert kinds(loaded(scene, tmp_path / name)) == set()


def test_doubts_are_told_before_the_run_and_kept_in_the_record(scene, tmp_path):
    volumeNode = loaded(scene, save(tmp_path / "a.nii"), np.eye(4))
    run = VolumeRun(volumeNode, [Prompt("liver", "ct")], RunOptions("demo"))
    told, asked = [], []
    answer = SegmentAnswer((), ModelRecord("Tiny", "1" * 64, "", "2"))
    engine = SimpleNamespace(segment=lambda request, listener: asked.append(len(told)) or answer)
    run.ask(engine, RunListener(on_warning=told.append))
    assert "left and right are a guess" in told[0]
    assert asked == [1]
    node = slicer.vtkMRMLSegmentationNode()
    scene.AddNode(node)
    addRecord(node, [], SimpleNamespace(torch="", name="demo", sha256=""), 0.5, run.doubts)
    (record,) = json.loads(node.GetAttribute(RECORD_ATTRIBUTE))
    assert record["doubts"] == ["sides"]
    assert str(tmp_path) not in node.GetAttribute(RECORD_ATTRIBUTE)
