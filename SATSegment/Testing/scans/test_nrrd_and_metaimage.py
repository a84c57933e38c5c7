"""NRRD and MetaImage: what is not said is a doubt, what is said is obeyed, a refusal gives the real reason."""

from __future__ import annotations

import bz2
import gzip
import os
import sys
import zlib
from pathlib import Path

import nrrd
import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from SATSegmentLib.errors import GeometryError, SATSegmentWarning, ScanError
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import DoubtKind

VOXELS = np.random.default_rng(3).integers(-500, 500, (6, 5, 4)).astype("<i2")  # KJI
GOOD = "space: left-posterior-superior\nspace directions: (1,0,0) (0,1.5,0) (0,0,3)\nspace origin: (1,2,3)\n"
KINDS_OF_DOUBT = {DoubtKind.SIDES, DoubtKind.SIZES}

pytestmark = pytest.mark.filterwarnings("ignore::SATSegmentLib.errors.SATSegmentWarning")


def write_nrrd(path: Path, fields: str, array: np.ndarray = VOXELS, encoding: str = "raw", kind: str = "short") -> Path:
    """An NRRD with these header lines; `array`'s last axis is the file's first."""
    sizes = " ".join(map(str, array.shape[::-1]))
    head = f"NRRD0005\ntype: {kind}\ndimension: {array.ndim}\nsizes: {sizes}\n"
    head += f"endian: little\nencoding: {encoding}\n{fields}\n"
    data = array.tobytes()
    packed = {"raw": data, "gzip": gzip.compress(data), "bzip2": bz2.compress(data)}
    path.write_bytes(head.encode() + packed[encoding])
    return path


def kinds(path: Path) -> set[DoubtKind]:
    return {doubt.kind for doubt in read_scan(path).doubts}


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
def test_every_encoding_is_read(tmp_path, encoding):
    scan = read_scan(write_nrrd(tmp_path / "a.nrrd", GOOD, encoding=encoding))
    np.testing.assert_array_equal(scan.array, VOXELS)
    assert scan.doubts == ()
    np.testing.assert_allclose(scan.ijk_to_ras, [[-1, 0, 0, -1], [0, -1.5, 0, -2], [0, 0, 3, 3], [0, 0, 0, 1]])


@settings(max_examples=30, deadline=None)
@given(
    space=st.sampled_from(["RAS", "LAS", "LPS", "right-anterior-superior", "left-posterior-superior-time"]),
    seed=st.integers(0, 99),
)
def test_every_named_space_is_brought_to_ras(tmp_path_factory, space, seed):
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    columns = matrix * [0.7, 1.2, 3.0]
    vectors = " ".join("(" + ",".join(repr(float(v)) for v in column) + ")" for column in columns.T)
    path = tmp_path_factory.mktemp("nrrd") / "a.nrrd"
    write_nrrd(path, f"space: {space}\nspace directions: {vectors}\nspace origin: (1,2,3)\n")
    letters = {"right-anterior-superior": "RAS", "left-posterior-superior-time": "LPS"}.get(space, space)
    signs = [1 if letter in "RAS" else -1 for letter in letters]
    scan = read_scan(path)
    np.testing.assert_allclose(scan.ijk_to_ras[:3, :3], columns * np.array(signs)[:, None], atol=1e-12)
    np.testing.assert_allclose(scan.ijk_to_ras[:3, 3], np.multiply([1, 2, 3], signs))
    assert scan.doubts == ()


def test_what_pynrrd_writes_by_default_has_neither_sides_nor_sizes(tmp_path):
    nrrd.write(str(tmp_path / "a.nrrd"), VOXELS.T)
    assert kinds(tmp_path / "a.nrrd") == KINDS_OF_DOUBT
    np.testing.assert_array_equal(read_scan(tmp_path / "a.nrrd").array, VOXELS)


@pytest.mark.parametrize(
    ("fields", "doubts", "edges"),
    [
        ("spacings: 1 1.5 3\n", {DoubtKind.SIDES}, (1, 1.5, 3)),
        ("spacings: 1 NaN 3\n", KINDS_OF_DOUBT, (1, 1, 3)),
        ("axis mins: 0 0 0\naxis maxs: 8 10 18\n", {DoubtKind.SIDES}, (2, 2, 3)),
        ("axis mins: 0 0 0\naxis maxs: 6 8 15\ncenters: node node node\n", {DoubtKind.SIDES}, (2, 2, 3)),
        ('spacings: 0.1 0.15 0.3\nunits: "cm" "cm" "cm"\n', {DoubtKind.SIDES}, (1, 1.5, 3)),
        ("space: scanner-xyz\nspace directions: (1,0,0) (0,1.5,0) (0,0,3)\n", {DoubtKind.SIDES}, (1, 1.5, 3)),
        ("space dimension: 3\nspace directions: (1,0,0) (0,1.5,0) (0,0,3)\n", {DoubtKind.SIDES}, (1, 1.5, 3)),
        (GOOD + 'space units: "mm" "mm" "mm"\n', set(), (1, 1.5, 3)),
        (GOOD + 'space units: "cm" "cm" "cm"\n', set(), (10, 15, 30)),
        (GOOD + 'space units: "um" "um" "um"\n', {DoubtKind.SIZES}, (0.001, 0.0015, 0.003)),
        (GOOD + 'space units: "parsec" "parsec" "parsec"\n', {DoubtKind.SIZES}, (1, 1.5, 3)),
    ],
)
def test_sizes_and_units_of_nrrd(tmp_path, fields, doubts, edges):
    scan = read_scan(write_nrrd(tmp_path / "a.nrrd", fields))
    assert {doubt.kind for doubt in scan.doubts} == doubts
    np.testing.assert_allclose(np.linalg.norm(scan.ijk_to_ras[:3, :3], axis=0), edges)


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("kind", ["list", "time"])
@pytest.mark.parametrize("count", [1, 3])
def test_frames_are_found_whichever_axis_counts_them(tmp_path, place, kind, count):
    frames = np.stack([VOXELS + n for n in range(count)], axis=0 if place == "last" else -1)
    vectors = ["(1,0,0)", "(0,1,0)", "(0,0,2)"]
    words, domain = ["none", *vectors], [kind, *["domain"] * 3]
    if place == "last":
        words, domain = [*vectors, "none"], [*["domain"] * 3, kind]
    fields = f"space: RAS\nspace directions: {' '.join(words)}\nspace origin: (0,0,0)\nkinds: {' '.join(domain)}\n"
    path = write_nrrd(tmp_path / "a.nrrd", fields, np.ascontiguousarray(frames))
    if count > 1:
        with pytest.raises(ScanError, match="3 frames"):
            read_scan(path)
    scan = read_scan(path, frame=count - 1)
    np.testing.assert_array_equal(scan.array, VOXELS + count - 1)
    assert scan.doubts == ()


@pytest.mark.parametrize(
    ("fields", "array", "error", "words"),
    [
        ("kinds: complex domain domain domain\n", np.stack([VOXELS] * 2, -1), ScanError, "complex numbers"),
        ("kinds: RGB-color domain domain domain\n", np.stack([VOXELS] * 3, -1), ScanError, "3 values per voxel"),
        ("", VOXELS[0], ScanError, "2-D image"),
        ("spacings: 1 0 3\n", VOXELS, GeometryError, "spacing"),
        ("spacings: 1 -2 3\n", VOXELS, GeometryError, "spacing"),
        (
            "space: LPS\nspace directions: (1,0,0) (0,0,0) (0,0,3)\n",
            VOXELS,
            GeometryError,
            "spacing of .* is 1 x 0 x 3 mm",
        ),
        ("space: LPS\nspace directions: (1,0,0) (2,0,0) (0,0,3)\n", VOXELS, GeometryError, "direction"),
        (GOOD + 'space units: "mm" "cm" "mm"\n', VOXELS, GeometryError, "different units"),
        (GOOD + "Segment0_ID:=a\n", VOXELS, ScanError, "segmentation"),
        (GOOD + "data file: LIST\n", VOXELS, ScanError, "outside of its own folder"),
    ],
)
def test_the_real_reason_of_a_refusal_is_given(tmp_path, fields, array, error, words):
    path = write_nrrd(tmp_path / "a.nrrd", fields, np.ascontiguousarray(array))
    with pytest.raises(error, match=words) as caught:
        read_scan(path)
    assert caught.value.remedy


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
def test_nrrd_that_is_cut_off_or_damaged_is_refused(tmp_path, encoding):
    path = write_nrrd(tmp_path / "a.nrrd", GOOD, encoding=encoding)
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    with pytest.raises(ScanError, match="cut off"):
        read_scan(path)
    if encoding != "raw":
        flipped = bytearray(content)
        flipped[-30] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(ScanError, match="damaged"):
            read_scan(path)


@pytest.mark.parametrize("name", ["../secret.raw", "{absolute}", "sub/../../secret.raw"])
@pytest.mark.parametrize("form", ["nrrd", "mhd", "mhd list", "mhd pattern"])
def test_headers_may_not_name_files_outside_their_folder(tmp_path, name, form):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "secret.raw").write_bytes(VOXELS.tobytes())
    name = name.format(absolute=tmp_path / "secret.raw")
    if form == "nrrd":
        path = write_nrrd(tmp_path / "in" / "a.nhdr", GOOD + f"data file: {name}\n")
    else:
        element = {"mhd": name, "mhd list": f"LIST\n{name}", "mhd pattern": f"{name}%d 1 1 1"}[form]
        path = write_meta(tmp_path / "in" / "a.mhd", data=b"", element=element)
    with pytest.raises(ScanError, match="outside of its own folder"):
        read_scan(path)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.raw").write_bytes(VOXELS.tobytes())
    (tmp_path / "in" / "a.raw").symlink_to(tmp_path / "secret.raw")
    with pytest.raises(ScanError, match="outside"):
        read_scan(write_nrrd(tmp_path / "in" / "a.nhdr", GOOD + "data file: a.raw\n"))


def test_data_beside_the_header_are_read(tmp_path):
    (tmp_path / "a.raw").write_bytes(VOXELS.tobytes())
    path = write_nrrd(tmp_path / "a.nhdr", GOOD + "data file: a.raw\n")
    np.testing.assert_array_equal(read_scan(path).array, VOXELS)
    path = write_meta(tmp_path / "a.mhd", data=b"", element="a.raw")
    np.testing.assert_array_equal(read_scan(path).array, VOXELS)
    (tmp_path / "a.raw").unlink()
    with pytest.raises(ScanError, match="missing"):
        read_scan(path)


# ---------------------------------------------------------------- MetaImage

META = "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 1 2 3\nElementSpacing = 1 1.5 3\n"


def write_meta(
    path: Path, fields: str = META, data: bytes | None = None, element: str = "LOCAL", sizes: str = "4 5 6"
) -> Path:
    dimension = len(sizes.split())
    head = f"ObjectType = Image\nNDims = {dimension}\nBinaryData = True\nDimSize = {sizes}\n{fields}"
    head += f"ElementType = MET_SHORT\nElementDataFile = {element}\n"
    path.write_bytes(head.encode() + (VOXELS.tobytes() if data is None else data))
    return path


@pytest.mark.parametrize(
    ("fields", "doubts", "edges"),
    [
        (META, set(), (1, 1.5, 3)),
        ("ElementSpacing = 1 1.5 3\n", {DoubtKind.SIDES}, (1, 1.5, 3)),
        ("TransformMatrix = 1 0 0 0 1 0 0 0 1\n", {DoubtKind.SIZES}, (1, 1, 1)),
        ("Orientation = 1 0 0 0 1 0 0 0 1\nElementSize = 1 1.5 3\n", set(), (1, 1.5, 3)),
        ("", KINDS_OF_DOUBT, (1, 1, 1)),
        (META + "DistanceUnits = mm\n", set(), (1, 1.5, 3)),
        (META + "DistanceUnits = cm\n", set(), (10, 15, 30)),
        (META + "DistanceUnits = furlong\n", {DoubtKind.SIZES}, (1, 1.5, 3)),
    ],
)
def test_sizes_and_units_of_metaimage(tmp_path, fields, doubts, edges):
    scan = read_scan(write_meta(tmp_path / "a.mha", fields))
    assert {doubt.kind for doubt in scan.doubts} == doubts
    np.testing.assert_allclose(np.linalg.norm(scan.ijk_to_ras[:3, :3], axis=0), edges)
    np.testing.assert_array_equal(scan.array, VOXELS)


def test_units_scale_the_place_too(tmp_path):
    scan = read_scan(write_meta(tmp_path / "a.mha", META + "DistanceUnits = cm\n"))
    np.testing.assert_allclose(scan.ijk_to_ras[:3, 3], (-10, -20, 30))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), packed=st.booleans())
def test_any_direction_is_read_as_itk_writes_it(tmp_path_factory, seed, packed):
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    image = SimpleITK.GetImageFromArray(VOXELS)
    image.SetDirection(matrix.ravel().tolist())
    image.SetSpacing((0.7, 1.5, 3))
    image.SetOrigin((1, 2, 3))
    path = tmp_path_factory.mktemp("mha") / "a.mha"
    SimpleITK.WriteImage(image, str(path), packed)
    scan = read_scan(path)
    wanted = np.diag([-1, -1, 1]) @ matrix * (0.7, 1.5, 3)
    np.testing.assert_allclose(scan.ijk_to_ras[:3, :3], wanted, atol=1e-9)
    np.testing.assert_array_equal(scan.array, VOXELS)
    assert scan.doubts == ()


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_damaged_byte_of_a_compressed_metaimage_is_noticed(tmp_path_factory, data):
    packed = bytearray(zlib.compress(VOXELS.tobytes()))
    packed[data.draw(st.integers(2, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    fields = META + f"CompressedData = True\nCompressedDataSize = {len(packed)}\n"
    path = write_meta(tmp_path_factory.mktemp("mha") / "a.mha", fields, bytes(packed))
    with pytest.raises(ScanError, match="damaged"):
        read_scan(path)


@pytest.mark.parametrize("missing", [1, 100])
def test_an_uncompressed_metaimage_that_is_cut_off_is_refused(tmp_path, missing):
    with pytest.raises(ScanError, match="cut off"):
        read_scan(write_meta(tmp_path / "a.mha", data=VOXELS.tobytes()[:-missing]))


@pytest.mark.parametrize("count", [1, 2])
def test_frames_of_a_4d_metaimage(tmp_path, count):
    fields = "TransformMatrix = 1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1\nElementSpacing = 1 1.5 3 1\n"
    data = b"".join((VOXELS + n).astype("<i2").tobytes() for n in range(count))
    path = write_meta(tmp_path / "a.mha", fields, data, sizes=f"4 5 6 {count}")
    np.testing.assert_array_equal(read_scan(path, frame=count - 1).array, VOXELS + count - 1)
    if count == 1:
        np.testing.assert_array_equal(read_scan(path).array, VOXELS)


# ---------------------------------------------------------------- other files


@pytest.mark.parametrize("suffix", [".tif", ".vtk", ".gipl", ".png", ".jpg"])
def test_formats_that_are_not_documented_are_refused(tmp_path, suffix):
    shape = [8, 7] if suffix in (".png", ".jpg") else [8, 7, 6]
    SimpleITK.WriteImage(SimpleITK.Image(shape, SimpleITK.sitkUInt8), str(tmp_path / f"a{suffix}"))
    with pytest.raises(ScanError, match="not an image in a format that can be read") as caught:
        read_scan(tmp_path / f"a{suffix}")
    assert "NIfTI" in caught.value.remedy


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not make such names")
def test_a_name_that_is_no_utf8_is_refused_by_its_own_message(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/sc\xffan.nrrd"))
    write_nrrd(path, GOOD)
    with pytest.raises(ScanError, match="cannot be written in UTF-8") as caught:
        read_scan(path)
    str(caught.value).encode("utf-8")


@pytest.mark.parametrize("where", ["slice", "frame", "corner"])
def test_burnt_in_values_are_a_doubt(tmp_path, where):
    marked = np.random.default_rng(0).integers(0, 900, (10, 40, 50)).astype(np.int32)
    place = {"slice": np.s_[-1], "frame": np.s_[:, 0], "corner": np.s_[:, -4:, -6:]}[where]
    marked[place] = 60000
    path = write_nrrd(tmp_path / "a.nrrd", GOOD, marked, kind="int")
    with pytest.warns(SATSegmentWarning, match="burnt into"):
        assert kinds(path) == {DoubtKind.MARKS}


@pytest.mark.parametrize(
    "array",
    [
        np.random.default_rng(0).integers(0, 900, (10, 40, 50)),
        np.clip(np.random.default_rng(0).normal(400, 500, (10, 40, 50)), -1024, 1000),  # clipped at the top
        np.random.default_rng(0).integers(0, 2, (10, 40, 50)),  # a mask
        np.zeros((4, 4, 4)),
        np.pad(np.random.default_rng(0).integers(-1000, 900, (8, 30, 30)), 5, constant_values=-3024),
    ],
)
def test_usual_scans_have_no_marks(tmp_path, array):
    path = write_nrrd(tmp_path / "a.nrrd", GOOD, array.astype("<i4"), kind="int")
    assert kinds(path) == set()
