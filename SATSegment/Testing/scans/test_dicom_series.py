"""A DICOM folder is one even stack of slices in the right place, or it is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.scans import read_scan

ROWS = np.array([0.96, 0.28, 0.0])
COLUMNS = np.array([-0.28, 0.96, 0.0])
NORMAL = np.array([0.0, 0.0, 1.0])
PIXEL_MM = (0.8, 0.7)  # between columns, between rows
FIRST = np.array([-10.0, 20.0, -300.0])


def stored(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 3000, (count, 9, 11)).astype(np.int16)


def write_series(
    folder: Path,
    positions: np.ndarray,
    *,
    uid: str = "1.2.826.0.1.3680043.2.1125.1",
    modality: str = "CT",
    description: str = "Thorax",
    slopes: list[float] | None = None,
) -> np.ndarray:
    """Slices as files whose names and numbers are not in the order of their places; returns the stored values."""
    folder.mkdir(exist_ok=True)
    values = stored(len(positions))
    for number, position in enumerate(positions):
        data = pydicom.Dataset()
        data.SOPClassUID = pydicom.uid.CTImageStorage
        data.SOPInstanceUID = f"{uid}.{number + 1}"
        data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.826.0.1.3680043.2.1125.9", uid
        data.Modality, data.SeriesDescription = modality, description
        data.InstanceNumber = len(positions) - number
        data.ImagePositionPatient = [f"{v:.6f}" for v in position]
        data.ImageOrientationPatient = [f"{v:.6f}" for v in (*ROWS, *COLUMNS)]
        data.PixelSpacing = [PIXEL_MM[1], PIXEL_MM[0]]
        data.Rows, data.Columns = values.shape[1:]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
        data.RescaleSlope, data.RescaleIntercept = (f"{slopes[number]:.6f}" if slopes else 1), -1024
        data.PixelData = values[number].tobytes()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        name = f"{modality}{(number * 7) % len(positions):03d}_{number}_{uid[-1]}.dcm"
        data.save_as(folder / name, enforce_file_format=True)
    return values


def stack(count: int, step: np.ndarray) -> np.ndarray:
    return FIRST + np.arange(count)[:, None] * step


def expected_affine(first: np.ndarray, step: np.ndarray) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2], affine[:3, 3] = ROWS * PIXEL_MM[0], COLUMNS * PIXEL_MM[1], step, first
    affine[:2] *= -1
    return affine


def test_a_series_is_read_in_hounsfield_units_at_its_place(tmp_path: Path) -> None:
    step = NORMAL * 2.5
    values = write_series(tmp_path / "ct", stack(10, step))
    image = read_scan(tmp_path / "ct")
    np.testing.assert_allclose(image.ijk_to_ras, expected_affine(FIRST, step), atol=1e-4)
    np.testing.assert_allclose(image.array, values - 1024.0, atol=1e-3)


def test_each_slice_of_a_series_keeps_its_own_slope(tmp_path: Path) -> None:
    slopes = [0.1 + 0.37 * n for n in range(6)]
    values = write_series(tmp_path / "pt", stack(6, NORMAL * 3), modality="PT", slopes=slopes)
    found = read_scan(tmp_path / "pt").array
    np.testing.assert_allclose(found, values * np.array(slopes)[:, None, None] - 1024, atol=0.05)


def test_several_series_are_listed_and_one_is_chosen_by_number_or_uid(tmp_path: Path) -> None:
    write_series(tmp_path / "study", stack(4, NORMAL * 2), uid="1.2.826.0.1.3680043.2.1125.1", description="Thorax")
    write_series(tmp_path / "study", stack(5, NORMAL * 2), uid="1.2.826.0.1.3680043.2.1125.2", description="Abdomen")
    with pytest.raises(ScanError, match="2 DICOM series") as caught:
        read_scan(tmp_path / "study")
    for words in ("1: CT 'Thorax', 4 files", "2: CT 'Abdomen', 5 files", "1.2.826.0.1.3680043.2.1125.2"):
        assert words in caught.value.message
    assert "`series`" in caught.value.remedy
    assert read_scan(tmp_path / "study", series=2).array.shape[0] == 5
    assert read_scan(tmp_path / "study", series="1").array.shape[0] == 4
    assert read_scan(tmp_path / "study", series="1.2.826.0.1.3680043.2.1125.2").array.shape[0] == 5
    with pytest.raises(ScanError, match="no series 3"):
        read_scan(tmp_path / "study", series=3)


def test_a_missing_slice_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.delete(stack(10, NORMAL * 2.5), 6, axis=0))
    with pytest.raises(GeometryError, match=r"2\.50 mm apart, but 5\.00 mm after slice 6"):
        read_scan(tmp_path / "ct")


def test_gantry_tilt_stays_in_the_grid(tmp_path: Path) -> None:
    """The engine straightens it; a reader that dropped it would put the last slices centimetres off."""
    step = NORMAL * 2.5 + COLUMNS * 0.6
    values = write_series(tmp_path / "ct", stack(8, step))
    image = read_scan(tmp_path / "ct")
    np.testing.assert_allclose(image.ijk_to_ras, expected_affine(FIRST, step), atol=1e-4)
    np.testing.assert_allclose(image.array, values - 1024.0, atol=1e-3)


def test_one_slice_is_refused_as_file_and_as_folder(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", stack(1, NORMAL))
    with pytest.raises(ScanError, match="single DICOM slice"):
        read_scan(tmp_path / "ct")
    with pytest.raises(ScanError, match="single DICOM slice") as caught:
        read_scan(next((tmp_path / "ct").glob("*.dcm")))
    assert "folder" in caught.value.remedy


def test_a_cut_off_slice_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", stack(6, NORMAL * 2))
    file = sorted((tmp_path / "ct").glob("*.dcm"))[2]
    file.write_bytes(file.read_bytes()[:-60])
    with pytest.raises(ScanError):
        read_scan(tmp_path / "ct")


def test_a_folder_takes_no_frame_and_a_file_no_series(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", stack(4, NORMAL * 2))
    with pytest.raises(ScanError, match="no frames"):
        read_scan(tmp_path / "ct", frame=0)
    with pytest.raises(ScanError, match="not a folder"):
        read_scan(next((tmp_path / "ct").glob("*.dcm")), series=1)


def test_files_that_only_look_like_dicom_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "ct"
    write_series(folder, stack(4, NORMAL * 2))
    for number, file in enumerate(sorted(folder.glob("*.dcm"))):
        file.write_bytes(file.read_bytes()[: 140 + 40 * number])
    with pytest.raises(ScanError) as caught:
        read_scan(folder)
    assert caught.value.remedy


def test_nothing_is_printed_over_the_users_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScanError):
        read_scan(tmp_path / "empty")
    assert capfd.readouterr() == ("", "")
