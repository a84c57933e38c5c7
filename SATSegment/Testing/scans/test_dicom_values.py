"""Stored values become what the modality measures, frame by frame, and nothing else is done to them."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from helpers.dicom_files import stack, write_classic, write_enhanced
from SATSegmentLib.errors import SATSegmentWarning, ScanError
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import DoubtKind

VOLUME = np.random.default_rng(6).integers(0, 3000, (6, 9, 10)).astype(np.uint16)


def write(folder: Path, form: str, slices: list[Any], **more: Any) -> Path:
    if form == "classic":
        write_classic(folder, slices, **more)
        return folder
    return write_enhanced(folder / "all.dcm", slices, **more)


@pytest.mark.parametrize("form", ["classic", "enhanced"])
@settings(max_examples=10, deadline=None)
@given(
    slopes=st.lists(st.floats(0.01, 50), min_size=6, max_size=6),
    intercepts=st.lists(st.floats(-2000, 2000), min_size=6, max_size=6),
)
def test_each_frame_keeps_its_own_rescale(
    tmp_path_factory: pytest.TempPathFactory, form: str, slopes: list[float], intercepts: list[float]
) -> None:
    slices = stack(VOLUME)
    for one, slope, intercept in zip(slices, slopes, intercepts, strict=True):
        one.slope, one.intercept = float(f"{slope:.6g}"), float(f"{intercept:.6g}")
    found = read_scan(write(tmp_path_factory.mktemp("dicom"), form, slices[::-1])).array
    wanted = [piece * one.slope + one.intercept for piece, one in zip(VOLUME, slices, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize("form", ["classic", "enhanced"])
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_monochrome1_is_a_matter_of_display_only(tmp_path: Path, form: str, modality: str) -> None:
    def edit(*arguments: Any) -> None:
        arguments[-1].PhotometricInterpretation = "MONOCHROME1"

    plain, inverse = (
        read_scan(write(tmp_path / name, form, stack(VOLUME, intercept=-1024), modality=modality, **more))
        for name, more in (("a", {}), ("b", {"edit": edit}))
    )
    np.testing.assert_array_equal(plain.array, inverse.array)
    np.testing.assert_array_equal(inverse.array, VOLUME - 1024.0)


@pytest.mark.parametrize("first", [0, 500, 1000])
def test_a_modality_lut_takes_the_rescales_place(tmp_path: Path, first: int) -> None:
    table = (np.arange(4096)[::-1] * 3 + 7).astype(np.uint16)

    def edit(number: int, data: Dataset) -> None:
        item = Dataset()
        item.LUTDescriptor, item.ModalityLUTType, item.LUTData = [4096, first, 16], "US", table.tobytes()
        item["LUTData"].VR = "OW"
        data.ModalityLUTSequence = [item]

    write_classic(tmp_path / "ct", stack(VOLUME, slope=None), edit=edit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SATSegmentWarning)
        found = read_scan(tmp_path / "ct").array
    np.testing.assert_array_equal(found, table[np.clip(VOLUME.astype(int) - first, 0, 4095)])


@pytest.mark.parametrize(
    ("tags", "padding"),
    [
        ({"PixelPaddingValue": 40000}, [40000]),
        ({"PixelPaddingValue": 0}, [0]),
        ({"PixelPaddingValue": 40000, "PixelPaddingRangeLimit": 40004}, [40000, 40002, 40004]),
        ({"PixelPaddingValue": 40004, "PixelPaddingRangeLimit": 40000}, [40001, 40004]),
    ],
)
def test_declared_padding_is_background(tmp_path: Path, tags: dict[str, int], padding: list[int]) -> None:
    volume = np.maximum(VOLUME, 30)
    for n, value in enumerate(padding):
        volume[:, n, :] = value
    write_classic(tmp_path / "ct", stack(volume, intercept=-1024, tags=tags))
    found = read_scan(tmp_path / "ct").array
    is_padding = np.isin(volume, padding)
    lowest = volume[~is_padding].min() - 1024.0
    np.testing.assert_array_equal(found, np.where(is_padding, lowest, volume - 1024.0))


def test_padding_of_signed_pixels_that_is_written_unsigned_is_known(tmp_path: Path) -> None:
    volume = VOLUME.astype(np.int16)
    volume[:, 0] = -2000

    def edit(number: int, data: Dataset) -> None:
        data.add_new("PixelPaddingValue", "US", 65536 - 2000)

    write_classic(tmp_path / "ct", stack(volume, intercept=-1024), edit=edit)
    assert read_scan(tmp_path / "ct").array.min() == volume[:, 1:].min() - 1024


def test_a_slice_of_padding_only_is_background(tmp_path: Path) -> None:
    volume = np.maximum(VOLUME, 100)
    volume[2] = 50000
    write_classic(tmp_path / "ct", stack(volume, tags={"PixelPaddingValue": 50000}))
    found = read_scan(tmp_path / "ct").array
    assert np.all(found[2] == np.delete(volume, 2, axis=0).min())


@pytest.mark.parametrize("signed", [False, True])
def test_what_lies_in_unused_bits_is_no_value(tmp_path: Path, signed: bool) -> None:
    """Old scanners kept an overlay there."""
    values = VOLUME.astype(np.int32) - (1500 if signed else 0)
    stored = (values & 0x0FFF | 0x5000).astype(np.uint16)

    def edit(number: int, data: Dataset) -> None:
        data.BitsStored, data.HighBit, data.PixelRepresentation = 12, 11, int(signed)

    write_classic(tmp_path / "ct", stack(stored), edit=edit)
    np.testing.assert_array_equal(read_scan(tmp_path / "ct").array, values)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32])
def test_every_width_of_pixels_is_read(tmp_path: Path, dtype: type) -> None:
    info = np.iinfo(dtype)
    volume = np.random.default_rng(1).integers(info.min // 4, info.max // 4, (5, 4, 6)).astype(dtype)
    write_classic(tmp_path / "mr", stack(volume, slope=None), modality="MR")
    np.testing.assert_allclose(read_scan(tmp_path / "mr").array, volume, rtol=1e-7)


@pytest.mark.parametrize("slope", [0, float("nan"), float("inf")])
def test_a_rescale_that_leaves_no_values_is_refused(tmp_path: Path, slope: float) -> None:
    def edit(data: Dataset) -> None:
        data.PerFrameFunctionalGroupsSequence[2].PixelValueTransformationSequence[0].RescaleSlope = slope

    path = write_enhanced(tmp_path / "a.dcm", stack(VOLUME), edit=edit)
    with pytest.raises(ScanError, match=r"rescale slope|damaged"):
        read_scan(path)


def test_a_rescale_that_only_some_slices_have_is_refused_by_name(tmp_path: Path) -> None:
    slices = stack(VOLUME, intercept=-1024)
    slices[4].slope = None
    write_classic(tmp_path / "ct", slices)
    with pytest.raises(ScanError, match=r"only some slices have a rescale.*_0004"):
        read_scan(tmp_path / "ct")


@pytest.mark.parametrize(("kind", "words"), [("US", "unit as US"), (None, "no rescale")])
def test_ct_values_that_may_not_be_hounsfield_are_a_doubt(tmp_path: Path, kind: str | None, words: str) -> None:
    more = {"tags": {"RescaleType": kind}} if kind else {"slope": None}
    write_classic(tmp_path / "ct", stack(VOLUME, **more))
    with pytest.warns(SATSegmentWarning, match=words):
        image = read_scan(tmp_path / "ct")
    assert [doubt.kind for doubt in image.doubts] == [DoubtKind.VALUES]
    assert image.unit != "HU"
    write_classic(tmp_path / "good", stack(VOLUME, intercept=-1024))
    assert read_scan(tmp_path / "good").unit == "HU"


@pytest.mark.parametrize("photometric", ["RGB", "PALETTE COLOR", "YBR_FULL"])
def test_colour_is_refused(tmp_path: Path, photometric: str) -> None:
    def edit(number: int, data: Dataset) -> None:
        data.PhotometricInterpretation = photometric

    write_classic(tmp_path / "ct", stack(VOLUME), edit=edit)
    with pytest.raises(ScanError, match="colour"):
        read_scan(tmp_path / "ct")


# JPEG 2000 needs some room for its wavelets.
LARGE = np.random.default_rng(8).integers(0, 3000, (4, 40, 36)).astype(np.uint16)
SYNTAXES = [
    pydicom.uid.ImplicitVRLittleEndian,
    pydicom.uid.ExplicitVRBigEndian,
    pydicom.uid.DeflatedExplicitVRLittleEndian,
    pydicom.uid.RLELossless,
    pydicom.uid.JPEGLSLossless,
    pydicom.uid.JPEG2000Lossless,
]


@pytest.mark.parametrize("form", ["classic", "enhanced"])
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.name)
def test_every_lossless_transfer_syntax_gives_the_same_values(tmp_path: Path, form: str, syntax: Any) -> None:
    slices = stack(LARGE, intercept=-1024)
    found = read_scan(write(tmp_path, form, slices[::-1], syntax=syntax))
    np.testing.assert_array_equal(found.array, LARGE - 1024.0)


@pytest.mark.parametrize("syntax", SYNTAXES[3:], ids=lambda uid: uid.name)
def test_a_compressed_slice_that_is_cut_off_is_named(tmp_path: Path, syntax: Any) -> None:
    files = write_classic(tmp_path / "ct", stack(LARGE, intercept=-1024), syntax=syntax)
    content = files[2].read_bytes()
    files[2].write_bytes(content[: len(content) - 60])
    with pytest.raises(ScanError, match=r"_0002\.dcm"):
        read_scan(tmp_path / "ct")


@pytest.mark.parametrize("syntax", SYNTAXES[3:], ids=lambda uid: uid.name)
def test_any_damage_within_compressed_pixels_is_refused_or_changes_values_only(tmp_path: Path, syntax: Any) -> None:
    """Decoders fail in ways of their own, one with what Python does not call an Exception."""
    files = write_classic(tmp_path / "ct", stack(LARGE, intercept=-1024), syntax=syntax)
    good = files[1].read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(12):
        content = bytearray(good)
        for at in rng.integers(len(good) - 1500, len(good), 8):
            content[at] = rng.integers(256)
        files[1].write_bytes(content)
        with contextlib.suppress(ScanError):
            assert read_scan(tmp_path / "ct").array.shape == LARGE.shape
