"""Outlines of a mask's slice as closed polygons, with holes tied in by keyholes, and back again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import numpy as np


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """The outlines of a slice: one closed polygon for each piece, its holes tied in by channels of no width.

    They run half-way between a voxel inside and its neighbour outside: the centres of the mask's voxels lie inside, no
    others. Pieces within a hole are polygons of their own.

    Parameters
    ----------
    mask : np.ndarray
        (rows, columns) bool.

    Returns
    -------
    list[np.ndarray]
        (n, 2) each: column and row of the corners, voxel centres at integers; the last corner joins the first.
    """
    from contourpy import FillType, contour_generator

    padded = np.pad(mask, 1).astype(np.float64)
    generator = contour_generator(z=padded, fill_type=FillType.OuterOffset)
    points, offsets = cast(tuple[list[np.ndarray], list[np.ndarray]], generator.filled(0.5, 2.0)[:2])
    polygons = []
    for corners, starts in zip(points, offsets, strict=True):
        rings = [corners[a : b - 1] - 1 for a, b in pairwise(starts)]
        rings = [straightened(ring) for ring in rings]
        polygons.append(with_keyholes(rings[0], rings[1:]))
    return polygons


def straightened(ring: np.ndarray) -> np.ndarray:
    """A closed ring without the corners that lie on a straight line between their neighbours."""
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]) > 1e-9
    kept = ring[turns]
    return kept if len(kept) >= 3 else ring


def with_keyholes(outer: np.ndarray, holes: Sequence[np.ndarray]) -> np.ndarray:
    """One ring that goes round a piece and into each of its holes and back by the same way."""
    ring = outer
    # From right to left, each by the nearest corner: the channels then do not cross each other's holes.
    for hole in sorted(holes, key=lambda one: -float(one[:, 0].max())):
        start = int(hole[:, 0].argmax())
        entry = _visible(ring, hole, start)
        turned = np.roll(hole, -start, axis=0)
        ring = np.concatenate([ring[: entry + 1], turned, turned[:1], ring[entry:]])
    return ring


def _visible(ring: np.ndarray, hole: np.ndarray, start: int) -> int:
    """The ring's corner nearest to the hole's rightmost one that can be reached without crossing the ring.

    Something of the ring lies to the right of every hole, so one exists.
    """
    point = hole[start]
    order = np.argsort(np.sum((ring - point) ** 2, axis=1), kind="stable")
    ends = np.roll(ring, -1, axis=0)
    hole_ends = np.roll(hole, -1, axis=0)
    for index in order:
        if not _crosses(point, ring[index], ring, ends) and not _crosses(point, ring[index], hole, hole_ends):
            return int(index)
    return int(order[0])


def _crosses(a: np.ndarray, b: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> bool:
    """Whether the way from a to b crosses any of the edges, other than at its own ends."""

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        return (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])

    one, two = side(a, b, starts), side(a, b, ends)
    three, four = side(starts, ends, a), side(starts, ends, b)
    return bool(np.any((one * two < -1e-12) & (three * four < -1e-12)))


def filled(polygons: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """The voxels whose centres lie inside an odd number of polygons.

    Even-odd is how a hole that is written as a contour of its own is meant, and a keyhole comes out right by it, too.

    Parameters
    ----------
    polygons : Sequence[np.ndarray]
        (n, 2) each: column and row of the corners, voxel centres at integers.
    shape : tuple[int, int]
        Rows and columns.

    Returns
    -------
    np.ndarray
        (rows, columns) bool.
    """
    crossings = np.zeros((shape[0], shape[1] + 1), np.int32)
    for polygon in polygons:
        _count_crossings(polygon, crossings)
    return (np.cumsum(crossings[:, :-1], axis=1) & 1).astype(bool)


def _count_crossings(polygon: np.ndarray, crossings: np.ndarray) -> None:
    """Add, for each row, at which column the ray from the left meets an edge."""
    rows, columns = crossings.shape[0], crossings.shape[1] - 1
    x0, y0 = polygon.T
    x1, y1 = np.roll(polygon, -1, axis=0).T
    for ax, ay, bx, by in zip(x0, y0, x1, y1, strict=True):
        if ay == by:
            continue
        if ay > by:
            ax, ay, bx, by = bx, by, ax, ay
        # A row belongs to the edge whose lower end is at or before it: corners on a row are counted once.
        first, last = max(int(np.ceil(ay)), 0), min(int(np.ceil(by)) - 1, rows - 1)
        if last < first:
            continue
        row = np.arange(first, last + 1)
        meets = ax + (row - ay) * (bx - ax) / (by - ay)
        column = np.clip(np.ceil(meets - 1e-9).astype(int), 0, columns)
        np.add.at(crossings, (row, column), 1)
