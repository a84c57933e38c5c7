"""What a NIfTI file does not say, or says badly or twice, is not made up for it."""

from __future__ import annotations

import gzip
import struct
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SATSegmentLib.errors import GeometryError, SATSegmentWarning, ScanError
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import DoubtKind

NOISE = np.random.default_rng(0).normal(50, 20, (11, 12, 13))
VOXELS = np.random.default_rng(1).integers(-1000, 1000, (5, 6, 7)).astype(np.int16)


def placed(path: Path, sform: np.ndarray | None, qform: np.ndarray | None, codes: tuple[int, int] = (1, 1)) -> Path:
    """A file with these transforms; codes are the sform's and the qform's."""
    image = nibabel.Nifti1Image(VOXELS, None)
    image.header.set_sform(sform, codes[0] if sform is not None else 0)
    image.header.set_qform(qform, codes[1] if qform is not None else 0)
    image.to_filename(path)
    return path


def quietly(path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SATSegmentWarning)
        return read_scan(path)


def turned(degrees: float, spacing=(1.0, 1.5, 3.0), shift=(5.0, -7.0, 11.0)) -> np.ndarray:
    angle = np.deg2rad(degrees)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine[:3, :3] *= spacing
    affine[:3, 3] = shift
    return affine


def patch(path: Path, at: int, value: bytes) -> Path:
    content = bytearray(path.read_bytes())
    content[at : at + len(value)] = value
    path.write_bytes(content)
    return path


# ---------------------------------------------------------------- which transform


@settings(max_examples=40, deadline=None)
@given(
    axes=st.permutations(range(3)),
    flips=st.tuples(*[st.booleans()] * 3),
    angles=st.tuples(*[st.floats(-40, 40)] * 3),
    edges=st.tuples(*[st.floats(0.3, 5)] * 3),
    form=st.sampled_from(["sform", "qform", "both"]),
    version=st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]),
)
def test_any_orientation_in_either_transform_is_read_as_nibabel_reads_it(
    tmp_path_factory, axes, flips, angles, edges, form, version
):
    rotation = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(angles)):
        one = np.eye(3)
        i, j = {0: (1, 2), 1: (0, 2), 2: (0, 1)}[axis]
        one[i, i] = one[j, j] = np.cos(angle)
        one[i, j], one[j, i] = -np.sin(angle), np.sin(angle)
        rotation = rotation @ one
    affine = np.eye(4)
    affine[:3, :3] = (rotation * np.where(flips, -1, 1))[:, list(axes)] * edges
    affine[:3, 3] = (10, -20, 30)
    path = tmp_path_factory.mktemp("nifti") / "scan.nii"
    image = version(VOXELS, None)
    image.header.set_sform(affine if form != "qform" else None, 1 if form != "qform" else 0)
    image.header.set_qform(affine if form != "sform" else None, 1 if form != "sform" else 0)
    if form == "sform":
        image.header.set_zooms(edges)
    image.to_filename(path)
    scan = read_scan(path)
    # Near half a turn a quaternion's first number is what float32 leaves of 1 - b2 - c2 - d2: readers differ by 9e-4.
    tolerance = 2e-3 * max(edges) if form == "qform" else 1e-4
    np.testing.assert_allclose(scan.ijk_to_ras, nibabel.load(path).affine, atol=tolerance)
    np.testing.assert_array_equal(scan.array, VOXELS.T)
    assert scan.doubts == ()


@pytest.mark.parametrize("codes", [(1, 1), (2, 1), (1, 2), (4, 1)])
@pytest.mark.parametrize(
    ("qform", "words"),
    [
        (turned(0, shift=(9.0, -7.0, 11.0)), "shifted by 4.0 mm"),
        (turned(12), "turned by 12.0 degrees"),
        (turned(180), "turned by 180.0 degrees"),
        (turned(0, spacing=(1.0, 1.5, 3.3)), "of voxels of 1 x 1.5 x 3.3 mm instead of 1 x 1.5 x 3 mm"),
    ],
)
def test_transforms_that_disagree_are_a_doubt_and_the_sform_is_taken(tmp_path, codes, qform, words):
    path = placed(tmp_path / "scan.nii", turned(0), qform, codes)
    with pytest.warns(SATSegmentWarning, match="disagree") as caught:
        scan = read_scan(path)
    assert words in str(caught[0].message)
    assert "sform was taken" in str(caught[0].message)
    assert [doubt.kind for doubt in scan.doubts] == [DoubtKind.GRID]
    np.testing.assert_allclose(scan.ijk_to_ras, turned(0), atol=1e-5)


@pytest.mark.parametrize("axis", range(3))
def test_transforms_that_mirror_each_other_are_refused(tmp_path, axis):
    mirrored = turned(20)
    mirrored[:3, axis] *= -1
    path = placed(tmp_path / "scan.nii", turned(20), mirrored)
    with pytest.raises(GeometryError, match="mirror each other") as caught:
        read_scan(path)
    assert caught.value.remedy


def test_a_mask_that_nibabel_saves_beside_a_scan_lies_on_it(tmp_path):
    """It always writes the sform's place."""
    path = placed(tmp_path / "scan.nii", turned(0), turned(3), (1, 2))
    image = nibabel.load(path)
    nibabel.Nifti1Image((np.asarray(image.dataobj) > 0).astype(np.uint8), image.affine).to_filename(
        tmp_path / "mask.nii"
    )
    np.testing.assert_allclose(quietly(path).ijk_to_ras, quietly(tmp_path / "mask.nii").ijk_to_ras, atol=1e-4)


def test_rounded_transforms_are_no_doubt(tmp_path):
    near = turned(20, spacing=(0.7, 0.7, 2.9))
    path = placed(
        tmp_path / "scan.nii", near + np.random.default_rng(0).normal(0, 1e-6, (4, 4)) * [[1], [1], [1], [0]], near
    )
    assert read_scan(path).doubts == ()


@pytest.mark.parametrize("half_turn", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, -1), (1, 2, 3)])
def test_half_turns_lose_nothing_to_single_precision(tmp_path, half_turn):
    """The quaternion's first component is what the others leave to one: here nothing but rounding."""
    axis = np.array(half_turn) / np.linalg.norm(half_turn)
    affine = np.eye(4)
    affine[:3, :3] = (2 * np.outer(axis, axis) - np.eye(3)) * (2, 2, 3)
    scan = read_scan(placed(tmp_path / "scan.nii", affine, affine))
    assert scan.doubts == ()
    scan = read_scan(placed(tmp_path / "scan.nii", None, affine))
    np.testing.assert_allclose(scan.ijk_to_ras, affine, atol=2e-6)


def test_voxel_sizes_of_the_sform_are_taken_where_pixdim_differs(tmp_path):
    path = placed(tmp_path / "scan.nii", turned(0, spacing=(3.3, 3.3, 3.3)), None)
    patch(path, 80, struct.pack("<fff", 3, 3, 3))
    scan = quietly(path)
    np.testing.assert_allclose(np.linalg.norm(scan.ijk_to_ras[:3, :3], axis=0), 3.3, atol=1e-5)
    assert [doubt.kind for doubt in scan.doubts] == [DoubtKind.GRID]
    assert "3.3 x 3.3 x 3.3 mm in its sform" in scan.doubts[0].text


@pytest.mark.parametrize("degrees", [0.006, 0.05, 0.09])
def test_a_little_shear_is_read(tmp_path, degrees):
    sheared = turned(0, spacing=(1, 1, 1))
    sheared[0, 1] = np.tan(np.deg2rad(degrees))
    assert read_scan(placed(tmp_path / "scan.nii", sheared, None)).array.shape == (7, 6, 5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_a_transform_that_is_none_is_refused(tmp_path, bad):
    path = placed(tmp_path / "scan.nii", turned(0), None)
    patch(path, 280, struct.pack("<12f", *[bad] * 12))
    with pytest.raises(GeometryError, match="sform"):
        read_scan(path)


def test_a_file_without_orientation_is_a_doubt(tmp_path):
    image = nibabel.Nifti1Image(NOISE.astype(np.float32), None)
    image.header.set_qform(None, code=0)
    image.header.set_sform(None, code=0)
    image.to_filename(tmp_path / "scan.nii")
    with pytest.warns(SATSegmentWarning, match="left and right are a guess"):
        scan = read_scan(tmp_path / "scan.nii")
    assert [doubt.kind for doubt in scan.doubts] == [DoubtKind.SIDES]
    nibabel.Nifti1Image(NOISE.astype(np.float32), np.eye(4)).to_filename(tmp_path / "scan.nii")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_scan(tmp_path / "scan.nii").doubts == ()


@pytest.mark.parametrize(("units", "factor"), [(1, 1000.0), (2, 1.0), (3, 0.001), (0, 1.0)])
def test_units_of_length_are_converted(tmp_path, units, factor):
    edges = np.array([1.0, 1.5, 3.0]) / factor
    path = placed(tmp_path / "scan.nii", turned(0, spacing=edges, shift=np.array([5, 6, 7]) / factor), None)
    patch(path, 123, bytes([units]))
    np.testing.assert_allclose(quietly(path).ijk_to_ras, turned(0, shift=(5, 6, 7)), rtol=1e-5)


def test_voxels_of_an_unlikely_size_are_a_doubt(tmp_path):
    path = placed(tmp_path / "scan.nii", *[turned(0, spacing=(1000, 1000, 3000))] * 2)
    with pytest.warns(SATSegmentWarning, match="check their unit"):
        assert [doubt.kind for doubt in read_scan(path).doubts] == [DoubtKind.SIZES]


# ---------------------------------------------------------------- voxels


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_voxels_that_are_no_numbers_are_refused_and_not_read_as_zero(tmp_path, dtype, suffix, bad):
    array = NOISE.astype(dtype)
    array[-1, -1, -1] = bad
    nibabel.Nifti1Image(array, np.eye(4)).to_filename(tmp_path / f"scan.{suffix}")
    with pytest.raises(ScanError, match="not numbers"):
        read_scan(tmp_path / f"scan.{suffix}")


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i2", "<u2", "<i4", ">i4", "<u4", "<i8", "<u8", "<f4", ">f8"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".hdr", ".img"])
def test_every_type_of_voxel_is_read_in_every_layout(tmp_path, dtype, suffix):
    array = np.random.default_rng(2).integers(0, 100, (5, 6, 7)).astype(dtype)
    order = ">" if dtype.startswith(">") else "<"
    kind = nibabel.Nifti1Pair if suffix in (".hdr", ".img") else nibabel.Nifti1Image
    image = kind(array, turned(10), kind.header_class(endianness=order))
    image.set_data_dtype(np.dtype(dtype))
    image.to_filename(tmp_path / f"scan{suffix}")
    scan = read_scan(tmp_path / f"scan{suffix}")
    np.testing.assert_array_equal(scan.array, array.T.astype(scan.array.dtype))
    np.testing.assert_allclose(scan.ijk_to_ras, turned(10), atol=1e-5)


@pytest.mark.parametrize(
    ("slope", "intercept", "scaled"),
    [(2, -1024, True), (0, 5, False), (0, 0, False), (1, 0, False), (np.nan, 3, False), (0.5, 0, True), (1, 7, True)],
)
def test_a_slope_of_zero_means_no_scaling_at_all(tmp_path, slope, intercept, scaled):
    path = placed(tmp_path / "scan.nii", turned(0), None)
    patch(path, 112, struct.pack("<ff", slope, intercept))
    wanted = VOXELS.T * slope + intercept if scaled else VOXELS.T
    np.testing.assert_allclose(read_scan(path).array, wanted)


@pytest.mark.parametrize("frame", [0, 1, 3])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".hdr"])
def test_one_frame_of_many_is_read(tmp_path, frame, suffix):
    array = np.stack([VOXELS + 10 * n for n in range(4)], axis=-1)
    kind = nibabel.Nifti1Pair if suffix == ".hdr" else nibabel.Nifti1Image
    kind(array, turned(5)).to_filename(tmp_path / f"scan{suffix}")
    np.testing.assert_array_equal(read_scan(tmp_path / f"scan{suffix}", frame=frame).array, (VOXELS + 10 * frame).T)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".img", ".img.gz"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_every_layout_that_is_cut_off_is_refused(tmp_path, suffix, share):
    kind = nibabel.Nifti1Pair if suffix.startswith(".img") else nibabel.Nifti1Image
    kind(NOISE.astype(np.float32), turned(0)).to_filename(tmp_path / f"scan{suffix}")
    path = tmp_path / f"scan{suffix}"
    content = path.read_bytes()
    path.write_bytes(content[: max(int(len(content) * share), 360)])
    with pytest.raises(ScanError, match="cut off"):
        read_scan(path)


def test_the_last_frame_of_many_may_not_be_cut_off_either(tmp_path):
    nibabel.Nifti1Image(np.stack([VOXELS] * 3, axis=-1), np.eye(4)).to_filename(tmp_path / "scan.nii")
    path = tmp_path / "scan.nii"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ScanError, match="cut off"):
        read_scan(path, frame=0)


def test_a_flipped_byte_in_a_packed_file_is_noticed(tmp_path):
    nibabel.Nifti1Image(NOISE.astype(np.float32), np.eye(4)).to_filename(tmp_path / "scan.nii")
    packed = bytearray(gzip.compress((tmp_path / "scan.nii").read_bytes(), 1))
    packed[len(packed) // 2] ^= 4
    (tmp_path / "b.nii.gz").write_bytes(packed)
    with pytest.raises(ScanError, match="damaged"):
        read_scan(tmp_path / "b.nii.gz")


@pytest.mark.parametrize("value", [np.nan, np.inf, -5.0, 1e30])
def test_a_place_of_the_voxels_that_is_none_is_refused(tmp_path, value):
    path = patch(placed(tmp_path / "scan.nii", turned(0), None), 108, struct.pack("<f", value))
    with pytest.raises(ScanError, match=r"begin at byte|cut off"):
        read_scan(path)


@pytest.mark.parametrize("bits", [8, 32, 0])
@pytest.mark.parametrize("suffix", [".nii", ".hdr"])
def test_bits_that_do_not_fit_the_type_are_refused(tmp_path, bits, suffix):
    kind = nibabel.Nifti1Pair if suffix == ".hdr" else nibabel.Nifti1Image
    kind(VOXELS, turned(0)).to_filename(tmp_path / f"scan{suffix}")
    with pytest.raises(ScanError, match=f"take 16 bits, but it says {bits}"):
        read_scan(patch(tmp_path / f"scan{suffix}", 72, struct.pack("<h", bits)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((80, struct.pack("<f", 0)), "spacing"),
        ((84, struct.pack("<f", np.nan)), "spacing"),
        ((40, struct.pack("<hhhh", 3, 5, 6, -7)), "damaged"),
    ],
)
def test_a_damaged_header_of_a_pair_is_refused(tmp_path, change, words):
    nibabel.Nifti1Pair(VOXELS, turned(0)).to_filename(tmp_path / "scan.hdr")
    with pytest.raises(ScanError, match=words):
        read_scan(patch(tmp_path / "scan.hdr", *change))


@pytest.mark.parametrize("suffix", [".hdr", ".img"])
def test_an_analyze_file_has_no_sides(tmp_path, suffix):
    nibabel.AnalyzeImage(VOXELS, turned(0)).to_filename(tmp_path / "scan.hdr")
    scan = quietly(tmp_path / f"scan{suffix}")
    assert [doubt.kind for doubt in scan.doubts] == [DoubtKind.SIDES]
    np.testing.assert_array_equal(scan.array, VOXELS.T)
    np.testing.assert_allclose(np.linalg.norm(scan.ijk_to_ras[:3, :3], axis=0), (1, 1.5, 3), atol=1e-5)


def test_half_a_pair_is_refused(tmp_path):
    nibabel.Nifti1Pair(VOXELS, turned(0)).to_filename(tmp_path / "scan.hdr")
    (tmp_path / "scan.img").unlink()
    with pytest.raises(ScanError, match="voxels are missing"):
        read_scan(tmp_path / "scan.hdr")


@pytest.mark.parametrize(("code", "doubted"), [(0, False), (2, False), (4, True), (5, True), (7, True)])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_a_unit_of_length_without_a_meaning_is_a_doubt(tmp_path, kind, code, doubted):
    image = kind(np.arange(120, dtype=np.int16).reshape(4, 5, 6), np.diag([2.0, 2.0, 3.0, 1.0]))
    image.header["xyzt_units"] = code
    nibabel.save(image, tmp_path / "a.nii")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = read_scan(tmp_path / "a.nii")
    assert [doubt.kind for doubt in found.doubts] == [DoubtKind.SIZES] * doubted
