"""On which grid masks are compared, and when they are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SATSegmentLib.errors import GeometryError
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.placing import place
from SATSegmentLib.grid.resample import protocol_mask
from SATSegmentLib.types import Image


def affine(spacing=(1, 1, 1), origin=(0, 0, 0), rotation=None):
    found = np.eye(4)
    found[:3, :3] = (np.eye(3) if rotation is None else rotation) * np.asarray(spacing, float)
    found[:3, 3] = origin
    return found


def random_mask(shape_kji=(6, 7, 8), seed=0):
    return np.random.default_rng(seed).random(shape_kji) < 0.4


def tilted(degrees=20):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(3)), st.tuples(st.booleans(), st.booleans(), st.booleans()), st.booleans())
def test_voxels_stored_in_another_order_are_put_in_order(order, flips, oblique):
    ijk_to_ras = affine((0.7, 1.1, 3), (-40, 5, 60), tilted() if oblique else None)
    mask = random_mask()
    turned = mask.transpose(2, 1, 0).transpose(order)
    to_plain = np.zeros((4, 4))
    to_plain[3, 3] = 1
    for column, (axis, flip) in enumerate(zip(order, flips, strict=True)):
        to_plain[axis, column] = -1 if flip else 1
        to_plain[axis, 3] = turned.shape[column] - 1 if flip else 0
        turned = np.flip(turned, column) if flip else turned
    stored = Image(turned.transpose(2, 1, 0), ijk_to_ras @ to_plain)

    placed = place(stored, Grid(mask.shape, ijk_to_ras))

    assert np.array_equal(placed.array, mask)
    assert not placed.resampled


@pytest.mark.parametrize(
    "other",
    [
        Image(random_mask((6, 7, 9)), affine()),
        Image(random_mask((6, 7, 8)), affine((1, 1, 1.02))),
        Image(random_mask((6, 7, 8)), affine(origin=(0.3, 0, 0))),
        Image(random_mask((6, 7, 8)), affine(origin=(1, 0, 0))),
        Image(random_mask((6, 7, 8)), affine(rotation=tilted(3))),
        Image(random_mask((3, 7, 8)), affine((1, 1, 2))),
    ],
    ids=["shape", "spacing", "half voxel", "whole voxel", "tilt", "thick slices"],
)
def test_other_grids_are_refused_and_resampled_only_on_request(other):
    target = Grid((6, 7, 8), affine())
    with pytest.raises(GeometryError, match=r"different grids.*--resample"):
        place(other, target)
    placed = place(other, target, resample=True)
    assert placed.resampled
    assert placed.array.shape == target.shape_kji


def test_rounded_headers_are_the_same_grid():
    ijk_to_ras = affine((0.683594, 0.683594, 1.25), (-174.658, -174.658, 30))
    mask = random_mask()
    off = ijk_to_ras + 1e-5
    off[3] = (0, 0, 0, 1)
    assert not place(Image(mask, off), Grid(mask.shape, ijk_to_ras)).resampled


def test_nearest_voxel_is_taken_by_place_and_not_by_index():
    target = Grid((10, 11, 12), affine((1.5, 1, 2), (3, -4, 5), tilted(30)))
    source = Image(random_mask((20, 21, 22), 3), affine((0.8, 1.2, 0.9), (1, -6, 4), tilted(12)))
    placed = place(source, target, resample=True).array

    to_source = np.linalg.inv(source.ijk_to_ras) @ target.ijk_to_ras
    for k, j, i in np.ndindex(placed.shape):
        at = (to_source @ (i, j, k, 1))[:3]
        if np.abs(at - np.floor(at) - 0.5).min() < 1e-3:  # as near to one voxel as to the next
            continue
        a, b, c = np.rint(at).astype(int)
        inside = 0 <= a < 22 and 0 <= b < 21 and 0 <= c < 20
        assert placed[k, j, i] == (inside and source.array[c, b, a])


def test_what_falls_outside_is_counted():
    mask = np.zeros((4, 4, 4), bool)
    mask[:, :, 0] = mask[:, :, 3] = True
    placed = place(Image(mask, affine()), Grid((4, 4, 3), affine()), resample=True)
    assert placed.outside == pytest.approx(0.5)


def test_sheared_grids_are_refused():
    sheared = affine()
    sheared[0, 1] = 0.3
    with pytest.raises(GeometryError, match="sheared"):
        place(Image(random_mask(), sheared), Grid((6, 7, 8), affine()), resample=True)


def test_the_protocol_grid_keeps_a_mask_that_lies_on_it():
    mask = random_mask((5, 7, 8))
    on_grid = protocol_mask(mask, Grid(mask.shape, affine((1, 1, 3), (-9, 4, 2))))
    assert np.array_equal(on_grid, mask.transpose(2, 1, 0))


def test_the_protocol_grid_is_ras_whatever_the_scan():
    mask = np.zeros((8, 20, 20), bool)
    mask[:, :, 12:] = True  # low R in LPS storage: i grows to the left
    lps = np.diag([-1.0, -1.0, 3.0, 1.0])
    on_grid = protocol_mask(mask, Grid(mask.shape, lps))
    assert on_grid.shape == (20, 20, 8)
    assert on_grid[:8].all()
    assert not on_grid[8:].any()


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(*[st.integers(1, 9)] * 3),
    st.tuples(*[st.floats(0.4, 6)] * 3),
    st.permutations(range(3)),
    st.tuples(*[st.booleans()] * 3),
)
def test_each_protocol_voxel_is_the_nearest_of_the_scan(shape, spacing, order, flips):
    mask = random_mask(shape, 5)
    ijk_to_ras = np.zeros((4, 4))
    ijk_to_ras[3, 3] = 1
    for column, (axis, flip) in enumerate(zip(order, flips, strict=True)):
        ijk_to_ras[axis, column] = -spacing[column] if flip else spacing[column]
    found = protocol_mask(mask, Grid(shape, ijk_to_ras))

    assert found.ndim == 3
    array_ijk = mask.transpose(2, 1, 0)
    # The protocol's first voxel is the scan's corner that lies furthest to the left, back and below.
    corner = np.zeros(3)
    for column, axis in enumerate(order):
        corner[axis] = min(0.0, ijk_to_ras[axis, column] * (array_ijk.shape[column] - 1))
    for place_xyz in np.ndindex(found.shape):
        world = corner + np.multiply(place_xyz, (1, 1, 3))
        index = np.linalg.solve(ijk_to_ras[:3, :3], world)
        if (np.abs(index - np.floor(index) - 0.5) < 1e-3).any():
            continue
        nearest = np.clip(np.rint(index).astype(int), 0, np.array(array_ijk.shape) - 1)
        assert found[place_xyz] == array_ijk[tuple(nearest)]
