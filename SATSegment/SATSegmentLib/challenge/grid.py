"""From a case's voxels to the network's grid and back, as the challenge's models were trained and run.

Intensities stay as they are (0 to 255), nothing is cropped or reoriented. Only CT is brought to 1 x 1 x 3 mm: corner
voxel to corner voxel, linearly, with the spacing taken in the file's order for the axes (H, W, D).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from SATSegmentLib.grid.sizes import check_volume

if TYPE_CHECKING:
    from SATSegmentLib.challenge.container import Case

Shape = tuple[int, int, int]

_CT_SPACING = (1.0, 1.0, 3.0)


def network_image(case: Case) -> np.ndarray:
    """(H, W, D) float32, 0 to 255, in the network's voxels."""
    image = case.images.astype(np.float32).transpose(1, 2, 0)
    if case.modality != "ct":
        return np.ascontiguousarray(image)
    return _linear(image, ct_shape(image.shape, case.spacing))


def ct_shape(shape: Sequence[int], spacing: Sequence[float]) -> tuple[int, ...]:
    """The network's voxels (H, W, D) of CT with these and this spacing in millimetres.

    Raises
    ------
    GeometryError
        So many that the spacing cannot be right.
    """
    ours = tuple(
        max(round(side * have / want), 1) for side, have, want in zip(shape, spacing, _CT_SPACING, strict=True)
    )
    check_volume(ours, _CT_SPACING)
    return ours


def file_labels(labels: np.ndarray, case: Case) -> np.ndarray:
    """Labels (H, W, D) of the network's grid as (D, H, W) of the file, each voxel from its nearest."""
    depth, height, width = case.images.shape
    for axis, size in enumerate((height, width, depth)):
        if labels.shape[axis] != size:
            nearest = np.floor(_positions(labels.shape[axis], size) + 0.5).astype(np.int64)
            labels = labels.take(np.minimum(nearest, labels.shape[axis] - 1), axis=axis)
    return np.ascontiguousarray(labels.transpose(2, 0, 1))


def _linear(image: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    for axis, size in enumerate(shape):
        if image.shape[axis] == size:
            continue
        positions = np.minimum(_positions(image.shape[axis], size), image.shape[axis] - 1)
        low = np.minimum(positions.astype(np.int64), max(image.shape[axis] - 2, 0))
        high = np.minimum(low + 1, image.shape[axis] - 1)
        share = (positions - low).astype(np.float32).reshape([-1 if one == axis else 1 for one in range(3)])
        image = image.take(low, axis=axis) * (1 - share) + image.take(high, axis=axis) * share
    return np.ascontiguousarray(image, np.float32)


def _positions(before: int, after: int) -> np.ndarray:
    """Where along an axis of `before` voxels each of `after` voxels is, first to first and last to last."""
    step = (before - 1) / (after - 1) if after > 1 else 1.0
    return np.arange(after) * step
