"""Voxels without a size are refused in the same words, whatever the scan comes in."""

from __future__ import annotations

import struct

import nibabel
import numpy as np
import pydicom
import pytest
from challenge.challenge_models import write_case

from helpers.dicom_results import ORIENTATIONS
from helpers.dicom_series import lps_affine, write_classic, write_enhanced
from SATSegmentLib.challenge.container import read_case
from SATSegmentLib.challenge.scan import case_of_scan
from SATSegmentLib.errors import GeometryError
from SATSegmentLib.inference.checks import check_image
from SATSegmentLib.masks.seg_nrrd import open_segmentation
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Image

VOXELS = np.arange(2 * 3 * 4, dtype="<i2").reshape(2, 3, 4)
PLAIN = {"0": 0.0, "-1": -1.0, "inf": np.inf, "1e-09": 1e-9}


def _nifti(folder, edge, kind=nibabel.Nifti1Image, suffix=".nii", at=80, code="<f"):
    """Its affine has sizes of its own: what the header states beside it must be possible, too."""
    nibabel.save(kind(VOXELS.T, np.diag([1.0, 2, 3, 1])), folder / f"a{suffix}")
    header = folder / ("a.hdr" if suffix == ".img" else f"a{suffix}")
    content = bytearray(header.read_bytes())
    struct.pack_into(code, content, at, edge)
    header.write_bytes(content)
    return lambda: read_scan(folder / f"a{suffix}")


def _nifti2(folder, edge):
    return _nifti(folder, edge, nibabel.Nifti2Image, at=112, code="<d")


def _analyze(folder, edge):
    return _nifti(folder, edge, nibabel.AnalyzeImage, ".img")


def _text_header(path, head):
    path.write_bytes(head.encode() + VOXELS.tobytes())
    return path


def _nrrd(folder, edge, fields="spacings: {} 2 3", read=read_scan):
    head = "NRRD0005\ntype: short\ndimension: 3\nsizes: 4 3 2\nendian: little\nencoding: raw\n"
    path = _text_header(folder / "a.nrrd", head + fields.format(f"{edge:g}") + "\n\n")
    return lambda: read(path)


def _nrrd_vectors(folder, edge, read=read_scan):
    fields = "space: left-posterior-superior\nspace directions: ({},0,0) (0,2,0) (0,0,3)\nspace origin: (0,0,0)"
    return _nrrd(folder, edge, fields, read)


def _segmentation(folder, edge):
    return _nrrd_vectors(folder, edge, open_segmentation)


def _metaimage(folder, edge):
    head = f"ObjectType = Image\nNDims = 3\nDimSize = 4 3 2\nElementSpacing = {edge:g} 2 3\n"
    path = _text_header(folder / "a.mha", f"{head}ElementType = MET_SHORT\nElementDataFile = LOCAL\n")
    return lambda: read_scan(path)


def _dicom(folder, edge):
    write_classic(folder / "series", VOXELS.astype(int), lps_affine(VOXELS.shape, ORIENTATIONS["axial"]))
    for path in (folder / "series").iterdir():
        data = pydicom.dcmread(path)
        data.PixelSpacing = [edge, 2]
        data.save_as(path)
    return lambda: read_scan(folder / "series")


def _dicom_frames(folder, edge):
    path = folder / "many.dcm"
    write_enhanced(path, VOXELS.astype(int), lps_affine(VOXELS.shape, ORIENTATIONS["axial"]))
    data = pydicom.dcmread(path)
    data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [edge, 2]
    data.save_as(path)
    return lambda: read_scan(path)


def _challenge(folder, edge):
    path = write_case(folder / "US_a.npz", spacing=np.array([edge, 2, 3]))
    return lambda: read_case(path)


def _array(_, edge):
    return lambda: check_image(Image(VOXELS, np.diag([edge, 2, 3, 1])))


def _array_for_the_challenge(_, edge):
    return lambda: case_of_scan(Image(VOXELS, np.diag([edge, 2, 3, 1])), ["liver"], "mri", "percentiles")


# NaN is NRRD's word for "not known", pydicom writes no infinite number, and a column of an affine has no sign.
READERS = {
    _nifti: {**PLAIN, "nan": np.nan},
    _nifti2: {**PLAIN, "nan": np.nan},
    _analyze: {**PLAIN, "nan": np.nan},
    _nrrd: PLAIN,
    _nrrd_vectors: {"0": 0.0, "inf": np.inf, "1e-09": 1e-9},
    _segmentation: {"0": 0.0, "inf": np.inf, "1e-09": 1e-9},
    _metaimage: {**PLAIN, "nan": np.nan},
    _dicom: {"0": 0.0, "-1": -1.0, "1e-09": 1e-9},
    _dicom_frames: {"0": 0.0, "-1": -1.0, "1e-09": 1e-9},
    _challenge: {**PLAIN, "nan": np.nan},
    _array: {"0": 0.0, "1e-09": 1e-9},
    _array_for_the_challenge: {"0": 0.0, "1e-09": 1e-9},
}


@pytest.mark.filterwarnings("ignore::SATSegmentLib.errors.SATSegmentWarning")
@pytest.mark.parametrize(
    ("reader", "written"),
    [pytest.param(reader, text, id=f"{reader.__name__[1:]} {text}") for reader in READERS for text in READERS[reader]],
)
def test_a_spacing_that_no_voxel_can_have_is_refused(tmp_path, reader, written):
    read = reader(tmp_path, READERS[reader][written])
    with pytest.raises(
        GeometryError, match=rf"voxel spacing.* is {written} x 2.* mm; each must be finite and above"
    ) as error:
        read()
    assert error.value.remedy.startswith(("Correct the spacing", "Export the scan again"))


def test_the_unit_comes_before_the_check(tmp_path):
    """A tenth of a millimetre, in metres."""
    fields = (
        'space: left-posterior-superior\nspace units: "m" "m" "m"\nspace directions: '
        "({0},0,0) (0,{0},0) (0,0,{0})\nspace origin: (0,0,1)"
    )
    scan = _nrrd(tmp_path, 1e-4, fields)()
    np.testing.assert_allclose(scan.ijk_to_ras, [[-0.1, 0, 0, 0], [0, -0.1, 0, 0], [0, 0, 0.1, 1000], [0, 0, 0, 1]])
