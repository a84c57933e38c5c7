"""PET in SUV where the tags allow it, checked against numbers worked out by hand, and a refusal that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from helpers.dicom_files import stack, write_classic
from SATSegmentLib.errors import ScanError
from SATSegmentLib.scans import read_scan

VOLUME = np.random.default_rng(2).integers(0, 30000, (4, 5, 6)).astype(np.uint16)
HALF_LIFE = 6586.2


def drug(**changes: Any) -> Dataset:
    item = Dataset()
    values = {
        "RadionuclideTotalDose": 370e6,
        "RadionuclideHalfLife": HALF_LIFE,
        "RadiopharmaceuticalStartTime": "090000",
        **changes,
    }
    for keyword, value in values.items():
        if value is not None:
            setattr(item, keyword, value)
    return item


def write_pet(folder: Path, item: Dataset | None = None, **changes: Any) -> Path:
    """A series that was injected at nine and scanned at ten; changes are of its tags, None leaves a tag out."""
    tags: dict[str, Any] = {
        "Units": "BQML", "DecayCorrection": "START", "CorrectedImage": ["NORM", "DECY", "ATTN", "SCAT"],
        "SeriesDate": "20200101", "SeriesTime": "100000", "AcquisitionDate": "20200101", "AcquisitionTime": "100000",
        "PatientWeight": 80, "PatientSize": 1.8, "PatientSex": "M",
        "RadiopharmaceuticalInformationSequence": [item if item is not None else drug()],
        **changes,
    }  # fmt: skip
    tags = {keyword: value for keyword, value in tags.items() if value is not None}
    slices = stack(VOLUME, tags=tags)
    for n, one in enumerate(slices):
        one.slope = 0.5 + n
    write_classic(folder, slices, modality="PT")
    return folder


def activity() -> np.ndarray:
    return VOLUME * (0.5 + np.arange(4))[:, None, None]


def expected(grams: float, seconds: float = 3600) -> np.ndarray:
    return activity() * grams / (370e6 * 2 ** (-seconds / HALF_LIFE))


def test_stored_values_are_becquerels(tmp_path: Path) -> None:
    image = read_scan(write_pet(tmp_path))
    assert image.unit == "Bq/ml"
    np.testing.assert_allclose(image.array, activity(), rtol=1e-6)


@pytest.mark.parametrize(
    ("unit", "sex", "grams", "code"),
    [
        ("suvbw", "M", 80000, "g/ml{SUVbw}"),
        ("suvbw", "O", 80000, "g/ml{SUVbw}"),
        ("suvlbm", "M", (1.10 * 80 - 120 * (80 / 180) ** 2) * 1000, "g/ml{SUVlbm}"),
        ("suvlbm", "F", (1.07 * 80 - 148 * (80 / 180) ** 2) * 1000, "g/ml{SUVlbm}"),
        ("suvlbm-janma", "M", 9270 * 80 / (6680 + 216 * 80 / 1.8**2) * 1000, "g/ml{SUVlbm(Janma)}"),
        ("suvlbm-janma", "F", 9270 * 80 / (8780 + 244 * 80 / 1.8**2) * 1000, "g/ml{SUVlbm(Janma)}"),
    ],
)
def test_suv_of_each_kind(tmp_path: Path, unit: str, sex: str, grams: float, code: str) -> None:
    image = read_scan(write_pet(tmp_path, PatientSex=sex), pet_unit=unit)
    assert image.unit == code
    np.testing.assert_allclose(image.array, expected(grams), rtol=1e-5)


@settings(max_examples=15, deadline=None)
@given(minutes=st.integers(0, 600), weight=st.floats(3, 200), dose=st.floats(5e6, 8e8))
def test_the_dose_decays_to_the_scan(
    tmp_path_factory: pytest.TempPathFactory, minutes: int, weight: float, dose: float
) -> None:
    start = f"{9 + minutes // 60:02d}{minutes % 60:02d}00"
    weight, dose = float(f"{weight:.4g}"), float(f"{dose:.4g}")
    item = drug(RadionuclideTotalDose=dose)
    path = write_pet(
        tmp_path_factory.mktemp("pet"), item, SeriesTime=start, AcquisitionTime=start, PatientWeight=weight
    )
    wanted = activity() * weight * 1000 / (dose * 2 ** (-60 * minutes / HALF_LIFE))
    np.testing.assert_allclose(read_scan(path, pet_unit="suvbw").array, wanted, rtol=1e-4)


def test_an_injection_before_midnight_is_of_the_day_before(tmp_path: Path) -> None:
    item = drug(RadiopharmaceuticalStartTime="233000")
    path = write_pet(tmp_path, item, SeriesTime="003000", AcquisitionTime="003000")
    np.testing.assert_allclose(read_scan(path, pet_unit="suvbw").array, expected(80000, 3600), rtol=1e-5)


def test_a_dose_corrected_to_the_injection_does_not_decay(tmp_path: Path) -> None:
    path = write_pet(tmp_path, DecayCorrection="ADMIN")
    np.testing.assert_allclose(read_scan(path, pet_unit="suvbw").array, expected(80000, 0), rtol=1e-5)


def test_a_series_time_that_was_overwritten_is_not_believed(tmp_path: Path) -> None:
    """Reconstructed again an hour later: the frame reference time leads back to the scan's start."""
    path = write_pet(tmp_path, SeriesTime="110000", FrameReferenceTime=60000, ActualFrameDuration=120000)
    decay = np.log(2) / HALF_LIFE
    average = np.log(120 * decay / (1 - np.exp(-120 * decay))) / decay
    wanted = expected(80000, 3600 - 60 + average)
    np.testing.assert_allclose(read_scan(path, pet_unit="suvbw").array, wanted, rtol=1e-4)


def test_values_that_are_suv_already_stay(tmp_path: Path) -> None:
    image = read_scan(write_pet(tmp_path, Units="GML"), pet_unit="suvbw")
    np.testing.assert_allclose(image.array, activity(), rtol=1e-6)


def philips(number: int, data: Dataset) -> None:
    block = data.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x00, "DS", "0.0025")
    block.add_new(0x09, "DS", "2.0")


def test_philips_counts_have_their_own_factor(tmp_path: Path) -> None:
    write_classic(tmp_path, stack(VOLUME, tags={"Units": "CNTS"}), modality="PT", edit=philips)
    np.testing.assert_allclose(read_scan(tmp_path, pet_unit="suvbw").array, VOLUME * 0.0025, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "item", "reason"),
    [
        ({"Units": "PROPCPS"}, {}, "PROPCPS"),
        ({"Units": "CNTS"}, {}, "counts"),
        ({"Units": None}, {}, "unknown unit"),
        ({"CorrectedImage": ["DECY"]}, {}, "not corrected for attenuation"),
        ({"CorrectedImage": ["ATTN"]}, {}, "not corrected for decay"),
        ({"DecayCorrection": "NONE"}, {}, "decay correction is NONE"),
        ({"PatientWeight": None}, {}, "weight is missing"),
        ({"PatientWeight": 0}, {}, "weight is missing"),
        ({"PatientWeight": 80000}, {}, "80000 kg is implausible"),
        ({"AcquisitionTime": None}, {}, "acquisition time is missing"),
        ({"SeriesTime": "110000"}, {}, "no frame reference time"),
        ({}, {"RadionuclideTotalDose": None}, "dose is missing"),
        ({}, {"RadionuclideTotalDose": 370}, "implausible"),
        ({}, {"RadionuclideHalfLife": None}, "half-life is missing"),
        ({}, {"RadiopharmaceuticalStartTime": None}, "time of the injection is missing"),
        ({}, {"RadiopharmaceuticalStartDateTime": "20191230090000"}, "implausible"),
    ],
)
def test_there_is_no_suv_without_what_it_depends_on(
    tmp_path: Path, changes: dict[str, Any], item: dict[str, Any], reason: str
) -> None:
    path = write_pet(tmp_path, drug(**item), **changes)
    with pytest.raises(ScanError, match="no SUV by body weight") as caught:
        read_scan(path, pet_unit="suvbw")
    assert reason in caught.value.message
    assert read_scan(path).array.shape == (4, 5, 6)


@pytest.mark.parametrize(
    "changes", [{"PatientSize": None}, {"PatientSize": 180}, {"PatientSex": "O"}, {"PatientSex": None}]
)
def test_lean_body_mass_needs_size_and_sex(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = write_pet(tmp_path, **changes)
    for unit in ("suvlbm", "suvlbm-janma"):
        with pytest.raises(ScanError, match="lean body mass"):
            read_scan(path, pet_unit=unit)


def test_only_pet_has_suv(tmp_path: Path) -> None:
    write_classic(tmp_path, stack(VOLUME))
    with pytest.raises(ScanError, match="it is CT, not PET"):
        read_scan(tmp_path, pet_unit="suvbw")
    with pytest.raises(ScanError, match="not a unit of PET"):
        read_scan(tmp_path, pet_unit="suv")
