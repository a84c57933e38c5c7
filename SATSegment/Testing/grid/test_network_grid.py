"""Left is left: masks come back to where the anatomy is, whatever the scan's axes."""

from __future__ import annotations

from itertools import permutations, product

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.models import identity_segmenter, queries
from SATSegmentLib.errors import GeometryError
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.network_grid import network_grid
from SATSegmentLib.grid.orientation import orient
from SATSegmentLib.types import Image

SPACING = (1.0, 1.0, 3.0)
WINDOW = (64, 64, 32)


def phantom_ijk() -> np.ndarray:
    """A body without any symmetry: one large block, and a small one in its own corner of each axis."""
    array = np.zeros((36, 44, 14), np.float32)
    array[3:30, 5:40, 2:12] = 1  # everything above zero is the foreground
    array[4:17, 6:18, 3:7] = 60
    array[10:14, 20:37, 8:11] = 60
    return array


def affine_of(permutation: tuple[int, ...], signs: tuple[int, ...], spacing_ijk: tuple[float, ...]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(zip(permutation, signs, strict=True)):
        affine[world, axis] = sign * spacing_ijk[axis]
    affine[:3, 3] = (-31.5, 12.25, 170.0)
    return affine


def image_of(array_ijk: np.ndarray, affine: np.ndarray) -> Image:
    return Image(np.ascontiguousarray(array_ijk.transpose(2, 1, 0)), affine)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.fixture(scope="module")
def identity():
    return identity_segmenter(WINDOW, SPACING)


@pytest.mark.parametrize("permutation", list(permutations(range(3))))
@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
def test_phantom_comes_back_from_all_48_axis_orders_and_flips(identity, permutation, signs):
    # Spacing by world axis, so that every order of the axes sees the same body.
    in_world = (1.0, 1.0, 3.0)
    array = np.transpose(phantom_ijk(), permutation)
    array = array[tuple(slice(None, None, sign) for sign in signs)]
    affine = affine_of(permutation, signs, tuple(in_world[world] for world in permutation))
    image = image_of(array, affine)

    (result,) = identity.segment_queries(image, queries(1, dim=8), "mri")

    assert dice(result.whole_mask(image.array.shape), image.array == 60) >= 0.99
    # Where the mask lies in the patient, computed without any of our geometry.
    kji = np.argwhere(result.whole_mask(image.array.shape)).mean(axis=0)
    truth = np.argwhere(image.array == 60).mean(axis=0)
    assert np.allclose(affine[:3, :3] @ kji[::-1], affine[:3, :3] @ truth[::-1], atol=0.2)


@pytest.mark.parametrize("orientation", ["RAS", "ASR", "IPL", "LPS", "native"])
@pytest.mark.parametrize("degrees", [0, 8, 23, 37])
def test_oblique_and_anisotropic_phantom_comes_back_in_every_orientation(orientation, degrees):
    # Smooth borders, because here the grids do not coincide; a fine isotropic target so that every
    # order resolves them.
    segmenter = identity_segmenter((96, 96, 96), (0.6, 0.6, 0.6))
    i, j, k = np.meshgrid(np.arange(40), np.arange(46), np.arange(30), indexing="ij")
    body = ((i - 20) / 15) ** 2 + ((j - 22) / 19) ** 2 + ((k - 15) / 12) ** 2
    inside = ((i - 17) / 10) ** 2 + ((j - 25) / 13) ** 2 + ((k - 14) / 9) ** 2
    array = np.where(body < 1, 1.0, 0.0) + 60 / (1 + np.exp((np.sqrt(inside) - 1) * 12))
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(angle / 2), -np.sin(angle / 2)], [0, np.sin(angle / 2), np.cos(angle / 2)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ tilt @ np.diag((-1.2, -0.9, 1.5))
    image = image_of(array, affine)

    (result,) = segmenter.segment_queries(image, queries(1, dim=8), "mri", orientation)
    # The identity network thresholds at the mean of its input; the level of as many voxels is not known beforehand.
    level = np.sort(array, axis=None)[-result.voxels]

    assert result.orientation == orientation
    assert 1 < level < 60
    assert dice(result.whole_mask(image.array.shape), image.array >= level) >= 0.99


def test_single_slice_comes_back(identity):
    array = np.zeros((40, 30, 1), np.float32)
    array[5:30, 4:26] = 1
    array[8:20, 6:12] = 60
    image = image_of(array, np.diag((1.0, 1.0, 5.0, 1.0)))

    (result,) = identity.segment_queries(image, queries(1, dim=8), "mri")

    assert dice(result.whole_mask(image.array.shape), image.array == 60) >= 0.99


def test_scan_of_two_and_a_half_windows_comes_back(identity):
    array = np.zeros((150, 70, 40), np.float32)
    array[2:148, 3:66, 1:38] = 1
    array[60:145, 10:40, 5:35] = 60
    array[5:20, 10:60, 20:25] = 60
    image = image_of(array, np.diag((1.0, 1.0, 3.0, 1.0)))

    (result,) = identity.segment_queries(image, queries(1, dim=8), "mri")

    assert dice(result.whole_mask(image.array.shape), image.array == 60) >= 0.99


def test_sides_on_which_a_mask_is_cut_are_those_of_the_patient(identity):
    array = phantom_ijk()
    array[0:6, 10:20, 3:9] = 60  # i = 0
    array[20:26, 20:24, 11:14] = 60  # k = last
    affine = affine_of((0, 1, 2), (-1, 1, 1), (1.0, 1.0, 3.0))  # i runs from right to left

    (result,) = identity.segment_queries(image_of(array, affine), queries(1, dim=8), "mri")

    assert set(result.cut_by) == {"R", "S"}


@settings(deadline=None, max_examples=150)
@given(
    shape=st.tuples(*[st.integers(1, 60)] * 3),
    rotation=st.tuples(*[st.floats(-3, 3)] * 3),
    spacing=st.tuples(*[st.floats(0.2, 8)] * 3),
    orientation=st.sampled_from(["RAS", "ASR", "IPL", "LPS", "native"]),
)
def test_every_grid_maps_to_world_and_back(shape, rotation, spacing, orientation):
    affine = np.eye(4)
    affine[:3, :3] = _rotation(rotation) @ np.diag(spacing)
    grid = network_grid(Grid(shape[::-1], affine), orientation, SPACING)
    index = np.array([1.5, 0.25, 2.0])

    source = np.empty(3)
    for axis, value in zip(grid.axes, index, strict=True):
        source[axis.source_axis] = axis.to_source(value)
        assert axis.to_network(axis.to_source(value)) == pytest.approx(value)

    assert np.allclose(affine[:3, :3] @ source + affine[:3, 3], (grid.ijk_to_ras @ [*index, 1])[:3], atol=1e-6)
    assert np.allclose(np.linalg.norm(grid.ijk_to_ras[:3, :3], axis=0), SPACING)


@settings(deadline=None, max_examples=150)
@given(rotation=st.tuples(*[st.floats(-3, 3)] * 3), signs=st.tuples(*[st.sampled_from((1, -1))] * 3))
def test_axis_order_agrees_with_nibabel(rotation, signs):
    affine = np.eye(4)
    affine[:3, :3] = _rotation(rotation) @ np.diag(signs) @ np.diag((0.7, 1.1, 2.3))

    sources, flips = orient(affine, "RAS")

    expected = nibabel.orientations.io_orientation(affine)
    ours = np.empty((3, 2))
    for world, (source, flipped) in enumerate(zip(sources, flips, strict=True)):
        ours[source] = (world, -1 if flipped else 1)
    assert np.array_equal(ours, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a @ np.diag((1, 0, 1, 1)), "spacing"),
        (lambda a: a + np.eye(4)[:, [3]] * 0 + np.array([[0, 0.4, 0, 0]] + [[0] * 4] * 3), "sheared"),
        (lambda a: a * np.nan, "valid"),
        (lambda a: a[:3], "valid"),
    ],
)
def test_grids_without_a_way_back_are_refused(change, message):
    with pytest.raises(GeometryError, match=message):
        network_grid(Grid((10, 10, 10), change(np.diag((1.0, 1.0, 3.0, 1.0)))), "RAS", SPACING)


def _rotation(angles: tuple[float, float, float]) -> np.ndarray:
    x, y, z = angles
    rx = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rz = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return rz @ ry @ rx
