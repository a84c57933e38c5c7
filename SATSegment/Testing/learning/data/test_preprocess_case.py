"""A preprocessed case is what inference would see, with each mask in its place: left is left."""

from __future__ import annotations

import itertools

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as its own documentation does
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.inference.preprocess import prepare
from SATSegmentLib.learning.data import read_records
from SATSegmentLib.learning.data.merging import built_in_rules
from SATSegmentLib.learning.data.patches import left_right_axis
from SATSegmentLib.learning.data.preprocess import label_groups, preprocess
from SATSegmentLib.scans import read_scan

# SAT's own; and a coarser one for the real scans, to be quick, at which no voxel lies half way between two.
FINE = (1.0, 1.0, 3.0)
COARSE = (1.7321, 1.7321, 2.9713)


def one(path, rules=(), spacing=FINE):
    (record,) = read_records([path]).records
    return preprocess(record, rules, spacing)


def whole(case, label):
    """A label's mask in the whole case."""
    stored = case.masks[label]
    array = np.zeros(case.image.shape, bool)
    array[stored.box] = stored.to_array()
    return array


def nearest_by_itk(labels, grid):
    """Labels on the network's grid, in its order; independent of the project's readers and geometry: all by ITK."""
    reference = sitk.Image([int(size) for size in grid.shape], sitk.sitkUInt8)
    lps = np.diag([-1, -1, 1, 1]) @ grid.ijk_to_ras
    lengths = np.linalg.norm(lps[:3, :3], axis=0)
    np.testing.assert_allclose(lengths, COARSE)
    reference.SetSpacing(lengths.tolist())
    reference.SetDirection((lps[:3, :3] / lengths).ravel().tolist())
    reference.SetOrigin(lps[:3, 3].tolist())
    moved = sitk.Resample(labels, reference, sitk.Transform(), sitk.sitkNearestNeighbor)
    return sitk.GetArrayFromImage(moved).transpose(2, 1, 0)


def test_the_image_is_what_inference_sees_to_the_last_bit(write_jsonl, head_record):
    case = one(write_jsonl(head_record), spacing=COARSE)["RAS"]
    seen = prepare(read_scan(head_record["image"]), "mri", "RAS", COARSE)
    np.testing.assert_array_equal(case.image, seen.array)


@pytest.mark.parametrize("which", ["head_record", "chest_record"])
def test_each_mask_lies_where_it_lies_in_the_patient(which, write_jsonl, request):
    record = request.getfixturevalue(which)
    (parsed,) = read_records([write_jsonl(record)]).records
    case = preprocess(parsed, (), COARSE)["RAS"]
    grid = prepare(read_scan(record["image"]), parsed.modality, "RAS", COARSE).grid
    nearest = nearest_by_itk(sitk.ReadImage(record["mask"]), grid)
    for source in parsed.masks:
        values = source.values or {"left lung": (6,), "right lung": (5,)}[source.label]
        expected = np.isin(nearest, values)
        assert (source.label in case.lost) == (not expected.any())
        if source.label not in case.lost:
            np.testing.assert_array_equal(whole(case, source.label), expected)


@pytest.mark.parametrize(("which", "left", "right"), [
    ("head_record", "left putamen", "right putamen"),
    ("head_record", "left cerebellum", "right cerebellum"),
    ("chest_record", "left lung", "right lung"),
])  # fmt: skip
def test_left_is_left(which, left, right, write_jsonl, request):
    case = one(write_jsonl(request.getfixturevalue(which)), spacing=COARSE)["RAS"]
    first, second = (np.argwhere(whole(case, label))[:, 0] for label in (left, right))
    assert first.mean() < second.mean() - 10  # RAS counts from left to right
    assert np.percentile(first, 95) < np.percentile(second, 5)


def test_labels_are_brought_to_the_orientation_they_are_trained_in(write_jsonl, head_record):
    # Silver labels under the names of labels that are trained in ASR only: what matters is where they go.
    record = head_record | {"label": {"left putamen": 12, "sacrum": 12, "insula": 51}}
    cases = one(write_jsonl(record), spacing=COARSE)
    assert {axes: list(case.masks) for axes, case in cases.items()} == {
        "RAS": ["left putamen", "insula"],
        "ASR": ["sacrum"],
    }
    assert [left_right_axis(axes) for axes in ("RAS", "ASR", "IPL", "LPS", "native")] == [0, 2, 2, 0, None]
    sagittal = cases["ASR"]
    seen = prepare(read_scan(record["image"]), "mri", "ASR", COARSE)
    np.testing.assert_array_equal(sagittal.image, seen.array)
    expected = nearest_by_itk(sitk.ReadImage(record["mask"]), seen.grid) == 12
    assert expected.any()
    np.testing.assert_array_equal(whole(sagittal, "sacrum"), expected)


AXES = list(itertools.permutations(range(3)))


@pytest.fixture
def phantom():
    """An asymmetric image with two labels, LPS, 2 mm: what a scan in any axis order must become again."""
    rng = np.random.default_rng(7)
    image = rng.integers(1, 200, (6, 8, 10)).astype(np.int16)
    labels = np.zeros((6, 8, 10), np.uint8)
    labels[1:3, 2:6, 1:4] = 1
    labels[4:6, 5:8, 5:10] = 2
    return image, labels


def reordered(array, axes, flips):
    """The same voxels in the same places of the world, stored in another order."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((2.0, 2.0, 4.0))
    image.SetOrigin((3.0, -5.0, 7.0))
    return sitk.Flip(sitk.PermuteAxes(image, list(axes)), [bool(flip) for flip in flips])


@given(orders=st.lists(st.tuples(st.sampled_from(AXES), st.tuples(*[st.booleans()] * 3)), min_size=2, max_size=2))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_in_which_voxels_are_stored_does_not_matter(orders, phantom, write_jsonl, tmp_path):
    """Neither that of the image nor, apart from it, that of the mask."""
    image, labels = phantom
    (axes, flips), (mask_axes, mask_flips) = orders
    sitk.WriteImage(reordered(image, axes, flips), str(tmp_path / "scan.nii.gz"))
    sitk.WriteImage(reordered(labels, mask_axes, mask_flips), str(tmp_path / "seg.nii.gz"))
    record = {"image": "scan.nii.gz", "mask": "seg.nii.gz", "label": ["left kidney", "right kidney"]}
    record |= {"modality": "CT", "dataset": "phantoms", "patient_id": "1"}
    case = one(write_jsonl(record), spacing=(2.0, 2.0, 4.0))["RAS"]
    # LPS in the array: x and y run the other way in RAS.
    expected = labels.transpose(2, 1, 0)[::-1, ::-1]
    np.testing.assert_array_equal(whole(case, "left kidney"), expected == 1)
    np.testing.assert_array_equal(whole(case, "right kidney"), expected == 2)


@pytest.fixture
def chest_like(write_volume):
    """A record with a scan of 4 x 6 x 8 voxels of 1 x 1 x 3 mm: its grid is the network's own."""
    image = np.arange(4 * 6 * 8, dtype=np.int16).reshape(4, 6, 8) + 1
    record = {
        "image": write_volume("scan.nii.gz", image, (1, 1, 3)),
        "mask": "seg.nii.gz",
        "label": ["liver", "spleen"],
    }
    return record | {"modality": "CT", "dataset": "ours", "patient_id": "1"}


def boxes():
    masks = np.zeros((2, 4, 6, 8), bool)
    masks[0, 1:3, 1:4, 1:5] = True
    masks[1, 2:4, 3:6, 3:8] = True
    return masks


@pytest.mark.parametrize("kind", ["4-D NIfTI", "npy", "files", "npy files", "label map"])
def test_every_way_to_write_masks_gives_the_same(kind, chest_like, write_jsonl, write_volume, tmp_path):
    masks = boxes()
    if kind == "label map":
        masks[0] &= ~masks[1]  # a label map cannot overlap
        write_volume("seg.nii.gz", masks[0] + 2 * masks[1].astype(np.uint8), (1, 1, 3))
    elif kind == "4-D NIfTI":
        write_volume("seg.nii.gz", masks.astype(np.uint8), (1, 1, 3))
    elif kind == "npy":
        np.save(tmp_path / "seg.npy", masks.transpose(0, 3, 2, 1))
        chest_like["mask"] = "seg.npy"
    elif kind == "files":
        chest_like["mask"] = [write_volume(f"{n}.nii.gz", mask, (1, 1, 3)) for n, mask in enumerate(masks)]
    else:
        chest_like["mask"] = ["0.npy", "1.npy"]
        for number, mask in enumerate(masks):
            np.save(tmp_path / f"{number}.npy", mask.transpose(2, 1, 0))
    case = one(write_jsonl(chest_like))["RAS"]
    for label, mask in zip(("liver", "spleen"), masks, strict=True):
        np.testing.assert_array_equal(whole(case, label), mask.transpose(2, 1, 0)[::-1, ::-1])


def test_merged_labels_are_unions_on_the_grid(write_jsonl, head_record):
    sides = {name: values for name, values in head_record["label"].items() if name.endswith(("putamen", "cerebellum"))}
    sides.pop("cerebellum")
    case = one(write_jsonl(head_record | {"label": sides}), built_in_rules("mri"))["RAS"]
    assert set(case.masks) == {*sides, "cerebellum"}  # SAT has no "putamen" of both sides
    both = whole(case, "left cerebellum") | whole(case, "right cerebellum")
    np.testing.assert_array_equal(whole(case, "cerebellum"), both)


def test_an_organ_gets_its_tumour_and_the_tumour_stays(chest_like, write_jsonl, write_volume):
    masks = boxes()
    write_volume("seg.nii.gz", np.where(masks[1], 2, masks[0]), (1, 1, 3))
    record = chest_like | {"label": ["liver", "liver tumor"]}
    case = one(write_jsonl(record), built_in_rules("ct"))["RAS"]
    np.testing.assert_array_equal(whole(case, "liver"), masks.any(axis=0).transpose(2, 1, 0)[::-1, ::-1])
    np.testing.assert_array_equal(whole(case, "liver tumor"), masks[1].transpose(2, 1, 0)[::-1, ::-1])


def test_what_the_grid_cannot_hold_is_neither_present_nor_absent(write_jsonl, write_volume):
    image = np.arange(9 * 9 * 9, dtype=np.int16).reshape(9, 9, 9) + 1
    labels = np.zeros((9, 9, 9), np.uint8)
    labels[1, 4, 4] = 1  # a voxel of 1 mm, between two slices of 3 mm
    labels[2:8, 2:8, 2:8] = 2
    record = {"image": write_volume("scan.nii.gz", image, (1, 1, 1)), "label": ["cochlea", "brain", "pituitary gland"]}
    record |= {"mask": write_volume("seg.nii.gz", labels, (1, 1, 1))}
    record |= {"modality": "CT", "dataset": "ours", "patient_id": "1"}
    case = one(write_jsonl(record))["RAS"]
    assert case.lost == ("cochlea",)
    assert list(case.masks) == ["brain", "pituitary gland"]
    assert not whole(case, "pituitary gland").any()  # looked for, and not there


@pytest.mark.parametrize(
    ("values", "label", "words"),
    [
        ((1, 2, 3), ["liver", "spleen"], "holds the value 3, but the record lists 2 labels"),
        ((1, 2), ["liver"], "more than one value"),
        ((0.5, 1), ["liver", "spleen"], "fractions"),
        ((1, 2), ["left kidney", "right kidney", "kidney"], '"kidney" has no voxel, but "left kidney"'),
    ],
)
def test_values_that_do_not_fit_the_labels_are_refused(values, label, words, chest_like, write_jsonl, write_volume):
    array = np.zeros((4, 6, 8), np.float32 if 0.5 in values else np.uint8)
    for row, value in enumerate(values):
        array[:, row] = value
    write_volume("seg.nii.gz", array, (1, 1, 3))
    with pytest.raises(ScanError, match=words):
        one(write_jsonl(chest_like | {"label": label}), built_in_rules("ct"))


def test_values_that_were_not_asked_for_are_left_alone(chest_like, write_jsonl, write_volume):
    array = np.zeros((4, 6, 8), np.uint8)
    array[:, 1], array[:, 2] = 4, 9
    write_volume("seg.nii.gz", array, (1, 1, 3))
    case = one(write_jsonl(chest_like | {"label": {"liver": 9}}))["RAS"]
    np.testing.assert_array_equal(whole(case, "liver"), (array == 9).transpose(2, 1, 0)[::-1, ::-1])


def test_a_mask_that_moved_after_the_records_were_read_is_refused(chest_like, write_jsonl, write_volume):
    write_volume("seg.nii.gz", np.ones((4, 6, 8), np.uint8), (1, 1, 3))
    (record,) = read_records([write_jsonl(chest_like | {"label": ["liver"]})]).records
    write_volume("seg.nii.gz", np.ones((4, 6, 8), np.uint8), (1, 1, 3), origin=(2, 0, 0))
    with pytest.raises(GeometryError, match="in another place"):
        preprocess(record, (), FINE)


def test_label_groups_make_wholes_from_parts_of_other_orientations(chest_like, write_jsonl, write_volume):
    write_volume("seg.nii.gz", np.zeros((4, 6, 8), np.uint8), (1, 1, 3))
    lumbar = [f"lumbar vertebrae {n} (l{n})" for n in range(1, 7)]
    (record,) = read_records([write_jsonl(chest_like | {"label": lumbar})]).records
    groups = label_groups(record, built_in_rules("ct"))
    assert set(groups["ASR"]) == {"lumbar vertebrae 6 (l6)"}
    assert set(groups["RAS"]["lumbar vertebrae"]) == set(lumbar)


def test_images_without_foreground_are_refused(chest_like, write_jsonl, write_volume):
    write_volume("scan.nii.gz", np.zeros((4, 6, 8), np.int16), (1, 1, 3))
    write_volume("seg.nii.gz", np.ones((4, 6, 8), np.uint8), (1, 1, 3))
    with pytest.raises(ScanError, match="above zero"):
        one(write_jsonl(chest_like | {"label": ["liver"]}))


def test_masks_of_a_tilted_scan_lie_on_its_anatomy(write_jsonl, tmp_path):
    affine = np.diag((1.1, 1.2, 2.5, 1.0))
    affine[:3, 2] += 0.7 * affine[:3, 1]
    places = np.argwhere(np.ones((40, 44, 20), bool))
    away = np.linalg.norm((places - (19.5, 21.5, 9.5)) @ affine[:3, :3].T, axis=1).reshape(40, 44, 20)
    image = np.where(away < 22, 10.0, 0.0) + 90.0 * (away < 14)
    for name, values in (("scan", image), ("mask", (away < 14).astype(float))):
        nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), affine), tmp_path / f"{name}.nii.gz")
    record = {
        "image": str(tmp_path / "scan.nii.gz"), "mask": [str(tmp_path / "mask.nii.gz")], "label": ["brainstem"],
        "modality": "MRI", "dataset": "ours", "patient_id": "1",
    }  # fmt: skip
    case = one(write_jsonl(record), spacing=(1.0, 1.0, 1.0))["RAS"]
    seen, mask = case.image > np.median(case.image[whole(case, "brainstem")]) / 2, whole(case, "brainstem")
    assert 2 * np.count_nonzero(seen & mask) / (seen.sum() + mask.sum()) > 0.93
