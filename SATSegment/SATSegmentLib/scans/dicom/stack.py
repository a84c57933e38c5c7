"""A grid fitted to all positions of a stack of slices, and each position judged against it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from SATSegmentLib.errors import GeometryError

# Below this two slices lie at the same place.
SAME_PLACE_MM = 0.01
# How far a slice may lie from its place in the fitted grid: whichever of the two is more.
_UNEVEN_MM = 0.05
_UNEVEN_SHARE = 0.02
# Positions may be written with one decimal only; their rounding is forgiven up to this.
_LARGEST_ROUNDING_MM = 0.1
# Sixteen-digit cosines in six-digit strings; a sine of 1e-3 is 0.06 degrees.
_SAME_DIRECTION = 1e-3
_EXPORT = "Export the series again, complete; or load it in Slicer, harden its acquisition transform and save it."


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices in the order of their places.

    Attributes
    ----------
    order : np.ndarray
        Indices of the given positions, from the first slice to the last along the normal.
    first : np.ndarray
        (3,) fitted position of the first slice, LPS millimetres.
    step : np.ndarray
        (3,) from one slice to the next; zero for a single slice.
    """

    order: np.ndarray
    first: np.ndarray
    step: np.ndarray


def normal_of(orientation: np.ndarray) -> np.ndarray:
    """Unit normal of a slice from its (6,) row and column directions, in LPS."""
    normal = np.cross(orientation[:3], orientation[3:])
    return normal / np.linalg.norm(normal)


def checked_orientation(orientation: np.ndarray, name: str) -> np.ndarray:
    """The directions at unit length.

    Raises
    ------
    GeometryError
        They have no length, or do not stand at right angles.
    """
    axes = orientation.reshape(2, 3)
    lengths = np.linalg.norm(axes, axis=1)
    if np.any(np.abs(lengths - 1) > 0.01) or abs(axes[0] @ axes[1]) > 0.01:
        raise GeometryError(
            f"The row and column directions of {name} are not unit vectors at right angles.", "Export the scan again."
        )
    return (axes / lengths[:, None]).ravel()


def same_direction(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two (6,) orientations are the same but for their rounding."""
    return bool(np.abs(one - other).max() <= _SAME_DIRECTION)


def fit_stack(positions: np.ndarray, normal: np.ndarray, decimals: int, names: list[str]) -> Stack:
    """The even stack that the slices form.

    Parameters
    ----------
    positions : np.ndarray
        (n, 3), LPS millimetres, in any order; no two at the same place.
    normal : np.ndarray
        (3,) unit normal of the slices.
    decimals : int
        With which the positions are written.
    names : list[str]
        Of the slices, for messages.

    Raises
    ------
    GeometryError
        Slices are missing, the spacing changes, or slices are shifted sideways.
    """
    order = np.argsort(positions @ normal, kind="stable")
    placed = positions[order]
    if len(placed) == 1:
        return Stack(order, placed[0], np.zeros(3))
    ranks = np.arange(len(placed)) - (len(placed) - 1) / 2
    middle = placed.mean(axis=0)
    step = ranks @ (placed - middle) / (ranks @ ranks)
    off = placed - (middle + ranks[:, None] * step)
    gaps = np.diff(placed @ normal)
    usual = float(np.median(gaps))
    rounding = min(0.5 * 10.0**-decimals * 3**0.5, _LARGEST_ROUNDING_MM)
    tolerance = max(_UNEVEN_MM, _UNEVEN_SHARE * usual, rounding)
    along = off @ normal
    if np.abs(along).max() > tolerance:
        raise _uneven(gaps, usual, [names[index] for index in order])
    across = np.linalg.norm(off - along[:, None] * normal, axis=1)
    if across.max() > max(tolerance, 2 * rounding):
        worst = int(across.argmax())
        raise GeometryError(
            f"The slices do not lie above each other: slice {worst + 1} ({names[order[worst]]}) is shifted sideways by "
            f"{across[worst]:.2f} mm against the others.",
            "Load the series in Slicer, harden its acquisition transform, and save it as a file.",
        )
    return Stack(order, middle + ranks[0] * step, step)


def _uneven(gaps: np.ndarray, usual: float, names: list[str]) -> GeometryError:
    worst = int(np.abs(gaps - usual).argmax())
    where = f"{usual:.2f} mm apart, but {gaps[worst]:.2f} mm after slice {worst + 1} ({names[worst]})"
    multiple = gaps / usual
    whole = np.abs(multiple - np.rint(multiple)) < 0.1
    if np.all(whole) and np.any(multiple > 1.5):
        missing = int(np.sum(np.rint(multiple) - 1))
        return GeometryError(
            f"Slices are missing: they are {where}. {missing} of {len(names) + missing} are not there.", _EXPORT
        )
    return GeometryError(
        f"The slices are not evenly spaced: they are {where}.",
        "Load the series in Slicer, harden its acquisition transform, and save it as a file.",
    )
