"""What windows say together, and where looking at them is enough to know it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from SATSegmentLib.grid.box import Box
from SATSegmentLib.inference.blend import Blend
from SATSegmentLib.inference.windows import cover

sides = st.tuples(*[st.integers(4, 16).map(lambda half: 2 * half)] * 3)


@st.composite
def blends(draw):
    window = draw(sides)
    shape = tuple(draw(st.integers(1, 5 * side // 2)) for side in window)  # up to four windows along each axis
    boxes = cover(shape, window)
    return shape, boxes, Blend(shape, window, boxes, torch.device("cpu"))


def shares(shape, boxes, blend) -> tuple[np.ndarray, np.ndarray]:
    """At one voxel out of seven: each window's weight, and whether it is in its core."""
    places = np.arange(np.prod(shape))[::7]
    xyz = np.stack(np.unravel_index(places, shape))
    weights, inside = np.zeros((len(boxes), len(places))), np.zeros((len(boxes), len(places)), bool)
    for number, (box, core) in enumerate(zip(boxes, blend.cores, strict=True)):
        starts, stops = ([getattr(side, end) for side in box] for end in ("start", "stop"))
        covered = np.all([(a <= at) & (at < b) for a, at, b in zip(starts, xyz, stops, strict=True)], axis=0)
        x, y, z = (at[covered] - a for a, at in zip(starts, xyz, strict=True))
        weights[number, covered] = blend.weights(box, box).numpy()[x, y, z]
        inside[number] = np.all([(s.start <= at) & (at < s.stop) for s, at in zip(core, xyz, strict=True)], axis=0)
    return weights, inside


@settings(deadline=None, max_examples=40)
@given(blends())
def test_weights_add_up_to_one_and_cores_cover_the_grid(blend):
    weights, inside = shares(*blend)
    assert weights.sum(axis=0) == pytest.approx(1, abs=1e-5)
    assert inside.any(axis=0).all()


@settings(deadline=None, max_examples=40)
@given(blends(), st.floats(0.2, 0.9), st.integers(0, 2**32 - 1))
def test_a_mean_above_the_threshold_has_a_member_above_the_level_inside_its_core(blend, threshold, seed):
    weights, inside = shares(*blend)
    least = blend[2].least_inside(threshold)
    # The worst that can be: all that is not looked at says one, all that is stays just at the level, or a little below.
    probabilities = np.where(inside, least * np.random.default_rng(seed).uniform(0.99, 1, weights.shape), 1)
    assert ((weights * probabilities).sum(axis=0) <= threshold + 1e-5).all()


@settings(deadline=None, max_examples=25)
@given(blends(), st.integers(0, 2**32 - 1))
def test_sums_over_the_lattice_are_those_window_by_window(blend, seed):
    shape, boxes, weigh = blend
    random = np.random.default_rng(seed)
    part = Box.at(low := [int(random.integers(0, side)) for side in shape], np.subtract(shape, low))
    values = torch.from_numpy(random.uniform(0, 1, part.shape).astype(np.float32))
    chosen = torch.from_numpy(random.uniform(size=len(boxes)) < 0.5)
    together, shares, inside = torch.zeros(part.shape), torch.zeros(len(boxes)), torch.zeros(len(boxes), dtype=bool)
    marks = values > 0.99
    for number, box in enumerate(boxes):
        shared = part.intersection(box)
        if shared is None:
            continue
        weights, here = weigh.weights(box, shared), shared.relative_to(part)
        together[here] += weights * chosen[number]
        shares[number] = (weights * values[here]).sum()
        inside[number] = bool((marks[here] & (weights > 0.5)).any())
    assert torch.allclose(weigh.together(chosen, part), together, atol=1e-5)
    assert torch.equal(weigh.together(chosen, part) > 0, together > 0)
    assert torch.allclose(weigh.shares(values, part), shares, rtol=1e-4, atol=1e-5)
    # Along each axis more than the third root: then more than half at that voxel.
    assert not (weigh.hold_inside(marks, part, 0.5 ** (1 / 3) + 1e-5) & ~inside).any()
    whole = F.pad(marks, [pad for side in part[::-1] for pad in (side.start, 0)])
    each = weigh.touch_inside(whole[..., None], (1, 1, 1), 0.7)[:, 0]
    assert torch.equal(each, weigh.hold_inside(marks, part, 0.7))
    padded = F.pad(whole[None].float(), [pad for side in shape[::-1] for pad in (0, -side % 4)])
    tiles = F.max_pool3d(padded, 4)[0] > 0
    assert not (each & ~weigh.touch_inside(tiles[..., None], (4, 4, 4), 0.7)[:, 0]).any()


def test_cores_leave_out_a_good_part_of_overlapping_windows():
    blend = Blend((432, 432, 144), (288, 288, 96), cover((432, 432, 144), (288, 288, 96)), torch.device("cpu"))
    core = np.prod([side.stop - side.start for side in blend.cores[0]])
    assert core < 0.7 * 288 * 288 * 96
    assert blend.margin_weight < 0.1
