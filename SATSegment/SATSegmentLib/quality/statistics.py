"""Statistics of one mask: its intensities, place, extent, surface and pieces.

Everything is measured on the mask's own box: a scan has hundreds of structures, and none needs a copy of the scan.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.types import Image, Modality, Statistics

_PERCENTILES = (5, 50, 95)
# ITK's numbered pieces take four bytes a voxel: beyond this (skin, fat of a whole body), surface and pieces are
# measured on a coarser grid. Volume, intensities, centre and extent are not.
_MOST_VOXELS = 16_000_000


def measure(image: Image, cropped: CroppedMask, modality: Modality) -> Statistics:
    """Measure a mask that is not empty.

    Parameters
    ----------
    image : Image
        The scan.
    cropped : CroppedMask
        The mask, on the scan's grid.
    modality : {"ct", "mri", "pet"}
        Of the scan; CT is in HU by definition where the file does not say.

    Returns
    -------
    Statistics
        Of the mask.
    """
    mask = cropped.to_array()
    shapes = shapes_of(mask, Grid.of(image))
    values = image.array[cropped.box][mask]
    # Not by ITK's LabelIntensityStatistics: its median comes from a histogram's bins, and it has no percentiles.
    p05, median, p95 = (float(one) for one in np.percentile(values, _PERCENTILES))
    sizes = [shapes.GetNumberOfPixels(label) for label in shapes.GetLabels()]
    low, high = bounds_ras(mask, cropped.offset, image.ijk_to_ras)
    return Statistics(
        unit=image.unit or ("HU" if modality == "ct" else ""),
        mean=float(values.mean(dtype=np.float64)),
        sd=float(values.std(dtype=np.float64)),
        minimum=float(values.min()),
        p05=p05,
        median=median,
        p95=p95,
        maximum=float(values.max()),
        centroid_ras=_centroid(mask, cropped.offset, image.ijk_to_ras),
        low_ras=low,
        high_ras=high,
        surface_cm2=sum(shapes.GetPerimeter(label) for label in shapes.GetLabels()) / 100,
        # A coarser grid may miss a mask of single voxels.
        pieces=max(len(sizes), 1),
        largest_share=max(sizes) / sum(sizes) if sizes else 1.0,
    )


def shapes_of(mask: np.ndarray, grid: Grid) -> sitk.LabelShapeStatisticsImageFilter:
    """SimpleITK's shape statistics of the connected pieces of a boolean KJI array; lengths in millimetres.

    Where the array has more than `_MOST_VOXELS`, every second voxel (or third, ...) along each axis stands for all.
    """
    step = 1
    while mask.size / step**3 > _MOST_VOXELS:
        step += 1
    # One voxel of margin: a surface on the array's border would not be counted.
    picture = sitk.GetImageFromArray(np.pad(mask[::step, ::step, ::step], 1).view(np.uint8))
    # Spacing only: the place is taken from the affine, which may be tilted; ITK's directions may not.
    picture.SetSpacing([edge * step for edge in grid.spacing_kji[::-1]])
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.Execute(sitk.ConnectedComponent(picture, True))
    return shapes


def bounds_ras(
    mask: np.ndarray, offset: tuple[int, int, int], ijk_to_ras: np.ndarray
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Lowest and highest R, A and S of a mask's voxels, edges included, on a grid of any direction."""
    # Along a row of voxels every coordinate rises or falls throughout, so its two ends are enough.
    k, j = np.nonzero(mask.any(axis=2))
    rows = mask[k, j]
    ends = (rows.argmax(axis=1), rows.shape[1] - 1 - rows[:, ::-1].argmax(axis=1))
    axes = ijk_to_ras[:3, :3]
    points = np.concatenate([np.stack([i + offset[2], j + offset[1], k + offset[0]]) for i in ends], axis=1)
    points = axes @ points + ijk_to_ras[:3, 3:]
    half = np.abs(axes).sum(axis=1) / 2
    low, high = points.min(axis=1) - half, points.max(axis=1) + half
    return (float(low[0]), float(low[1]), float(low[2])), (float(high[0]), float(high[1]), float(high[2]))


def _centroid(mask: np.ndarray, offset: tuple[int, int, int], ijk_to_ras: np.ndarray) -> tuple[float, float, float]:
    voxel = []
    for axis in (2, 1, 0):
        counts = mask.sum(axis=tuple(other for other in range(3) if other != axis))
        voxel.append(float(counts @ np.arange(len(counts)) / counts.sum()) + offset[axis])
    r, a, s = ijk_to_ras[:3, :3] @ voxel + ijk_to_ras[:3, 3]
    return (float(r), float(a), float(s))
