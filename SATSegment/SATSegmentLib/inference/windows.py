"""Covering a scan with overlapping windows, and blending what each of them says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from numbers import Real
from typing import get_args

import numpy as np

from SATSegmentLib.errors import DeviceError
from SATSegmentLib.grid.box import Box
from SATSegmentLib.types import DEFAULT_OVERLAP, MOST_OVERLAP, WindowRule


@dataclass(frozen=True)
class WindowChoice:
    """How a scan is covered with windows, and which of them are looked at.

    Attributes
    ----------
    rule : {"all", "adaptive"}
        All of them; or first as few as cover the scan, then those around what was found (`inference.adaptive`).
    overlap : float
        Share of a window's side that it shares with the next one.

    Raises
    ------
    DeviceError
        No such rule, or an overlap that is not allowed.
    """

    rule: WindowRule = "all"
    overlap: float = DEFAULT_OVERLAP

    def __post_init__(self) -> None:
        if self.rule not in get_args(WindowRule):
            raise DeviceError(f"{self.rule!r} is not a way to choose windows.", "Use all or adaptive.")
        # Also what is not a number.
        if not isinstance(self.overlap, Real) or not 0 <= self.overlap <= MOST_OVERLAP:
            shown = f"{self.overlap:g}" if isinstance(self.overlap, float | int) else repr(self.overlap)
            raise DeviceError(
                f"Windows cannot overlap by {shown} of their side.",
                f"Use 0 to {MOST_OVERLAP:g}; SAT itself uses {DEFAULT_OVERLAP:g}.",
            )


def cover(shape: tuple[int, int, int], window: tuple[int, int, int], overlap: float = DEFAULT_OVERLAP) -> list[Box]:
    """Overlapping windows that cover a grid, at equal steps; the last along each axis is shifted inside.

    A box is smaller than the window where the grid is; the network pads it with zeros on the high side.
    """
    starts = [_starts(size, side, overlap) for size, side in zip(shape, window, strict=True)]
    return [
        Box(slice(start, min(start + side, size)) for start, side, size in zip(corner, window, shape, strict=True))
        for corner in product(*starts)
    ]


def fewest(boxes: Sequence[Box], shape: tuple[int, int, int]) -> list[int]:
    """The numbers of as few of the windows as cover the grid, with no more overlap than their places ask for.

    At half-window steps: every second one along each axis, and the last.
    """
    chosen = [_fewest({box[axis].start: box[axis].stop for box in boxes}, size) for axis, size in enumerate(shape)]
    return [
        number
        for number, box in enumerate(boxes)
        if all(side.start in starts for side, starts in zip(box, chosen, strict=True))
    ]


def pad_to_window(array: np.ndarray, window: tuple[int, int, int]) -> np.ndarray:
    """Zeros on the high side, up to the window's size."""
    missing = [(0, side - size) for side, size in zip(window, array.shape, strict=True)]
    return np.pad(array, missing) if any(after for _, after in missing) else np.ascontiguousarray(array)


def importance_map(window: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How much a window's voxel counts where windows overlap, as three factors, one per axis.

    A Gaussian around the window's centre with an eighth of its size as standard deviation (Isensee et al.,
    2021). The weight of a voxel is the product of its three factors, in float32: in half precision a sixth
    of a window's weights would be rounded off or lost.
    """
    x, y, z = (np.exp(-0.5 * ((np.arange(side) - side // 2) / (side / 8)) ** 2).astype(np.float32) for side in window)
    return x, y, z


def _starts(size: int, side: int, overlap: float) -> list[int]:
    # Rounding must not make 0.7 of ten voxels six.
    shared, step = math.floor(side * overlap + 1e-9), max(math.floor(side * (1 - overlap) + 1e-9), 1)
    count = max(-(-(size - shared) // step), 1)
    return sorted({min(number * step, max(size - side, 0)) for number in range(count)})


def _fewest(stops: dict[int, int], size: int) -> set[int]:
    """Of windows along one axis (start: stop) the fewest that leave no gap."""
    starts = sorted(stops)
    chosen = [starts[0]]
    while stops[chosen[-1]] < size:
        chosen.append(max(start for start in starts if start <= stops[chosen[-1]]))
    return set(chosen)
