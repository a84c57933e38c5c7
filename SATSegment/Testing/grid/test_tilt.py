"""A tilted scan is straightened for the network, and its masks come back to its own voxels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mrml.mrml_phantom import SHAPE, expectedPoints, grid

from helpers.results import result
from SATSegmentLib.grid.tilt import slice_tilt
from SATSegmentLib.types import Image


def shearedGrid(rows: float, columns: float, kind: str = "oblique") -> np.ndarray:
    sheared = grid(kind)
    sheared[:3, 2] += rows * sheared[:3, 1] + columns * sheared[:3, 0]
    return sheared


def ball(ijkToRas: np.ndarray, radius: float = 4.0) -> np.ndarray:
    """A ball in the world, in the middle of a grid."""
    kji = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), axis=-1).reshape(-1, 3)
    world = np.c_[kji[:, ::-1], np.ones(len(kji))] @ ijkToRas.T
    middle = ijkToRas @ [*(np.array(SHAPE[::-1]) - 1) / 2, 1]
    return (np.linalg.norm((world - middle)[:, :3], axis=1) < radius).reshape(SHAPE)


@pytest.mark.parametrize("kind", ["axial", "flipped", "permuted", "oblique"])
def test_a_straight_scan_is_left_alone(kind: str) -> None:
    assert slice_tilt(Image(np.zeros(SHAPE), grid(kind))) is None


def test_what_is_no_tilt_of_slices_is_left_to_the_engine_which_refuses_it() -> None:
    bent = grid("axial")
    bent[:3, 1] += 0.3 * bent[:3, 0]
    assert slice_tilt(Image(np.zeros(SHAPE), bent)) is None


@pytest.mark.parametrize("kind", ["axial", "flipped", "permuted", "oblique"])
def test_the_straight_scan_shows_the_anatomy_where_it_is(kind: str) -> None:
    sheared = shearedGrid(0.5, -0.25, kind)
    tilt = slice_tilt(Image(np.zeros(SHAPE), sheared))
    shown = tilt.straight(Image(100.0 * ball(sheared), sheared))
    axes = shown.ijk_to_ras[:3, :3] / np.linalg.norm(shown.ijk_to_ras[:3, :3], axis=0)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    there = expectedPoints(shown.array > 50, shown.ijk_to_ras)
    truth = expectedPoints(ball(sheared), sheared)
    np.testing.assert_allclose(there.mean(axis=0), truth.mean(axis=0), atol=0.15)
    assert len(there) == pytest.approx(len(truth), rel=0.06)


@settings(max_examples=60, deadline=None)
@given(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6))
def test_a_mask_of_the_straight_scan_comes_back_to_the_same_place(rows: float, columns: float) -> None:
    sheared = shearedGrid(rows, columns)
    tilt = slice_tilt(Image(np.zeros(SHAPE), sheared))
    if tilt is None:
        return
    truth = ball(sheared)
    back = tilt.back(result("brain", tilt.straight(Image(100.0 * truth, sheared)).array > 50))
    full = back.whole_mask(SHAPE)
    # Half a voxel at most, in each direction of the plane: where that is, in a ball of 8 voxels, Dice is 0.85 and less
    # where borders fall on exact halves.
    assert 2 * (full & truth).sum() / (full.sum() + truth.sum()) > 0.8
    there, here = expectedPoints(full, sheared), expectedPoints(truth, sheared)
    np.testing.assert_allclose(there.mean(axis=0), here.mean(axis=0), atol=0.6)
    assert back.voxels == full.sum()
    assert back.volume_ml == pytest.approx(full.sum() * abs(np.linalg.det(sheared[:3, :3])) / 1000)
    assert back.cut_by == ()


def test_steps_of_whole_voxels_lose_nothing() -> None:
    sheared = shearedGrid(-1, 1)
    array = np.random.default_rng(5).integers(-1000, 2000, SHAPE).astype(np.int16)
    tilt = slice_tilt(Image(array, sheared))
    straight = tilt.straight(Image(array, sheared))
    assert straight.array.dtype == np.int16
    back = tilt.back(result("brain", straight.array > 0))
    np.testing.assert_array_equal(expectedPoints(back.mask, np.eye(4)) + back.offset_kji[::-1],
                                  expectedPoints(array > 0, np.eye(4)))  # fmt: skip


def test_a_mask_at_the_tilted_scans_own_border_is_cut_there() -> None:
    sheared = shearedGrid(0.5, 0.0, "axial")
    tilt = slice_tilt(Image(np.zeros(SHAPE), sheared))
    full = np.zeros(SHAPE, bool)
    full[3:6, 4:8, 0:3] = True
    straight = tilt.straight(Image(100.0 * full, sheared)).array > 50
    # Its columns run from left to right: the first one is the patient's left border.
    assert tilt.back(result("brain", straight)).cut_by == ("L",)


def test_nothing_stays_nothing() -> None:
    tilt = slice_tilt(Image(np.zeros(SHAPE), shearedGrid(0.5, 0)))
    empty = result("brain", np.zeros(SHAPE, bool))
    assert tilt.back(empty) is empty
    # In what was added around the scan there is nothing either.
    outside = np.zeros((SHAPE[0], *tilt.size), bool)
    outside[0, -1, :] = True
    assert tilt.back(result("brain", outside)).status == "empty"
