"""DSC, NSD, HD95 and volumes against an implementation that shares nothing with the library's.

Here each 2x2x2 neighbourhood is cut by scikit-image's marching cubes on its own, and every distance is worked out
between every pair of surface pieces.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import marching_cubes, mesh_surface_area

from SATSegmentLib.evaluation.metrics import score

SPACINGS = [(1.0, 1.0, 1.0), (1.0, 1.0, 3.0), (0.7, 1.3, 2.5), (5.0, 0.4, 0.4)]
# Distances and areas are compared with a little room on either side, so that rounding decides nothing.
ROOM = 1e-7


@cache
def cell_area(corners, spacing):
    """Area of the surface through one cell of eight corners; of the two possible surfaces the smaller."""
    cube = np.array(corners, float).reshape(2, 2, 2)
    areas = []
    for side in (cube, 1 - cube):
        vertices, faces, _, _ = marching_cubes(side, 0.5, spacing=spacing, method="lorensen")
        areas.append(float(mesh_surface_area(vertices.astype(float), faces)))
    return min(areas)


def surface(mask, spacing):
    """Places (N, 3) in mm and areas (N,) of the pieces of a mask's surface."""
    padded = np.pad(mask, 1)
    places, areas = [], []
    for corner in product(*(range(n - 1) for n in padded.shape)):
        cell = padded[tuple(slice(c, c + 2) for c in corner)]
        if cell.any() and not cell.all():
            places.append(np.multiply(corner, spacing))
            areas.append(cell_area(tuple(cell.ravel().tolist()), spacing))
    return np.array(places).reshape(-1, 3), np.array(areas)


def nearest(places, others):
    return np.array([np.sqrt(((others - place) ** 2).sum(axis=1)).min() for place in places])


def percentile(distances, areas, share):
    """The smallest distance within which at least this share of the area lies."""
    return min(d for d in distances if areas[distances <= d].sum() >= share * areas.sum())


def expected(reference, prediction, spacing, tolerance):
    """(DSC, lowest and highest NSD, lowest and highest HD95) that rounding allows."""
    a, b = ({tuple(p) for p in np.argwhere(mask)} for mask in (reference, prediction))
    (there, area), (here, other_area) = surface(reference, spacing), surface(prediction, spacing)
    to_prediction, to_reference = nearest(there, here), nearest(here, there)
    nsd = [
        (area[to_prediction <= limit].sum() + other_area[to_reference <= limit].sum()) / (area.sum() + other_area.sum())
        for limit in (tolerance - ROOM, tolerance + ROOM)
    ]
    hd95 = [
        max(percentile(to_prediction, area, share), percentile(to_reference, other_area, share))
        for share in (0.95 - ROOM, 0.95 + ROOM)
    ]
    return 2 * len(a & b) / (len(a) + len(b)), nsd, hd95


def check(reference, prediction, spacing, tolerance):
    found = score(reference, prediction, spacing, tolerance)
    dsc, nsd, hd95 = expected(reference, prediction, spacing, tolerance)
    assert found.dsc == pytest.approx(dsc, abs=1e-12)
    assert nsd[0] - 1e-6 <= found.nsd <= nsd[1] + 1e-6
    assert hd95[0] - 1e-6 <= found.hd95_mm <= hd95[1] + 1e-6
    voxel_ml = np.prod(spacing) / 1000
    assert found.volume_error_ml == pytest.approx((int(prediction.sum()) - int(reference.sum())) * voxel_ml)
    assert found.volume_error_percent == pytest.approx(100 * (prediction.sum() / reference.sum() - 1))


def ball(shape, centre, radius, spacing=(1, 1, 1)):
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) * spacing
    return ((places - np.multiply(centre, spacing)) ** 2).sum(-1) <= radius**2


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("tolerance", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("density", [0.02, 0.3, 0.9])
def test_random_masks(spacing, tolerance, density):
    rng = np.random.default_rng(int(100 * density))
    for _ in range(3):
        reference, prediction = rng.random((2, 7, 6, 5)) < density
        reference[3, 3, 3] = prediction[2, 2, 2] = True
        check(reference, prediction, spacing, tolerance)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("moved", [(0, 0, 0), (1, 0, 0), (0, 0, 1), (1, 2, 0)])
def test_shifted_balls(spacing, moved):
    reference = ball((14, 14, 12), (6, 6, 5), 4 * min(spacing), spacing)
    prediction = np.roll(reference, moved, (0, 1, 2))
    check(reference, prediction, spacing, 1.0)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("place", [(0, 0, 0), (4, 4, 4), (2, 2, 2)])
def test_one_voxel_also_in_a_corner_of_the_scan(spacing, place):
    one, other = np.zeros((2, 5, 5, 5), bool)
    one[place] = True
    other[2, 2, 3] = True
    check(one, other, spacing, 1.0)
    check(other, one, spacing, 1.0)
    perfect = score(one, one, spacing)
    assert (perfect.dsc, perfect.nsd, perfect.hd95_mm, perfect.volume_error_ml) == (1, 1, 0, 0)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_masks_that_fill_the_scan_or_touch_its_border(spacing):
    full = np.ones((5, 6, 4), bool)
    half = full.copy()
    half[:, 3:] = False
    check(full, half, spacing, 1.0)
    check(half, full, spacing, 1.0)
    check(half, ~half, spacing, 1.0)  # side by side, touching


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_checkerboard_and_a_shell(spacing):
    board = np.indices((5, 5, 5)).sum(0) % 2 == 0
    shell = ball((5, 5, 5), (2, 2, 2), 2) & ~ball((5, 5, 5), (2, 2, 2), 1)
    check(board, shell, spacing, 1.0)
    check(shell, ~board, spacing, 1.0)


@settings(max_examples=60, deadline=None)
@given(
    arrays(bool, (4, 3, 5)),
    arrays(bool, (4, 3, 5)),
    st.tuples(*[st.floats(0.2, 6).map(lambda x: round(x, 2))] * 3),
    st.floats(0, 4).map(lambda x: round(x, 2)),
)
def test_any_masks(reference, prediction, spacing, tolerance):
    if reference.any() and prediction.any():
        check(reference, prediction, spacing, tolerance)
    else:
        found = score(reference, prediction, spacing, tolerance)
        assert found.dsc == found.nsd == float(not (reference.any() or prediction.any()))
        assert found.hd95_mm is None


@settings(max_examples=40, deadline=None)
@given(arrays(bool, (5, 4, 3)), arrays(bool, (5, 4, 3)), st.permutations(range(3)), st.integers(1, 4))
def test_neither_the_order_of_axes_nor_the_air_around_changes_anything(reference, prediction, order, air):
    spacing = (0.8, 1.0, 3.0)
    plain = score(reference, prediction, spacing)
    turned = [np.pad(mask, air).transpose(order)[::-1] for mask in (reference, prediction)]
    other = score(turned[0], turned[1], [spacing[axis] for axis in order])
    assert (plain.dsc, plain.reference_ml) == pytest.approx((other.dsc, other.reference_ml))
    # A surface piece through ambiguous corners keeps its area when the axes are turned.
    assert plain.nsd == pytest.approx(other.nsd, abs=1e-6)
    if reference.any() and prediction.any():
        # Not the two HD95 with each other: where exactly 95 % is reached, rounding decides.
        check(turned[0], turned[1], tuple(spacing[axis] for axis in order), 1.0)


def test_sats_rule_for_absent_structures():
    nothing, something = np.zeros((4, 4, 4), bool), np.zeros((4, 4, 4), bool)
    something[1:3, 1:3, 1:3] = True
    for reference, prediction, agreement in (
        (nothing, nothing, 1.0),
        (nothing, something, 0.0),
        (something, nothing, 0.0),
    ):
        found = score(reference, prediction, (1, 1, 3))
        assert (found.dsc, found.nsd, found.hd95_mm) == (agreement, agreement, None)
    assert score(nothing, something, (1, 1, 3)).volume_error_percent is None
    assert score(nothing, something, (1, 1, 3)).volume_error_ml == pytest.approx(0.024)
    assert score(something, nothing, (1, 1, 3)).volume_error_percent == -100


def test_the_tolerance_decides_what_counts():
    reference, prediction = np.zeros((2, 12, 12, 12), bool)
    reference[2:8, 2:8, 2:8] = True
    prediction[4:10, 2:8, 2:8] = True
    near, far = (score(reference, prediction, (1, 1, 1), tolerance).nsd for tolerance in (1.0, 2.0))
    assert near < 0.8
    assert far == 1.0


@pytest.mark.parametrize(
    ("reference", "prediction", "spacing", "tolerance"),
    [
        (np.ones((2, 2, 2), bool), np.ones((2, 2, 3), bool), (1, 1, 1), 1),
        (np.ones((2, 2), bool), np.ones((2, 2), bool), (1, 1, 1), 1),
        (np.ones((2, 2, 2)), np.ones((2, 2, 2), bool), (1, 1, 1), 1),
        (np.ones((2, 2, 2), bool), np.ones((2, 2, 2), bool), (1, 0, 1), 1),
        (np.ones((2, 2, 2), bool), np.ones((2, 2, 2), bool), (1, 1), 1),
        (np.ones((2, 2, 2), bool), np.ones((2, 2, 2), bool), (1, 1, 1), -1),
        (np.ones((2, 2, 2), bool), np.ones((2, 2, 2), bool), (1, 1, 1), float("nan")),
    ],
)
def test_what_cannot_be_compared_is_refused(reference, prediction, spacing, tolerance):
    with pytest.raises(ValueError, match=r"must be"):
        score(reference, prediction, spacing, tolerance)
