"""A tilted scan is straightened for the network, and its masks come back to its own voxels."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.models import identity_segmenter, queries
from SATSegmentLib.errors import GeometryError, SATSegmentWarning
from SATSegmentLib.grid.affine import check_affine, slice_tilt_degrees
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.network_grid import network_grid
from SATSegmentLib.grid.resample import labels_on_network_grid, on_network_grid
from SATSegmentLib.grid.tilt import slice_tilt
from SATSegmentLib.inference.restore import restore
from SATSegmentLib.types import Image

SHAPE = (20, 40, 44)  # K, J, I
SPACING = (1.2, 1.1, 2.5)
_COS, _SIN = np.cos(0.4), np.sin(0.4)
GRIDS = {
    "axial": [[1.1, 0, 0, -5], [0, 1.2, 0, 6], [0, 0, 2.5, 7]],
    "flipped": [[-1.1, 0, 0, 50], [0, -1.2, 0, 60], [0, 0, 2.5, 7]],
    "permuted": [[0, 0, 2.5, -5], [-1.1, 0, 0, 6], [0, 1.2, 0, 7]],
    "oblique": [[1.1 * _COS, -1.2 * _SIN, 0, -5], [1.1 * _SIN, 1.2 * _COS, 0, 6], [0, 0, -2.5, 7]],
}


def affine_of(kind: str, rows: float = 0.0, columns: float = 0.0) -> np.ndarray:
    """Each slice lies so many rows and columns further than the one before."""
    affine = np.array([*GRIDS[kind], [0, 0, 0, 1]], float)
    affine[:3, 2] += rows * affine[:3, 1] + columns * affine[:3, 0]
    return affine


def world(affine: np.ndarray, places_kji: np.ndarray) -> np.ndarray:
    return places_kji[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]


def distance(affine: np.ndarray) -> np.ndarray:
    """Of each voxel from the middle of the grid, in millimetres: the anatomy is where it is, whatever the tilt."""
    places = np.argwhere(np.ones(SHAPE, bool))
    middle = world(affine, (np.array(SHAPE) - 1)[None] / 2)
    return np.linalg.norm(world(affine, places) - middle, axis=1).reshape(SHAPE)


def ball(affine: np.ndarray, radius: float = 12.0) -> np.ndarray:
    """Bright inside, smooth at its border, with the foreground of a larger one around it."""
    away = distance(affine)
    return np.where(away < radius + 5, 1.0, 0.0) + 60 / (1 + np.exp((away - radius) * 2))


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.fixture(scope="module")
def identity():
    return identity_segmenter((64, 64, 64), (1.0, 1.0, 1.0))


@pytest.mark.parametrize("kind", GRIDS)
def test_a_straight_scan_is_left_alone(kind: str) -> None:
    assert slice_tilt(Grid(SHAPE, affine_of(kind))) is None


@pytest.mark.parametrize(("degrees", "tilted"), [(0.02, False), (0.099, False), (0.101, True), (0.2, True), (44, True)])
def test_a_tilt_counts_from_the_one_tolerance_on(degrees: float, tilted: bool) -> None:
    affine = affine_of("oblique", rows=np.tan(np.radians(degrees)) * 2.5 / 1.2)
    check_affine(affine)
    assert slice_tilt_degrees(affine[:3, :3]) == pytest.approx(degrees, abs=1e-6)
    assert (slice_tilt(Grid(SHAPE, affine)) is not None) == tilted


@given(st.floats(0.11, 80), st.sampled_from([-1, 1]), st.sampled_from(list(GRIDS)))
def test_rows_and_columns_that_are_sheared_are_refused(degrees: float, sign: int, kind: str) -> None:
    affine = affine_of(kind)
    affine[:3, 1] += sign * np.tan(np.radians(degrees)) * 1.2 / 1.1 * affine[:3, 0]
    with pytest.raises(GeometryError, match="sheared: its rows and columns"):
        check_affine(affine)


def test_a_tilt_that_no_gantry_has_is_refused() -> None:
    with pytest.raises(GeometryError, match="tilted by 6"):
        check_affine(affine_of("axial", rows=4))


@pytest.mark.parametrize("kind", GRIDS)
def test_the_straight_scan_shows_the_anatomy_where_it_is(kind: str) -> None:
    sheared = affine_of(kind, 0.5, -0.25)
    tilt = slice_tilt(Grid(SHAPE, sheared))
    affine = tilt.straight.ijk_to_ras
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    there = world(affine, np.argwhere(tilt.straighten(ball(sheared)) > 30))
    truth = world(sheared, np.argwhere(ball(sheared) > 30))
    np.testing.assert_allclose(there.mean(axis=0), truth.mean(axis=0), atol=0.1)
    assert len(there) == pytest.approx(len(truth), rel=0.02)


@settings(max_examples=25, deadline=None)
@given(
    st.floats(-0.8, 0.8), st.floats(-0.8, 0.8), st.sampled_from(list(GRIDS)), st.sampled_from(["RAS", "ASR", "native"])
)
def test_masks_of_a_tilted_scan_lie_on_the_anatomy_in_its_own_slices(
    identity, rows, columns, kind, orientation
) -> None:
    sheared = affine_of(kind, rows, columns)
    image = Image(ball(sheared), sheared)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SATSegmentWarning)
        (result,) = identity.segment_queries(image, queries(1, dim=8), "mri", orientation)
    # The identity network thresholds at the mean of its input; the level of as many voxels is not known beforehand.
    level = np.sort(image.array, axis=None)[-result.voxels]
    mask = result.whole_mask(SHAPE)
    assert 1 < level < 60
    # A straight scan gives 0.983 here: the smooth border is thresholded at another level than the mask.
    assert dice(mask, image.array >= level) > 0.97
    there, truth = (world(sheared, np.argwhere(one)).mean(axis=0) for one in (mask, image.array >= level))
    np.testing.assert_allclose(there, truth, atol=0.25)
    assert result.voxels == mask.sum()
    assert result.volume_ml == pytest.approx(mask.sum() * abs(np.linalg.det(sheared[:3, :3])) / 1000)
    assert result.cut_by == ()


def test_the_user_is_told(identity) -> None:
    sheared = affine_of("axial", 0.5)
    with pytest.warns(SATSegmentWarning, match=r"tilted by 13\.5 degrees.*in the scan's own slices"):
        identity.segment_queries(Image(ball(sheared), sheared), queries(1, dim=8), "mri")


def test_labels_are_moved_by_whole_voxels_and_none_is_lost() -> None:
    labels = np.random.default_rng(5).integers(0, 9, SHAPE).astype(np.uint8)
    tilt = slice_tilt(Grid(SHAPE, affine_of("oblique", 0.37, -0.81)))
    moved = tilt.straighten_labels(labels)
    assert moved.dtype == np.uint8
    assert moved.shape == tilt.straight.shape_kji
    np.testing.assert_array_equal(np.bincount(moved.ravel())[1:], np.bincount(labels.ravel())[1:])
    for before, after in zip(labels, moved, strict=True):
        rows, columns = np.nonzero(after)
        first_row, first_column = rows.min() - np.nonzero(before)[0].min(), columns.min() - np.nonzero(before)[1].min()
        piece = after[first_row : first_row + SHAPE[1], first_column : first_column + SHAPE[2]]
        np.testing.assert_array_equal(piece, before)


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.8, 0.8), st.floats(-0.8, 0.8), st.sampled_from(list(GRIDS)))
def test_labels_for_training_lie_where_the_network_sees_the_image(rows, columns, kind) -> None:
    sheared = affine_of(kind, rows, columns)
    truth = distance(sheared) < 12
    grid = network_grid(Grid(SHAPE, sheared), "RAS", (1.0, 1.0, 1.0))
    found = np.argwhere(labels_on_network_grid(truth, grid))
    there = found @ grid.ijk_to_ras[:3, :3].T + grid.ijk_to_ras[:3, 3]
    # Slices move by whole voxels: half of one at most, along each axis of the plane.
    middle = world(sheared, np.argwhere(truth)).mean(axis=0)
    np.testing.assert_allclose(there.mean(axis=0), middle, atol=0.62)
    # A word is taught from shares of voxels, which are interpolated.
    shares = on_network_grid(truth, grid)
    places = np.argwhere(np.ones(grid.shape, bool)) @ grid.ijk_to_ras[:3, :3].T + grid.ijk_to_ras[:3, 3]
    np.testing.assert_allclose(np.average(places, axis=0, weights=shares.ravel()), middle, atol=0.1)


def test_a_mask_is_cut_at_the_scans_own_border_and_not_at_the_straight_ones() -> None:
    sheared = affine_of("axial", 0.0, 0.6)
    grid = network_grid(Grid(SHAPE, sheared), "RAS", SPACING)
    # All that the network sees, also beside the slices, where nothing can come back from.
    mask, mean = restore(np.ones(grid.shape, np.float32), grid, 0.5)
    assert mask.on_grid(SHAPE).mean() > 0.95
    assert mean == pytest.approx(1)
    assert set(grid.touched_sides(mask.box)) == set("RLAPSI")
    one = np.zeros(grid.shape, np.float32)
    one[0, 20, 1] = 1  # left of the first column of the upper slices, right of the last one of none
    mask, _ = restore(one, grid, 0.5)
    assert "R" not in grid.touched_sides(mask.box)


def test_what_lies_beside_the_slices_comes_back_as_nothing() -> None:
    grid = network_grid(Grid(SHAPE, affine_of("axial", 0.0, 0.6)), "RAS", SPACING)
    beside = np.zeros(grid.shape, np.float32)
    beside[-3:, 15:20, 0:2] = 1  # the lowest slices begin at the left
    mask, mean = restore(beside, grid, 0.5)
    assert not mask
    assert mean == 0
