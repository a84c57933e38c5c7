"""SUV of multi-frame PET, enhanced or converted from classic slices by highdicom: the classic numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from scans.test_suv import VOLUME, activity, drug, expected, write_pet

from helpers.dicom_files import stack, write_enhanced
from SATSegmentLib.errors import ScanError
from SATSegmentLib.scans import read_scan
from SATSegmentLib.scans.inspect import inspect_scan


def write_enhanced_pet(path: Path, *, unit: str = "Bq/ml", scale: float = 1.0, **changes: Any) -> Path:
    """Injected at nine, corrected to ten; each frame has its own slope, and says what its real world values are."""
    slices = stack(VOLUME)
    for n, one in enumerate(slices):
        one.slope = 0.5 + n
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = unit, "UCUM", unit
        one.groups["RealWorldValueMappingSequence"] = {
            "RealWorldValueSlope": (0.5 + n) * scale, "RealWorldValueIntercept": 0.0,
            "RealWorldValueFirstValueMapped": 0, "RealWorldValueLastValueMapped": 65535,
            "MeasurementUnitsCodeSequence": [code],
        }  # fmt: skip
    tags: dict[str, Any] = {
        "DecayCorrected": "YES", "AttenuationCorrected": "YES", "DecayCorrectionDateTime": "20200101100000",
        "PatientWeight": 80, "PatientSize": 1.8, "PatientSex": "M",
        "RadiopharmaceuticalInformationSequence": [
            drug(RadiopharmaceuticalStartTime=None, RadiopharmaceuticalStartDateTime="20200101090000")
        ],
        **changes,
    }  # fmt: skip

    def edit(data: Dataset) -> None:
        for keyword, value in tags.items():
            if value is not None:
                setattr(data, keyword, value)

    return write_enhanced(path, slices, modality="PT", edit=edit)


def test_enhanced_pet_is_read_in_becquerels_and_suv(tmp_path: Path) -> None:
    path = write_enhanced_pet(tmp_path / "a.dcm")
    image = read_scan(path)
    assert image.unit == "Bq/ml"
    np.testing.assert_allclose(image.array, activity(), rtol=1e-6)
    np.testing.assert_allclose(read_scan(path, pet_unit="suvbw").array, expected(80000), rtol=1e-5)
    assert "available" in inspect_scan(path).suv


def test_values_that_are_suv_already_stay_as_they_are(tmp_path: Path) -> None:
    path = write_enhanced_pet(tmp_path / "a.dcm", unit="g/ml{SUVbw}")
    image = read_scan(path, pet_unit="suvbw")
    assert image.unit == "g/ml{SUVbw}"
    np.testing.assert_allclose(image.array, activity(), rtol=1e-6)
    with pytest.raises(ScanError, match="SUV of another kind already"):
        read_scan(path, pet_unit="suvlbm")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"AttenuationCorrected": "NO"}, "not corrected for attenuation"),
        ({"DecayCorrected": "NO"}, "not corrected for decay"),
        ({"DecayCorrectionDateTime": None}, "neither START nor ADMIN"),
        (
            {"DecayCorrectionDateTime": "20200103100000"},
            "minutes after the injection",
        ),
        ({"PatientWeight": None}, "weight is missing"),
        ({"unit": "{counts}"}, "counts"),
        ({"unit": "mg/min/ml"}, "its values are in mg/min/ml"),
        ({"scale": 2.0}, "real world values that are not the rescaled ones"),
    ],
)
def test_enhanced_pet_without_what_suv_needs_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    path = write_enhanced_pet(tmp_path / "a.dcm", **changes)
    with pytest.raises(ScanError, match=reason):
        read_scan(path, pet_unit="suvbw")
    read_scan(path)


def test_pet_that_was_converted_to_multi_frame_gives_the_classic_numbers(tmp_path: Path) -> None:
    folder = write_pet(tmp_path / "classic")
    slices = [pydicom.dcmread(file) for file in sorted(folder.iterdir())]
    for one in slices:
        one.update({"StudyID": "", "AccessionNumber": "", "PatientBirthDate": "", "StudyDate": "", "StudyTime": ""})
        one.SliceThickness, one.ReferringPhysicianName, one.Manufacturer = 2.5, "", "nobody"
        one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "NONE"]
    converted = highdicom.legacy.LegacyConvertedEnhancedPETImage(
        slices, highdicom.UID(), 1, highdicom.UID(), 1,
        transfer_syntax_uid=pydicom.uid.ExplicitVRLittleEndian,
    )  # fmt: skip
    converted.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    for unit in ("stored", "suvbw", "suvlbm", "suvlbm-janma"):
        found, wanted = read_scan(tmp_path / "a.dcm", pet_unit=unit), read_scan(folder, pet_unit=unit)
        assert found.unit == wanted.unit
        np.testing.assert_allclose(found.array, wanted.array, rtol=1e-5)
