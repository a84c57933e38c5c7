"""Where a NRRD or MetaImage file keeps its voxels, and headers that say two things."""

from __future__ import annotations

import bz2
import gzip
import zlib

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.masks.open import open_masks
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import DoubtKind

VOLUME = (np.arange(6 * 8 * 10).reshape(6, 8, 10) % 200).astype("<i2")
RAW = VOLUME.tobytes()
TEXT = b" ".join(b"%d" % value for value in VOLUME.flat)


def nrrd(path, data=b"", **changes):
    fields = {
        "type": "short", "dimension": 3, "sizes": "10 8 6", "endian": "little", "encoding": "raw", "space": "LPS",
        "space directions": "(2,0,0) (0,2,0) (0,0,3)", "space origin": "(1,2,3)",
    } | {key.replace("_", " "): value for key, value in changes.items()}  # fmt: skip
    lines = "".join(f"{key}: {value}\n" for key, value in fields.items() if value is not None)
    path.write_bytes(f"NRRD0004\n{lines}\n".encode() + data)
    return path


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", gzip.compress(RAW)), ("bzip2", bz2.compress(RAW)), ("raw", RAW),
        ("gzip", gzip.compress(RAW[:100]) + gzip.compress(RAW[100:])), ("text", TEXT),
    ],
)  # fmt: skip
def test_every_encoding_is_read_and_missed_where_its_end_is_missing(tmp_path, encoding, data):
    np.testing.assert_array_equal(read_scan(nrrd(tmp_path / "a.nrrd", data, encoding=encoding)).array, VOLUME)
    # All voxels are there, but not the checksum that says that they are right; of text, not the last number.
    for cut in (data[:-6], data[: len(data) // 2]):
        with pytest.raises(ScanError, match="damaged, or cut off"):
            read_scan(nrrd(tmp_path / "b.nrrd", cut, encoding=encoding))


@pytest.mark.parametrize(("skip", "before"), [({"byte_skip": -1}, b"junk" * 9), ({"byteskip": 8}, b"x" * 8),
                                              ({"line_skip": 2}, b"one\ntwo\n")])  # fmt: skip
@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_what_stands_before_the_voxels_is_skipped(tmp_path, skip, before, encoding):
    data = before + RAW if encoding == "raw" else gzip.compress(before + RAW)
    if encoding == "gzip" and "line_skip" in skip:
        data = before + gzip.compress(RAW)  # lines are skipped before it is unpacked
    np.testing.assert_array_equal(read_scan(nrrd(tmp_path / "a.nrrd", data, encoding=encoding, **skip)).array, VOLUME)


@pytest.mark.parametrize("form", ["LIST", "pattern"])
@pytest.mark.parametrize("packed", [False, True])
def test_voxels_in_a_list_of_files_are_read(tmp_path, form, packed):
    for number, piece in enumerate(VOLUME):
        content = piece.tobytes()
        (tmp_path / f"{number:03d}.raw").write_bytes(gzip.compress(content) if packed else content)
    encoding = "gzip" if packed else "raw"
    if form == "LIST":
        names = "".join(f"{number:03d}.raw\n" for number in range(6)).encode()
        path = nrrd(tmp_path / "a.nhdr", names, data_file="LIST", encoding=encoding)
    else:
        path = nrrd(tmp_path / "a.nhdr", data_file="%03d.raw 0 5 1", encoding=encoding)
    np.testing.assert_array_equal(read_scan(path).array, VOLUME)
    (tmp_path / "003.raw").unlink()
    with pytest.raises(ScanError, match=r"there is no 003\.raw beside it"):
        read_scan(path)


@pytest.mark.parametrize(
    ("data_file", "listed", "reason"),
    [
        ("LIST", b"../outside.raw\n" * 6, "outside of its own folder"), ("LIST", b"", "names no files"),
        ("%03d.raw 0 x 1", b"", "list of files .* is damaged"), ("%03d.raw 0 5 0", b"", "list of files .* is damaged"),
        ("%s%s 0 5 1", b"", "list of files .* is damaged"),
        ("%03d.raw 0 999999999 1", b"", "list of files .* is damaged"),
    ],
)  # fmt: skip
def test_lists_that_cannot_be_followed_are_refused(tmp_path, data_file, listed, reason):
    with pytest.raises(ScanError, match=reason):
        read_scan(nrrd(tmp_path / "a.nhdr", listed, data_file=data_file))


@pytest.mark.parametrize("number", [3, 5, 7])
def test_a_number_of_files_that_does_not_divide_the_voxels_is_refused(tmp_path, number):
    for n in range(number):
        (tmp_path / f"{n}.raw").write_bytes(RAW[: len(RAW) // number])
    with pytest.raises(ScanError):
        read_scan(nrrd(tmp_path / "a.nhdr", data_file=f"%d.raw 0 {number - 1} 1", sizes="10 8 11"))


def test_a_segmentation_whose_checksum_is_missing_is_refused(tmp_path):
    fields = {"type": "unsigned char", "encoding": "gzip", "Segment0_Name": None}
    data = gzip.compress((VOLUME > 100).astype(np.uint8).tobytes())
    extra = "Segment0_ID:=s\nSegment0_Name:=liver\nSegment0_LabelValue:=1\nSegment0_Layer:=0\n"
    for cut, damaged in ((data, False), (data[:-8], True)):
        path = nrrd(tmp_path / "a.seg.nrrd", cut, **fields)
        header, divider, rest = path.read_bytes().partition(b"\n\n")
        path.write_bytes(header + b"\n" + extra.encode() + divider[1:] + rest)
        if damaged:
            with pytest.raises(ScanError, match="damaged"):
                open_masks(path).read("liver")
        else:
            np.testing.assert_array_equal(open_masks(path).read("liver").array, VOLUME > 100)


def metaimage(path, data=RAW, **changes):
    fields = {
        "ObjectType": "Image", "NDims": 3, "BinaryData": True, "BinaryDataByteOrderMSB": False, "CompressedData": False,
        "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "1 2 3", "ElementSpacing": "2 2 3", "DimSize": "10 8 6",
        "ElementType": "MET_SHORT",
    } | changes | {"ElementDataFile": changes.get("ElementDataFile", "LOCAL")}  # fmt: skip
    fields["ElementDataFile"] = fields.pop("ElementDataFile")  # the last line of a header
    path.write_bytes("".join(f"{key} = {value}\n" for key, value in fields.items()).encode() + data)
    return path


@pytest.mark.parametrize(
    ("changes", "data"),
    [
        ({"BinaryData": False}, TEXT), ({"HeaderSize": -1}, b"junk" * 9 + RAW),
        ({"CompressedData": True}, zlib.compress(RAW)),
    ],
)  # fmt: skip
def test_metaimage_voxels_as_text_at_the_end_or_compressed(tmp_path, changes, data):
    np.testing.assert_array_equal(read_scan(metaimage(tmp_path / "a.mha", data, **changes)).array, VOLUME)
    with pytest.raises(ScanError, match="damaged"):
        read_scan(metaimage(tmp_path / "b.mha", data[len(data) // 2 :], **changes))


def test_metaimage_directions_of_another_length_and_odd_dimensions_are_refused(tmp_path):
    with pytest.raises(GeometryError, match="are 2, 2, 2 long instead of 1: its voxel size is unclear"):
        read_scan(metaimage(tmp_path / "a.mha", TransformMatrix="2 0 0 0 2 0 0 0 2"))
    with pytest.raises(ScanError, match="do not fit its dimension"):
        read_scan(metaimage(tmp_path / "b.mha", NDims=2))


@pytest.mark.parametrize(
    ("letters", "kind"),
    [
        ("LAI", DoubtKind.SIDES), ("LPI", DoubtKind.GRID), ("ARI", DoubtKind.SIDES), ("RAS", DoubtKind.SIDES),
        ("RAI", None), ("???", None),
    ],
)  # fmt: skip
def test_letters_that_contradict_the_matrix_are_a_doubt(tmp_path, letters, kind):
    path = metaimage(tmp_path / "a.mha", AnatomicalOrientation=letters)
    if kind is None:
        assert read_scan(path).doubts == ()
        return
    with pytest.warns(match=f"AnatomicalOrientation {letters}"):
        assert [doubt.kind for doubt in read_scan(path).doubts] == [kind]


@pytest.mark.parametrize("seed", range(6))
def test_what_itk_writes_contradicts_nothing(tmp_path, seed):
    rng = np.random.default_rng(seed)
    axes = (
        np.linalg.qr(rng.normal(size=(3, 3)))[0] if seed > 2 else np.eye(3)[rng.permutation(3)] * rng.choice([-1, 1], 3)
    )
    image = sitk.GetImageFromArray(VOLUME)
    image.SetDirection(axes.ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    assert read_scan(tmp_path / "a.mha").doubts == ()


def test_a_scaling_that_other_programs_pass_over_is_a_doubt(tmp_path):
    changes = {"ElementToIntensityFunctionSlope": 2, "ElementToIntensityFunctionOffset": -3}
    with pytest.warns(match="most programs do not"):
        image = read_scan(metaimage(tmp_path / "a.mha", **changes))
    np.testing.assert_array_equal(image.array, VOLUME * 2 - 3)
    assert [doubt.kind for doubt in image.doubts] == [DoubtKind.VALUES]
