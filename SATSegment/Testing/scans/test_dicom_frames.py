"""However a volume's frames are stored, its voxels come out at their own places, or it is refused by name."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.dicom_files import ROOT, Slice, stack, write_classic, write_enhanced
from SATSegmentLib.errors import GeometryError, SATSegmentWarning, ScanError
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import DoubtKind, Image

VOLUME = np.random.default_rng(5).integers(-1000, 2000, (8, 6, 7)).astype(np.int16)
FORMS = ("classic", "enhanced")


def write(folder: Path, form: str, slices: list[Slice], **more: Any) -> Path:
    """A series in one of its two forms; returns what is given to the reader."""
    if form == "classic":
        write_classic(folder, slices, **more)
        return folder
    return write_enhanced(folder / "all.dcm", slices, **more)


def rotation(seed: int) -> np.ndarray:
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return matrix * np.sign(np.linalg.det(matrix))


def affine_of(orientation: np.ndarray, spacing: tuple[float, float], step: np.ndarray, first: np.ndarray) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = orientation[:3] * spacing[1], orientation[3:] * spacing[0]
    affine[:3, 2], affine[:3, 3] = step, first
    affine[:2] *= -1
    return affine


def world_values(image: Image) -> dict[tuple[float, ...], float]:
    """Each voxel's value by its place."""
    k, j, i = np.indices(image.array.shape).reshape(3, -1)
    places = image.ijk_to_ras[:3, :3] @ np.array([i, j, k]) + image.ijk_to_ras[:3, 3:]
    rounded = np.round(places.T, 1) + 0.0
    return dict(zip(map(tuple, rounded), image.array.ravel().tolist(), strict=True))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=12, deadline=None)
@given(order=st.permutations(range(8)), seed=st.integers(0, 1000), tilt=st.sampled_from([0.0, 0.0, 0.3, -0.2]))
def test_any_order_and_direction_of_frames_gives_the_same_volume(
    tmp_path_factory: pytest.TempPathFactory, form: str, order: list[int], seed: int, tilt: float
) -> None:
    turned = rotation(seed)
    orientation, normal = turned[:, :2].T.ravel(), turned[:, 2]
    step, first = normal * 2.5 + orientation[3:] * tilt, np.array([-31.5, 12.25, 400.0])
    slices = stack(VOLUME, step, first, orientation=orientation, spacing=(0.8, 0.7), intercept=-24)
    path = write(tmp_path_factory.mktemp("dicom"), form, [slices[n] for n in order])
    image = read_scan(path)
    np.testing.assert_array_equal(image.array, VOLUME - 24)
    np.testing.assert_allclose(image.ijk_to_ras, affine_of(orientation, (0.8, 0.7), step, first), atol=2e-4)


def test_a_stack_stored_downwards_is_not_mirrored(tmp_path: Path) -> None:
    slices = stack(VOLUME, (0, 0, -3))
    up, down = (read_scan(write(tmp_path / name, "enhanced", s)) for name, s in (("a", slices[::-1]), ("b", slices)))
    assert world_values(up) == world_values(down)
    assert world_values(down)[(10.0, -20.0, -300.0)] == VOLUME[0, 0, 0]


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_missing_slices_are_named(tmp_path_factory: pytest.TempPathFactory, form: str, data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.integers(1, 6), min_size=1, max_size=3))
    slices = [one for n, one in enumerate(stack(VOLUME)) if n not in gone]
    folder = tmp_path_factory.mktemp("dicom")
    with pytest.raises(GeometryError, match=r"missing|not evenly spaced") as caught:
        read_scan(write(folder, form, slices))
    assert "mm after slice" in caught.value.message
    assert str(folder) in caught.value.message


@pytest.mark.parametrize("form", FORMS)
def test_a_spacing_that_changes_is_refused_and_not_called_missing(tmp_path: Path, form: str) -> None:
    slices = stack(VOLUME)
    for one in slices[5:]:
        one.position = np.add(one.position, (0, 0, 0.9))
    with pytest.raises(GeometryError, match=r"not evenly spaced: they are 2\.50 mm apart, but 3\.40 mm after slice 5"):
        read_scan(write(tmp_path, form, slices))


@pytest.mark.parametrize("form", FORMS)
def test_a_slice_that_is_shifted_sideways_is_refused(tmp_path: Path, form: str) -> None:
    slices = stack(VOLUME)
    slices[3].position = np.add(slices[3].position, (4, 0, 0))
    with pytest.raises(GeometryError, match=r"slice 4 .* shifted sideways by"):
        read_scan(write(tmp_path, form, slices))


@settings(max_examples=25, deadline=None)
@given(spacing=st.floats(0.6, 5), seed=st.integers(0, 500), count=st.integers(3, 40))
def test_positions_rounded_to_one_decimal_are_an_even_stack(
    tmp_path_factory: pytest.TempPathFactory, spacing: float, seed: int, count: int
) -> None:
    turned = rotation(seed)
    volume = np.zeros((count, 2, 2), np.int16)
    slices = stack(volume, turned[:, 2] * spacing, orientation=turned[:, :2].T.ravel())
    folder = tmp_path_factory.mktemp("dicom")
    write_classic(folder, slices, decimals=1)
    image = read_scan(folder)
    # At both ends of the stack: the rounding does not add up.
    last = image.ijk_to_ras[:3, 2] * (count - 1) + image.ijk_to_ras[:3, 3]
    truth = np.array(slices[-1].position) * [-1, -1, 1]
    assert np.linalg.norm(last - truth) < 0.15


def test_a_missing_slice_is_noticed_among_rounded_positions(tmp_path: Path) -> None:
    slices = stack(np.zeros((40, 2, 2), np.int16), (0.123, 0.05, 0.65))
    del slices[20]
    write_classic(tmp_path / "ct", slices, decimals=1)
    with pytest.raises(GeometryError, match=r"missing|not evenly"):
        read_scan(tmp_path / "ct")


# ---------------------------------------------------------------- several volumes in one series


def traits(form: str, label: str, value: Any) -> dict[str, Any]:
    """Arguments of a slice that set an echo time, b-value or time point where the form keeps it."""
    if form == "classic":
        keyword = {"echo": "EchoTime", "b": "DiffusionBValue", "time": "TemporalPositionIdentifier"}[label]
        return {"tags": {keyword: value}}
    sequence, keyword = {
        "echo": ("MREchoSequence", "EffectiveEchoTime"),
        "b": ("MRDiffusionSequence", "DiffusionBValue"),
        "time": ("FrameContentSequence", "TemporalPositionIndex"),
    }[label]
    return {"groups": {sequence: {keyword: value}}}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize(
    ("label", "values", "words"),
    [
        ("echo", (2.5, 4.75), ("echo time 2.5 ms", "echo time 4.75 ms")),
        ("b", (0.0, 800.0), ("b-value 0 s/mm2", "b-value 800 s/mm2")),
        ("time", (1, 2), ("time point 1", "time point 2")),
    ],
)
def test_volumes_of_one_series_are_listed_and_one_is_chosen(
    tmp_path: Path, form: str, interleaved: bool, label: str, values: tuple[Any, Any], words: tuple[str, str]
) -> None:
    first, second = (stack(VOLUME + 100 * n, **traits(form, label, value)) for n, value in enumerate(values))
    slices = [one for pair in zip(first, second, strict=True) for one in pair] if interleaved else [*second, *first]
    path = write(tmp_path, form, slices, modality="MR")
    with pytest.raises(ScanError, match="2 volumes") as caught:
        read_scan(path)
    assert all(word in caught.value.message for word in words)
    assert "`volume`" in caught.value.remedy
    assert "--volume" in caught.value.remedy
    for number in (1, 2):
        np.testing.assert_array_equal(read_scan(path, volume=number).array, VOLUME + 100 * (number - 1))
    with pytest.raises(ScanError, match="no volume 3"):
        read_scan(path, volume=3)


@pytest.mark.parametrize("form", FORMS)
def test_volumes_that_only_their_number_tells_apart_are_listed(tmp_path: Path, form: str) -> None:
    path = write(tmp_path, form, [*stack(VOLUME), *stack(VOLUME + 50)], modality="MR")
    with pytest.raises(ScanError, match=r"pass 1 by image number.*pass 2 by image number"):
        read_scan(path)
    np.testing.assert_array_equal(read_scan(path, volume=2).array, VOLUME + 50)


def test_slices_at_one_place_that_nothing_tells_apart_are_refused_by_name(tmp_path: Path) -> None:
    slices = stack(VOLUME)
    slices.insert(3, Slice(VOLUME[0] + 1, slices[5].position))
    write_classic(tmp_path / "mr", slices, modality="MR")
    with pytest.raises(GeometryError, match=r"2 slices lie at the same places.*_0003\.dcm and .*_0006\.dcm"):
        read_scan(tmp_path / "mr")


@pytest.mark.parametrize("form", FORMS)
def test_mixed_orientations_are_listed_with_their_planes(tmp_path: Path, form: str) -> None:
    axial = stack(VOLUME)
    sagittal = stack(VOLUME[:3], (5, 0, 0), orientation=(0, 1, 0, 0, 0, -1))
    path = write(tmp_path, form, [*sagittal, *axial])
    with pytest.raises(ScanError, match=r"axial, 8 slices.*sagittal, 3 slices|sagittal, 3 slices.*axial, 8 slices"):
        read_scan(path)
    chosen = [read_scan(path, volume=n).array.shape[0] for n in (1, 2)]
    assert sorted(chosen) == [3, 8]


def test_a_localizer_slice_in_the_series_is_passed_over(tmp_path: Path) -> None:
    localizer = Slice(
        VOLUME[0], (0, 0, 0), orientation=(0, 1, 0, 0, 0, -1), tags={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    )
    write_classic(tmp_path / "ct", [localizer, *stack(VOLUME)])
    np.testing.assert_array_equal(read_scan(tmp_path / "ct").array, VOLUME)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spacing": (0.5, 0.5)}, "pixels of 1 x 1 mm.*pixels of 0.5 x 0.5 mm"),
        ({"tags": {"FrameOfReferenceUID": ROOT + "77"}}, "frame of reference"),
    ],
)
def test_a_grid_that_changes_within_a_series_is_not_taken_from_its_first_slice(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    write_classic(tmp_path / "ct", [*stack(VOLUME)[:5], *stack(VOLUME, **change)[5:]])
    with pytest.raises(ScanError, match=words):
        read_scan(tmp_path / "ct")


def test_the_phase_images_of_a_series_are_another_volume(tmp_path: Path) -> None:
    kinds = [{"ImageType": ["ORIGINAL", "PRIMARY", part, "ND"]} for part in ("M", "P")]
    slices = [one for n, kind in enumerate(kinds) for one in stack(VOLUME + n, tags=kind)]
    write_classic(tmp_path / "mr", slices, modality="MR")
    with pytest.raises(ScanError, match=r"magnitude.*phase"):
        read_scan(tmp_path / "mr")


@pytest.mark.parametrize("keyword", ["TriggerTime", "AcquisitionTime"])
def test_times_that_differ_from_slice_to_slice_order_the_passes(tmp_path: Path, keyword: str) -> None:
    slices = []
    for k in range(8):
        for phase in (1, 0):
            value = f"{100000 + 100 * phase + k:06d}" if keyword == "AcquisitionTime" else 300.0 * phase + k
            one = stack(VOLUME + phase)[k]
            one.tags = {keyword: value, "AcquisitionDate": "20200101"}
            slices.append(one)
    slices = slices[::-1]
    write_classic(tmp_path / "mr", slices, modality="MR")
    with pytest.raises(ScanError, match=f"pass 1 by {'acquisition' if 'Acq' in keyword else 'trigger'} time"):
        read_scan(tmp_path / "mr")
    np.testing.assert_array_equal(read_scan(tmp_path / "mr", volume=2).array, VOLUME + 1)


def test_times_that_merely_count_the_slices_tell_nothing_apart(tmp_path: Path) -> None:
    slices = stack(VOLUME)
    for n, one in enumerate(slices):
        one.tags = {"TemporalPositionIdentifier": n + 1, "AcquisitionNumber": n + 1, "EchoTime": 2.5}
    write_classic(tmp_path / "mr", slices, modality="MR")
    np.testing.assert_array_equal(read_scan(tmp_path / "mr").array, VOLUME)


# ---------------------------------------------------------------- copies and damage


def test_copies_of_files_are_taken_once_and_said(tmp_path: Path) -> None:
    files = write_classic(tmp_path / "ct", stack(VOLUME))
    for file in files[2:5]:
        shutil.copy(file, file.with_name(f"copy_{file.name}"))
    with pytest.warns(SATSegmentWarning, match="3 files are copies"):
        image = read_scan(tmp_path / "ct")
    np.testing.assert_array_equal(image.array, VOLUME)
    assert [doubt.kind for doubt in image.doubts] == [DoubtKind.FILES]


def test_two_different_images_under_one_uid_are_refused_by_name(tmp_path: Path) -> None:
    files = write_classic(tmp_path / "ct", stack(VOLUME))
    content = bytearray(files[3].read_bytes())
    content[-1] ^= 1
    (tmp_path / "ct" / "other.dcm").write_bytes(content)
    with pytest.raises(ScanError, match=r"other\.dcm.*_0003\.dcm|_0003\.dcm.*other\.dcm"):
        read_scan(tmp_path / "ct")


def test_slices_that_all_have_one_uid_are_still_all_slices(tmp_path: Path) -> None:
    """Bad anonymisers write it."""

    def edit(number: int, data: Any) -> None:
        data.SOPInstanceUID = ROOT + "5"

    write_classic(tmp_path / "ct", stack(VOLUME), edit=edit)
    with pytest.warns(SATSegmentWarning, match="SOPInstanceUID"):
        image = read_scan(tmp_path / "ct")
    np.testing.assert_array_equal(image.array, VOLUME)


@pytest.mark.parametrize("keep", [0.97, 0.5, 0.25])
@pytest.mark.parametrize("which", [0, 3, 7])
def test_a_slice_that_is_cut_off_is_named(tmp_path: Path, keep: float, which: int) -> None:
    files = write_classic(tmp_path / "ct", stack(VOLUME))
    content = files[which].read_bytes()
    files[which].write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(ScanError, match=rf"_000{which}\.dcm.*(damaged|cut off|no pixels)"):
        read_scan(tmp_path / "ct")


def test_an_empty_file_among_the_slices_is_a_doubt(tmp_path: Path) -> None:
    files = write_classic(tmp_path / "ct", stack(VOLUME))
    files[-1].write_bytes(b"")
    with pytest.warns(SATSegmentWarning, match="empty"):
        assert read_scan(tmp_path / "ct").array.shape[0] == 7


def test_frames_that_the_header_does_not_describe_are_refused(tmp_path: Path) -> None:
    def edit(data: Any) -> None:
        del data.PerFrameFunctionalGroupsSequence[-1]

    path = write_enhanced(tmp_path / "a.dcm", stack(VOLUME), edit=edit)
    with pytest.raises(ScanError, match="8 frames, but describes 7"):
        read_scan(path)


@pytest.mark.parametrize("sequence", ["PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"])
def test_a_frame_without_a_place_is_refused(tmp_path: Path, sequence: str) -> None:
    def edit(data: Any) -> None:
        delattr(data.PerFrameFunctionalGroupsSequence[4], sequence)

    path = write_enhanced(tmp_path / "a.dcm", stack(VOLUME), edit=edit)
    with pytest.raises(GeometryError, match="frame 5"):
        read_scan(path)


def test_file_and_folder_of_an_enhanced_series_give_one_answer(tmp_path: Path) -> None:
    path = write_enhanced(tmp_path / "a.dcm", stack(VOLUME, (0, 0, -2.0)), modality="MR")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, other = read_scan(path), read_scan(tmp_path)
    np.testing.assert_array_equal(one.array, other.array)
    np.testing.assert_array_equal(one.ijk_to_ras, other.ijk_to_ras)


def test_an_enhanced_series_in_several_files_is_one_series(tmp_path: Path) -> None:
    slices = stack(VOLUME)
    for n, part in enumerate((slices[4:], slices[:4])):

        def edit(data: Any, n: int = n) -> None:
            data.SOPInstanceUID, data.InstanceNumber = f"{ROOT}1.{n}", n

        write_enhanced(tmp_path / f"{n}.dcm", part, edit=edit)
    np.testing.assert_array_equal(read_scan(tmp_path).array, VOLUME)
