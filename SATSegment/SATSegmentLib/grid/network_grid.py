"""Where a voxel of the scan lies in the network's grid, and back, in closed form.

SAT wants its input with axes in a fixed anatomical order and a fixed spacing, cropped to the foreground.
Reorienting permutes and flips axes, respacing scales them, cropping shifts them: together one linear
function per axis, so the way back is exact and no resampled affine ever has to be guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from SATSegmentLib.errors import GeometryError
from SATSegmentLib.grid.affine import check_affine, spacing_mm
from SATSegmentLib.grid.box import Box
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.orientation import Orientation, orient
from SATSegmentLib.grid.sat_grid import SatGrid, sat_grid, straight_steps
from SATSegmentLib.grid.tilt import SliceTilt, slice_tilt

# Which grid the network sees: the scan's first voxel keeps its place ("own"), or SAT's own choice is repeated ("sat").
GridRule = Literal["own", "sat"]
GRID_RULES: tuple[GridRule, ...] = get_args(GridRule)


@dataclass(frozen=True)
class AxisMap:
    """One axis of the network's grid: source_index = start + step * network_index.

    Attributes
    ----------
    source_axis : int
        Axis of the straight scan's IJK grid that this axis runs along.
    start : float
        Source index, possibly fractional, of the network grid's first voxel.
    step : float
        Source voxels per network voxel; negative where the axis was flipped.
    size : int
        Voxels of the network grid along this axis.
    first : int
        Where the first voxel was before the grid was cropped.
    """

    source_axis: int
    start: float
    step: float
    size: int
    first: int = 0

    def to_source(self, network_index: np.ndarray | float) -> np.ndarray:
        """Source indices of network indices."""
        return self.start + self.step * np.asarray(network_index, dtype=np.float64)

    def to_network(self, source_index: np.ndarray) -> np.ndarray:
        """Network indices of source indices."""
        return (source_index - self.start) / self.step


@dataclass(frozen=True, eq=False)
class NetworkGrid:
    """The grid that the network sees of one scan.

    Attributes
    ----------
    axes : tuple of AxisMap
        One map for each axis of the network's grid, in its order (R-L, P-A, I-S for RAS).
    scan : Grid
        The scan's own grid.
    tilt : SliceTilt or None
        How the scan's slices were straightened first; None where they are straight.
    reference : SatGrid or None
        Where the grid is SAT's own: the same before the crop, as SAT's preprocessing computes it.
    """

    axes: tuple[AxisMap, AxisMap, AxisMap]
    scan: Grid
    tilt: SliceTilt | None = None
    reference: SatGrid | None = None

    @property
    def straight(self) -> Grid:
        """The grid whose indices `axes` speak of: the scan's own, or the straightened one of a tilted scan."""
        return self.tilt.straight if self.tilt else self.scan

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along the three axes."""
        x, y, z = (axis.size for axis in self.axes)
        return (x, y, z)

    @property
    def ijk_to_ras(self) -> np.ndarray:
        """4x4 affine of the network's grid."""
        to_source = np.zeros((4, 4))
        to_source[3, 3] = 1
        for column, axis in enumerate(self.axes):
            to_source[axis.source_axis, column] = axis.step
            to_source[axis.source_axis, 3] = axis.start
        return self.straight.ijk_to_ras @ to_source

    def cropped(self, box: Box) -> NetworkGrid:
        """The same grid, cut to a box of its own indices."""
        x, y, z = (
            replace(axis, start=float(axis.to_source(part.start)), size=size, first=axis.first + part.start)
            for axis, part, size in zip(self.axes, box, box.shape, strict=True)
        )
        return replace(self, axes=(x, y, z))

    def touched_sides(self, box: Box) -> tuple[str, ...]:
        """The sides of the patient on which a box of the scan's array (KJI) touches the scan's border."""
        return Grid(self.scan.shape_kji, self.straight.ijk_to_ras).touched_sides(box)


def network_grid(
    scan: Grid, orientation: Orientation, spacing: tuple[float, float, float], rule: GridRule = "own"
) -> NetworkGrid:
    """The whole scan (not yet cropped) as the network sees it.

    By the scan's own rule, the first voxel of the oriented scan stays where it is, and as many voxels follow at the new
    spacing as fit between the first and the last, rounded (as MONAI's `Spacing` does with straight scans). By SAT's
    rule most oblique scans get a grid that is moved by up to half a voxel (`sat_grid`).

    Parameters
    ----------
    scan : Grid
        The scan's own grid.
    orientation : Orientation
        Axis order the network wants, or "native" for the scan's own.
    spacing : tuple of float
        Millimetres along the oriented axes.
    rule : {"own", "sat"}
        Whose choice of the grid.

    Raises
    ------
    GeometryError
        See `check_affine`; also where SAT's own grid is turned against a tilted scan's slices.
    """
    check_affine(scan.ijk_to_ras)
    tilt = slice_tilt(scan)
    straight = tilt.straight if tilt else scan
    if rule == "sat":
        return _reference_grid(scan, sat_grid(scan, orientation, spacing), straight, tilt)
    source_spacing, shape_ijk = spacing_mm(straight.ijk_to_ras), straight.shape_kji[::-1]
    axes = []
    for source, flipped, target in zip(*orient(straight.ijk_to_ras, orientation), spacing, strict=True):
        scale = target / source_spacing[source]
        last = shape_ijk[source] - 1
        # Half a voxel too much is common (an even number of 0.5 mm slices), and a header's rounding must not
        # decide it: 1.3 mm is stored as 1.29999995 or 1.30000002. Ties go to the even number, as in NumPy.
        size = int(np.round(np.round(last / scale + 1, 4)))
        axes.append(AxisMap(source, float(last if flipped else 0), float(-scale if flipped else scale), size))
    return NetworkGrid((axes[0], axes[1], axes[2]), scan, tilt)


def _reference_grid(scan: Grid, reference: SatGrid, straight: Grid, tilt: SliceTilt | None) -> NetworkGrid:
    steps = straight_steps(reference, straight)
    if steps is None:
        raise GeometryError(
            "SAT's own grid is turned against the slices of this tilted scan, so masks could not be brought back.",
            "Use the scan's own grid (the default).",
        )
    x, y, z = (
        AxisMap(source, float(steps[source, 3]), float(steps[source, column]), reference.shape[column])
        for column, source in enumerate(reference.sources)
    )
    return NetworkGrid((x, y, z), scan, tilt, reference)
