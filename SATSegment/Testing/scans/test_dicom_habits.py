"""Habits of vendors, archives and de-identifiers that give a wrong volume without a word where nobody looks."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

from helpers.dicom_files import ROOT, Slice, stack, write_classic, write_enhanced
from SATSegmentLib.errors import ScanError
from SATSegmentLib.scans import read_scan

VOLUME = (np.arange(6 * 8 * 10).reshape(6, 8, 10) % 200).astype(np.int16)
BETWEEN = [Slice(piece + 300, (-10, 20, -298.75 + 2.5 * k)) for k, piece in enumerate(VOLUME)]


def setting(**values):
    """An edit that sets attributes; a function gets the number of the slice."""

    def edit(number, data):
        for keyword, value in values.items():
            setattr(data, keyword, value(number) if callable(value) else value)

    return edit


@pytest.mark.parametrize("count", [1, 6])
def test_a_mosaic_is_no_slice(tmp_path, count):
    """Siemens tiles all slices of a volume into one picture."""
    kind = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    write_classic(tmp_path, stack(VOLUME[:count]), modality="MR", edit=setting(ImageType=kind))
    with pytest.raises(ScanError, match=r"is a mosaic: all slices of a volume, tiled into one picture.*dcm2niix"):
        read_scan(tmp_path)


@pytest.mark.parametrize("keyword", ["PatientID", "StudyInstanceUID"])
def test_two_patients_under_one_series_uid_are_not_stacked(tmp_path, keyword):
    """De-identified by a program that gives every series the same UID: chest of the one upon abdomen of the other."""
    write_classic(tmp_path, stack(VOLUME), edit=setting(**{keyword: lambda k: f"{ROOT}{k // 3}"}))
    with pytest.raises(ScanError, match=r"of 2 (patients|studies) have one SeriesInstanceUID") as refused:
        read_scan(tmp_path)
    assert ROOT not in str(refused.value)


def test_bytes_in_the_words_of_a_big_endian_file_are_in_their_order(tmp_path):
    files = write_classic(tmp_path, stack(VOLUME.astype(np.uint8)), modality="MR")
    for file in files:
        data = pydicom.dcmread(file)
        data.PixelData = np.frombuffer(data.PixelData, np.uint8).reshape(-1, 2)[:, ::-1].tobytes()
        data["PixelData"].VR = "OW"
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
        pydicom.dcmwrite(file, data, implicit_vr=False, little_endian=False)
    np.testing.assert_array_equal(read_scan(tmp_path).array, VOLUME)


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("ContrastBolusAgent", ["", "iodine"]), ("KVP", [80, 140]), ("ConvolutionKernel", ["B30f", "B70f"]),
        ("ImageType", [["ORIGINAL", "PRIMARY", "AXIAL"], ["DERIVED", "PRIMARY", "AXIAL", "CSA MIP"]]),
    ],
)  # fmt: skip
def test_two_phases_half_a_slice_apart_are_two_volumes(tmp_path, keyword, values):
    """Together they look like one even stack of half the distance."""
    write_classic(tmp_path, [*stack(VOLUME), *BETWEEN], edit=setting(**{keyword: lambda k: values[k // 6]}))
    with pytest.raises(ScanError, match="holds 2 volumes"):
        read_scan(tmp_path)
    found = sorted(float(read_scan(tmp_path, volume=number).array.max()) for number in (1, 2))
    assert found == [VOLUME.max(), VOLUME.max() + 300]


def test_slices_of_two_acquisitions_that_take_turns_are_one_volume_with_a_doubt(tmp_path):
    """MR scanners take every other slice first; two CT scans half a slice apart look the same."""
    write_classic(tmp_path, [*stack(VOLUME), *BETWEEN], edit=setting(AcquisitionNumber=lambda k: 1 + k // 6))
    with pytest.warns(match="slices of 2 acquisitions lie between each other's"):
        image = read_scan(tmp_path)
    assert image.array.shape == (12, 8, 10)
    assert image.ijk_to_ras[2, 2] == pytest.approx(1.25)


def test_a_bolus_that_only_the_later_slices_name_divides_nothing(tmp_path):
    write_classic(tmp_path, stack(VOLUME), edit=setting(ContrastBolusAgent=lambda k: "iodine" if k > 2 else ""))
    np.testing.assert_array_equal(read_scan(tmp_path).array, VOLUME)


@pytest.mark.parametrize("first", [3, 1])
def test_the_files_of_a_concatenation_are_one_volume(tmp_path, first):
    parts = stack(VOLUME)[:first], stack(VOLUME)[first:]
    for number, part in enumerate(parts):
        write_enhanced(
            tmp_path / f"{number}.dcm",
            part,
            edit=lambda data, n=number: setattr(data, "SOPInstanceUID", f"{ROOT}8.{n}"),
        )
    np.testing.assert_array_equal(read_scan(tmp_path).array, VOLUME)


def test_unused_bits_and_signs_that_change_from_file_to_file(tmp_path):
    """Twelve bits with an overlay in the upper four, beside whole sixteen."""
    slices = stack(VOLUME - 100)
    for one in slices[::2]:
        one.stored = (one.stored.astype(np.uint16) & 0xFFF) | np.uint16(0xA000)
    twelve = setting(
        BitsStored=lambda k: 12 if k % 2 == 0 else 16, HighBit=lambda k: 11 if k % 2 == 0 else 15, PixelRepresentation=1
    )  # fmt: skip
    write_classic(tmp_path, slices, edit=twelve)
    np.testing.assert_array_equal(read_scan(tmp_path).array, VOLUME - 100)
