"""Boxes and packed masks hold what they were made from."""

from __future__ import annotations

import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from SATSegmentLib.grid.box import Box
from SATSegmentLib.grid.cropped_mask import CroppedMask

SHAPE = (7, 9, 5)


@st.composite
def boxes(draw, shape=SHAPE):
    sides = []
    for size in shape:
        low = draw(st.integers(0, size - 1))
        sides.append(slice(low, draw(st.integers(low + 1, size))))
    return Box(sides)


@st.composite
def masks(draw):
    share = draw(st.sampled_from([0.0, 0.02, 0.5, 1.0]))
    mask = np.random.default_rng(draw(st.integers(0, 999))).random(SHAPE) < share
    within = np.zeros(SHAPE, bool)
    within[draw(boxes())] = True
    return mask & within


def filled(box: Box) -> np.ndarray:
    array = np.zeros(SHAPE, bool)
    array[box] = True
    return array


@given(boxes(), boxes())
def test_a_box_is_what_it_indexes(a, b):
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    assert array[a].shape == a.shape
    assert array[a].flat[0] == array[a.offset]
    assert a.voxels == array[a].size
    assert Box.around(filled(a)) == a
    assert Box.at(a.offset, a.shape) == a
    shared = a.intersection(b)
    np.testing.assert_array_equal(filled(a) & filled(b), filled(shared) if shared else np.zeros(SHAPE, bool))
    if shared:
        np.testing.assert_array_equal(array[a][shared.relative_to(a)], array[shared])
    union = Box.union([a, b])
    assert union == Box.around(filled(a) | filled(b))
    grown = a.grown(2, SHAPE)
    assert all(g.start == max(s.start - 2, 0) and g.stop <= n for g, s, n in zip(grown, a, SHAPE, strict=True))
    assert type(pickle.loads(pickle.dumps(a))) is Box


def test_nothing_has_no_box():
    assert Box.around(np.zeros(SHAPE, bool)) is None


@given(masks(), boxes())
def test_a_mask_comes_back_whole_and_in_any_box(mask, box):
    cropped = CroppedMask.from_array(mask)
    np.testing.assert_array_equal(cropped.on_grid(SHAPE), mask)
    np.testing.assert_array_equal(cropped.within(box), mask[box])
    np.testing.assert_array_equal(cropped.to_array(), mask[cropped.box])
    assert cropped.voxels == mask.sum()
    assert bool(cropped) == bool(mask.any())
    assert not mask.any() or cropped.box == Box.around(mask)
    assert cropped.bits.nbytes == (cropped.box.voxels + 7) // 8


@given(masks(), st.tuples(*[st.integers(0, 4)] * 3))
def test_a_part_of_the_grid_keeps_its_place(mask, offset):
    whole = np.zeros([n + o for n, o in zip(SHAPE, offset, strict=True)], bool)
    whole[Box.at(offset, SHAPE)] = mask
    np.testing.assert_array_equal(CroppedMask.from_array(mask, offset).on_grid(whole.shape), whole)


@given(st.lists(masks(), min_size=1, max_size=4))
def test_a_union_holds_all(several):
    union = CroppedMask.union(CroppedMask.from_array(mask) for mask in several)
    np.testing.assert_array_equal(union.on_grid(SHAPE), np.any(several, axis=0))


def test_a_console_shows_where_a_mask_is_and_not_its_voxels():
    assert repr(CroppedMask.from_array(np.ones(SHAPE, bool))) == "CroppedMask(offset=(0, 0, 0), shape=(7, 9, 5))"
