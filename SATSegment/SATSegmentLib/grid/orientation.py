"""Which way a scan's axes run in the patient."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from SATSegmentLib.grid.affine import spacing_mm

Orientation = Literal["RAS", "ASR", "IPL", "LPS", "native"]

ORIENTATIONS: tuple[Orientation, ...] = get_args(Orientation)

# Which direction along the world's (R-L, A-P, S-I) axes each letter stands for, in RAS coordinates.
_LETTERS = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


def orient(ijk_to_ras: np.ndarray, orientation: Orientation) -> tuple[list[int], list[bool]]:
    """Which source axis each oriented axis runs along, and whether it is flipped.

    An oblique axis counts as the anatomical axis it is closest to, and no two axes count as the same
    (nearest rotation by singular value decomposition, then the strongest component first, as nibabel does).
    """
    if orientation == "native":
        return [0, 1, 2], [False, False, False]
    closest = _closest_world_axes(ijk_to_ras)
    sources, flips = [], []
    for letter in orientation:
        world, sign = _LETTERS[letter]
        source = [axis for axis, _ in closest].index(world)
        sources.append(source)
        flips.append(closest[source][1] != sign)
    return sources, flips


def _closest_world_axes(ijk_to_ras: np.ndarray) -> list[tuple[int, int]]:
    """For each source axis the world axis it runs along, and the sign."""
    directions = ijk_to_ras[:3, :3] / spacing_mm(ijk_to_ras)
    left, _, right = np.linalg.svd(directions)
    rotation = left @ right
    closest: list[tuple[int, int]] = [(0, 0)] * 3
    for source in np.argsort(-np.abs(rotation).max(axis=0), kind="stable"):
        world = int(np.argmax(np.abs(rotation[:, source])))
        closest[source] = (world, 1 if rotation[world, source] > 0 else -1)
        rotation[world, :] = 0
    return closest
