"""What is no scan is passed over in a folder and refused by name; real files of many encodings are read."""

from __future__ import annotations

from pathlib import Path

import data_store
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from helpers.dicom_files import ROOT, save, stack, write_classic, write_enhanced
from SATSegmentLib.errors import SATSegmentWarning, ScanError
from SATSegmentLib.scans import read_scan
from SATSegmentLib.scans.dicom.headers import read_header
from SATSegmentLib.scans.dicom.pixels import read_voxels
from SATSegmentLib.scans.dicom.series import Series
from SATSegmentLib.types import DoubtKind

VOLUME = np.random.default_rng(4).integers(-1000, 2000, (5, 8, 9)).astype(np.int16)
SAMPLES = Path(data_store.__file__).parent / "data"
OBJECTS = {
    "Segmentation": (pydicom.uid.SegmentationStorage, "SEG"),
    "RT Structure Set": (pydicom.uid.RTStructureSetStorage, "RTSTRUCT"),
    "RT Dose": (pydicom.uid.RTDoseStorage, "RTDOSE"),
    "RT Plan": (pydicom.uid.RTPlanStorage, "RTPLAN"),
    "Enhanced SR": (pydicom.uid.EnhancedSRStorage, "SR"),
    "Grayscale Softcopy Presentation State": (pydicom.uid.GrayscaleSoftcopyPresentationStateStorage, "PR"),
    "Key Object Selection Document": (pydicom.uid.KeyObjectSelectionDocumentStorage, "KO"),
    "Encapsulated PDF": (pydicom.uid.EncapsulatedPDFStorage, "DOC"),
    "Parametric Map": (pydicom.uid.ParametricMapStorage, "MR"),
    "Ultrasound Multi-frame Image": (pydicom.uid.UltrasoundMultiFrameImageStorage, "US"),
}


def write_object(path: Path, name: str, series: str) -> Path:
    """An object of a class, with frames where the class has any."""
    sop_class, modality = OBJECTS[name]
    if name in ("Segmentation", "RT Dose", "Parametric Map", "Ultrasound Multi-frame Image"):

        def edit(data: Dataset) -> None:
            data.SOPClassUID, data.Modality = sop_class, modality

        return write_enhanced(path, stack(VOLUME), series=series, edit=edit)
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = sop_class, series + ".1", modality
    data.StudyInstanceUID, data.SeriesInstanceUID = ROOT + "9", series
    return save(data, path)


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_that_is_no_scan_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = write_object(tmp_path / "a.dcm", name, ROOT + "8")
    with pytest.raises(ScanError, match=f"is a DICOM {name}, not a CT, MR or PET scan"):
        read_scan(path)
    with pytest.raises(ScanError, match=f"no DICOM series .* It holds {name}"):
        read_scan(tmp_path)


def test_a_folder_with_its_derived_objects_gives_the_scan(tmp_path: Path) -> None:
    write_classic(tmp_path, stack(VOLUME))
    for number, name in enumerate(OBJECTS):
        write_object(tmp_path / f"object{number}.dcm", name, f"{ROOT}8{number}")
    (tmp_path / "notes.txt").write_text("not DICOM")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    np.testing.assert_array_equal(read_scan(tmp_path).array, VOLUME)


def test_objects_in_the_scans_own_series_are_passed_over(tmp_path: Path) -> None:
    write_classic(tmp_path, stack(VOLUME), series=ROOT + "1")
    write_object(tmp_path / "seg.dcm", "Segmentation", ROOT + "1")
    np.testing.assert_array_equal(read_scan(tmp_path).array, VOLUME)


def test_a_dicomdir_is_passed_over_and_its_slices_below_are_found(tmp_path: Path) -> None:
    from pydicom.fileset import FileSet

    files = write_classic(tmp_path / "source", stack(VOLUME))
    fileset = FileSet()
    for file in files:
        data = pydicom.dcmread(file)
        data.PatientID, data.StudyDate, data.StudyTime, data.StudyID, data.AccessionNumber = (
            "0",
            "20200101",
            "1200",
            "1",
            "",
        )
        data.SeriesNumber = 1
        fileset.add(data)
    fileset.write(tmp_path / "disc")
    assert (tmp_path / "disc" / "DICOMDIR").is_file()
    np.testing.assert_array_equal(read_scan(tmp_path / "disc").array, VOLUME)
    with pytest.raises(ScanError, match="Media Storage Directory"):
        read_scan(tmp_path / "disc" / "DICOMDIR")


def test_a_secondary_capture_with_places_is_read_with_a_doubt(tmp_path: Path) -> None:
    def edit(number: int, data: Dataset) -> None:
        data.SOPClassUID = pydicom.uid.SecondaryCaptureImageStorage

    write_classic(tmp_path, stack(VOLUME, intercept=0), edit=edit)
    with pytest.warns(SATSegmentWarning, match="may mean anything"):
        assert [doubt.kind for doubt in read_scan(tmp_path).doubts] == [DoubtKind.MODALITY]


def test_files_without_a_preamble_are_read(tmp_path: Path) -> None:
    for file in write_classic(tmp_path, stack(VOLUME), syntax=pydicom.uid.ImplicitVRLittleEndian):
        data = pydicom.dcmread(file)
        pydicom.dcmwrite(file, data, implicit_vr=True, little_endian=True, enforce_file_format=False)
        content = file.read_bytes()
        start = content.index(b"\x08\x00\x16\x00")
        file.write_bytes(content[start:])
    np.testing.assert_array_equal(read_scan(tmp_path).array, VOLUME)


@pytest.mark.filterwarnings("ignore")
def test_a_real_enhanced_ct_is_read_where_its_frames_are() -> None:
    image = read_scan(SAMPLES / "eCT_Supplemental.dcm")
    data = pydicom.dcmread(SAMPLES / "eCT_Supplemental.dcm")
    places = [
        np.array(one.PlanePositionSequence[0].ImagePositionPatient, float)
        for one in data.PerFrameFunctionalGroupsSequence
    ]
    # Its rows run from left to right, its columns downwards: the normal points to the feet.
    order = sorted((0, 1), key=lambda n: -places[n][2])
    np.testing.assert_array_equal(image.array, data.pixel_array[order].astype(np.int32) - 1024)
    np.testing.assert_allclose(image.ijk_to_ras[:3, 3], places[order[0]] * [-1, -1, 1], atol=1e-6)
    # It is blood flow, and says so; and it has two slices.
    assert {doubt.kind for doubt in image.doubts} == {DoubtKind.VALUES, DoubtKind.SIZES}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("compressed", "plain"),
    [
        ("693_J2KR.dcm", "693_UNCR.dcm"),
        ("MR2_J2KR.dcm", "MR2_UNCR.dcm"),
        ("RG1_J2KR.dcm", "RG1_UNCR.dcm"),
        ("RG3_J2KR.dcm", "RG3_UNCR.dcm"),
        ("emri_small_RLE.dcm", "emri_small.dcm"),
        ("emri_small_jpeg_2k_lossless.dcm", "emri_small.dcm"),
        ("emri_small_jpeg_ls_lossless.dcm", "emri_small.dcm"),
    ],
)
def test_real_compressed_files_hold_what_their_plain_twins_hold(compressed: str, plain: str) -> None:
    from SATSegmentLib.scans.dicom.frames import frames_of

    if not (SAMPLES / plain).exists():
        pytest.skip("the sample is not in this version of pydicom-data")
    one, other = (read_voxels(frames_of(read_header(SAMPLES / name))) for name in (compressed, plain))
    np.testing.assert_array_equal(one, other)


@pytest.mark.filterwarnings("ignore")
def test_a_real_lossless_jpeg_is_decoded_as_pydicom_does() -> None:
    from SATSegmentLib.scans.dicom.frames import frames_of

    path = SAMPLES / "JPEG-LL.dcm"
    found = read_voxels(frames_of(read_header(path)))
    data = pydicom.dcmread(path)
    stored = data.pixel_array.astype(float).reshape(found.shape)
    np.testing.assert_allclose(
        found, stored * float(data.get("RescaleSlope", 1)) + float(data.get("RescaleIntercept", 0))
    )


@pytest.mark.filterwarnings("ignore")
def test_a_series_names_what_cannot_be_decoded(tmp_path: Path) -> None:
    def edit(number: int, data: Dataset) -> None:
        pass

    for file in write_classic(tmp_path, stack(VOLUME), edit=edit):
        data = pydicom.dcmread(file)
        data.file_meta.TransferSyntaxUID = pydicom.uid.MPEG2MPML
        data.PixelData = pydicom.encaps.encapsulate([bytes(100)])
        data["PixelData"].is_undefined_length = True
        data.save_as(file)
    with pytest.raises(ScanError, match=r"MPEG2.*no installed library decodes|damaged"):
        read_scan(tmp_path)


def test_a_series_is_what_its_first_header_says(tmp_path: Path) -> None:
    files = write_classic(tmp_path, stack(VOLUME))
    series = Series(ROOT + "1", tuple(read_header(file) for file in files))
    assert (series.modality, series.sat_modality, series.description) == ("CT", "ct", "test CT")
