"""Scans are read where they are, and what cannot be segmented is refused in plain words."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.scans import read_scan
from SATSegmentLib.storage import write_segmentation
from SATSegmentLib.types import DoubtKind, Image

VOXELS = np.random.default_rng(7).integers(-1000, 1000, (6, 7, 8)).astype(np.int16)
SPACING = (0.9, 1.1, 2.5)
ORIGIN = (-31.0, 12.5, 400.0)


def rotation(degrees_x: float, degrees_z: float, flip: bool = False) -> np.ndarray:
    x, z = np.deg2rad([degrees_x, degrees_z])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return about_x @ about_z @ np.diag([-1.0 if flip else 1.0, 1.0, 1.0])


def itk_image(direction: np.ndarray | None = None) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(VOXELS)
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    image.SetDirection((np.eye(3) if direction is None else direction).ravel().tolist())
    return image


def expected_affine(direction: np.ndarray) -> np.ndarray:
    """RAS = LPS with x and y turned round, written out here once more on purpose."""
    affine = np.eye(4)
    affine[:3, :3] = direction * SPACING
    affine[:3, 3] = ORIGIN
    affine[:2] *= -1
    return affine


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".mhd"])
@pytest.mark.parametrize("flip", [False, True])
def test_every_format_gives_the_same_voxels_at_the_same_place(tmp_path: Path, suffix: str, flip: bool) -> None:
    direction = rotation(20, -35, flip)
    SimpleITK.WriteImage(itk_image(direction), str(tmp_path / f"scan{suffix}"))
    image = read_scan(tmp_path / f"scan{suffix}")
    np.testing.assert_array_equal(image.array, VOXELS)
    # NIfTI keeps its affine in single precision.
    np.testing.assert_allclose(image.ijk_to_ras, expected_affine(direction), atol=1e-4 if ".nii" in suffix else 1e-9)


@settings(max_examples=25, deadline=None)
@given(x=st.floats(-180, 180), z=st.floats(-180, 180), flip=st.booleans())
def test_any_rotation_survives_nrrd(tmp_path_factory: pytest.TempPathFactory, x: float, z: float, flip: bool) -> None:
    path = tmp_path_factory.mktemp("nrrd") / "scan.nrrd"
    SimpleITK.WriteImage(itk_image(rotation(x, z, flip)), str(path))
    np.testing.assert_allclose(read_scan(path).ijk_to_ras, expected_affine(rotation(x, z, flip)), atol=1e-9)


def test_slope_and_intercept_of_nifti_are_applied(tmp_path: Path) -> None:
    SimpleITK.WriteImage(itk_image(), str(tmp_path / "a.nii"))
    patch(tmp_path / "a.nii", 112, struct.pack("<ff", 2.0, -1024.0))
    np.testing.assert_allclose(read_scan(tmp_path / "a.nii").array, VOXELS * 2.0 - 1024)


@pytest.mark.parametrize(("slices", "said"), [(1, "a single slice"), (3, "only 3 slices"), (4, "")])
def test_a_few_slices_are_a_scan_with_a_doubt(tmp_path: Path, slices: int, said: str) -> None:
    image = SimpleITK.Image(8, 7, slices, SimpleITK.sitkInt16) + 5
    SimpleITK.WriteImage(image, str(tmp_path / "a.nrrd"))
    with warnings.catch_warnings(record=True):
        found = read_scan(tmp_path / "a.nrrd")
    assert found.array.shape == (slices, 7, 8)
    assert [one.kind for one in found.doubts] == [DoubtKind.SIZES] * bool(said)
    assert said in "".join(one.text for one in found.doubts)


def test_unicode_and_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "Müller 頭部"
    folder.mkdir()
    SimpleITK.WriteImage(itk_image(), str(folder / "тест.nii.gz"))
    assert read_scan(folder / "тест.nii.gz").array.shape == (6, 7, 8)
    monkeypatch.setenv("HOME", str(folder))
    assert read_scan("~/тест.nii.gz").array.shape == (6, 7, 8)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_a_frame_of_a_4d_scan(tmp_path: Path, suffix: str) -> None:
    direction = rotation(0, 30)
    frames = [SimpleITK.Cast(itk_image(direction) + 10 * n, SimpleITK.sitkInt16) for n in range(3)]
    series = SimpleITK.JoinSeries(frames)
    SimpleITK.WriteImage(series, str(tmp_path / f"a{suffix}"))
    image = read_scan(tmp_path / f"a{suffix}", frame=2)
    np.testing.assert_array_equal(image.array, VOXELS + 20)
    np.testing.assert_allclose(image.ijk_to_ras, expected_affine(direction), atol=1e-4)


def test_a_frame_of_a_sequence_that_slicer_saved(tmp_path: Path) -> None:
    """Slicer puts the frames on the first axis and calls it a list."""
    header = (
        "NRRD0004\ntype: short\ndimension: 4\nspace: left-posterior-superior\nsizes: 2 8 7 6\n"
        "space directions: none (1,0,0) (0,1,0) (0,0,1)\nkinds: list domain domain domain\n"
        "endian: little\nencoding: raw\nspace origin: (0,0,0)\n\n"
    )
    data = np.stack([VOXELS, VOXELS + 5], axis=-1).astype("<i2")
    (tmp_path / "a.seq.nrrd").write_bytes(header.encode() + data.tobytes())
    with pytest.raises(ScanError, match="2 frames"):
        read_scan(tmp_path / "a.seq.nrrd")
    np.testing.assert_array_equal(read_scan(tmp_path / "a.seq.nrrd", frame=1).array, VOXELS + 5)


# ---------------------------------------------------------------- what is refused


def patch(path: Path, at: int, value: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + len(value)] = value
    path.write_bytes(content)


def nifti(path: Path, at: int | None = None, value: bytes = b"") -> Path:
    path = path / "scan.nii"
    SimpleITK.WriteImage(itk_image(), str(path))
    if at is not None:
        patch(path, at, value)
    return path


def text_file(path: Path) -> Path:
    (path / "scan.nrrd").write_text("these are not the voxels you are looking for")
    return path / "scan.nrrd"


def cut(path: Path, suffix: str) -> Path:
    path = path / f"scan{suffix}"
    SimpleITK.WriteImage(itk_image(), str(path), suffix != ".nii")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    return path


def two_dimensional(path: Path, name: str) -> Path:
    SimpleITK.WriteImage(SimpleITK.Image([8, 7], SimpleITK.sitkUInt8), str(path / name))
    return path / name


def colour(path: Path) -> Path:
    SimpleITK.WriteImage(SimpleITK.Image([8, 7, 6], SimpleITK.sitkVectorUInt8, 3), str(path / "scan.nrrd"))
    return path / "scan.nrrd"


def complex_numbers(path: Path) -> Path:
    SimpleITK.WriteImage(SimpleITK.Image([8, 7, 6], SimpleITK.sitkComplexFloat32), str(path / "scan.nrrd"))
    return path / "scan.nrrd"


def four_dimensional(path: Path) -> Path:
    SimpleITK.WriteImage(SimpleITK.JoinSeries([itk_image()] * 3), str(path / "scan.nii.gz"))
    return path / "scan.nii.gz"


def sheared_nrrd(path: Path) -> Path:
    header = (
        "NRRD0004\ntype: uchar\ndimension: 3\nspace: left-posterior-superior\nsizes: 2 2 2\n"
        "space directions: (1,0,0) (0.3,1,0) (0,0,1)\nkinds: domain domain domain\nencoding: raw\n"
        "space origin: (0,0,0)\n\n"
    )
    (path / "scan.nrrd").write_bytes(header.encode() + bytes(8))
    return path / "scan.nrrd"


def meta_image(path: Path, fields: str) -> Path:
    header = (
        f"ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\n{fields}ElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    )
    (path / "scan.mha").write_bytes(header.encode() + bytes(8))
    return path / "scan.mha"


def sheared_nifti(path: Path) -> Path:
    """Sheared in the sform only; ITK would use the qform and say nothing."""
    path = nifti(path)
    patch(path, 254, struct.pack("<h", 1))
    patch(path, 280, struct.pack("<12f", 1, 0.3, 0, 5, 0, 1, 0, 6, 0, 0, 2, 7))
    return path


def segmentation(path: Path) -> Path:
    write_segmentation(path / "b.seg.nrrd", Image(VOXELS, np.eye(4)), [])
    header, _, data = (path / "b.seg.nrrd").read_bytes().partition(b"\n\n")
    (path / "b.seg.nrrd").write_bytes(header + b"\nSegment0_ID:=a" + b"\n\n" + data)
    return path / "b.seg.nrrd"


def damaged_checksum(path: Path) -> Path:
    path = path / "scan.nii.gz"
    SimpleITK.WriteImage(itk_image(), str(path))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return path


def empty_folder(path: Path) -> Path:
    (path / "notes.txt").write_text("no scan here")
    return path


REFUSED: dict[str, tuple[Callable[[Path], Path], type[ScanError], str, str]] = {
    "missing": (lambda p: p / "no.nii.gz", ScanError, "no file", "Check the name"),
    "no image": (text_file, ScanError, "not an image|damaged", ""),
    "no NIfTI": (lambda p: nifti(p, 0, b"abcd"), ScanError, "not a NIfTI", ""),
    "cut NIfTI": (lambda p: cut(p, ".nii"), ScanError, "cut off", "again"),
    "cut NIfTI, packed": (lambda p: cut(p, ".nii.gz"), ScanError, "cut off", "again"),
    "cut NRRD": (lambda p: cut(p, ".nrrd"), ScanError, "cut off", "again"),
    "cut MHA": (lambda p: cut(p, ".mha"), ScanError, "cut off", "again"),
    "damaged NIfTI, packed": (damaged_checksum, ScanError, "cut off|damaged", "again"),
    "picture": (lambda p: two_dimensional(p, "a.png"), ScanError, "not an image in a format", "Give NIfTI"),
    "2-D NIfTI": (lambda p: two_dimensional(p, "a.nii.gz"), ScanError, "2-D", "whole volume"),
    "colour": (colour, ScanError, "3 values per voxel", "grey"),
    "complex": (complex_numbers, ScanError, "complex", "magnitude"),
    "4-D": (four_dimensional, ScanError, "3 frames", "`frame`, from 0"),
    "sheared NRRD": (sheared_nrrd, GeometryError, "16.7 degrees", "Resample"),
    "sheared MHA": (
        lambda p: meta_image(p, "TransformMatrix = 1 0.3 0 0 1 0 0 0 1\nElementSpacing = 1 1 1\n"),
        GeometryError,
        "sheared",
        "Resample",
    ),
    "sheared NIfTI": (sheared_nifti, GeometryError, "sheared", "Resample"),
    "segmentation": (segmentation, ScanError, "holds a segmentation", "made from"),
    "folder without DICOM": (empty_folder, ScanError, "no DICOM series", "slices"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_segmented_is_refused_with_a_remedy(tmp_path: Path, case: str) -> None:
    make, kind, message, remedy = REFUSED[case]
    path = make(tmp_path)
    with pytest.raises(ScanError, match=message) as caught:
        read_scan(path)
    assert type(caught.value) is kind
    assert remedy in caught.value.remedy
    assert caught.value.remedy


def test_frames_that_are_not_there(tmp_path: Path) -> None:
    path = four_dimensional(tmp_path)
    with pytest.raises(ScanError, match="no frame 3"):
        read_scan(path, frame=3)
    with pytest.raises(ScanError, match="no frame -1"):
        read_scan(path, frame=-1)
    with pytest.raises(ScanError, match="one frame only"):
        read_scan(nifti(tmp_path), frame=1)
    assert read_scan(nifti(tmp_path), frame=0).array.shape == (6, 7, 8)


def test_a_packed_nifti_without_the_suffix_gz_is_read(tmp_path: Path) -> None:
    """Some archives rename files; what counts is what is inside."""
    SimpleITK.WriteImage(itk_image(), str(tmp_path / "a.nii"))
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress((tmp_path / "a.nii").read_bytes()))
    np.testing.assert_array_equal(read_scan(tmp_path / "b.nii.gz").array, VOXELS)


def test_importing_the_readers_loads_no_library_of_a_format() -> None:
    """Slicer's side asks for the doubts of a file, and starts fast."""
    program = (
        "import sys, SATSegmentLib.scans, SATSegmentLib.scans.read, SATSegmentLib.scans.inspect; "
        "sys.exit(', '.join({'pydicom', 'SimpleITK', 'nrrd', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == ""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
