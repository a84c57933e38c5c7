"""One structure's mask against its reference.

The numbers come from DeepMind's `surface-distance`, the implementation that SAT's own evaluation and most published
NSDs go back to. This module adds what the library leaves open: SAT's rule for absent structures, and volumes.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DEFAULT_TOLERANCE_MM = 1.0
_HAUSDORFF_PERCENTILE = 95


@dataclass(frozen=True)
class Scores:
    """How one mask compares with its reference.

    Attributes
    ----------
    dsc : float
        Dice similarity coefficient of the volumes, 0..1.
    nsd : float
        Normalised surface Dice at the tolerance, 0..1 (Nikolov et al., doi:10.2196/26151, equation 2).
    hd95_mm : float | None
        The larger of the two directed 95th percentiles of the surface distances, weighted by surface area;
        None where either mask is empty, because a distance to nothing is no number.
    reference_ml, prediction_ml : float
        Volumes.
    """

    dsc: float
    nsd: float
    hd95_mm: float | None
    reference_ml: float
    prediction_ml: float

    @property
    def volume_error_ml(self) -> float:
        """Prediction minus reference."""
        return self.prediction_ml - self.reference_ml

    @property
    def volume_error_percent(self) -> float | None:
        """Prediction minus reference in per cent of the reference; None where the reference is empty."""
        return 100 * self.volume_error_ml / self.reference_ml if self.reference_ml > 0 else None


def score(
    reference: np.ndarray,
    prediction: np.ndarray,
    spacing_mm: Sequence[float],
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
) -> Scores:
    """Compare two masks on one grid.

    Where both are empty, DSC and NSD are 1; where one of them is empty, 0 (SAT's rule). A mask that touches the
    array's border has a surface there.

    Parameters
    ----------
    reference, prediction : np.ndarray
        Bool, 3-D, the same shape.
    spacing_mm : Sequence[float]
        Voxel edges along the arrays' axes, in their order.
    tolerance_mm : float, optional
        Distance up to which a piece of surface counts as right.

    Raises
    ------
    ValueError
        Shapes or types do not fit, or a length is not above zero.
    """
    _check(reference, prediction, spacing_mm, tolerance_mm)
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    reference_ml = int(np.count_nonzero(reference)) * voxel_ml
    prediction_ml = int(np.count_nonzero(prediction)) * voxel_ml
    if not reference_ml or not prediction_ml:
        # Never handed to the library, which has no answer here.
        agreement = 1.0 if reference_ml == prediction_ml else 0.0
        return Scores(agreement, agreement, None, reference_ml, prediction_ml)
    box = _box(reference | prediction)
    dsc, nsd, hd95 = _library(reference[box], prediction[box], spacing_mm, tolerance_mm)
    return Scores(dsc, nsd, hd95, reference_ml, prediction_ml)


def _library(
    reference: np.ndarray, prediction: np.ndarray, spacing_mm: Sequence[float], tolerance_mm: float
) -> tuple[float, float, float]:
    import surface_distance

    with warnings.catch_warnings():
        # It calls SciPy under names that SciPy 2 will drop; the requirement says scipy<2.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        distances = surface_distance.compute_surface_distances(reference, prediction, [float(s) for s in spacing_mm])
    return (
        float(surface_distance.compute_dice_coefficient(reference, prediction)),
        float(surface_distance.compute_surface_dice_at_tolerance(distances, tolerance_mm)),
        float(surface_distance.compute_robust_hausdorff(distances, _HAUSDORFF_PERCENTILE)),
    )


def _check(reference: np.ndarray, prediction: np.ndarray, spacing_mm: Sequence[float], tolerance_mm: float) -> None:
    if reference.shape != prediction.shape or reference.ndim != 3:
        raise ValueError(f"Masks must be 3-D and of one shape, not {reference.shape} and {prediction.shape}.")
    if reference.dtype != bool or prediction.dtype != bool:
        raise ValueError(f"Masks must be bool, not {reference.dtype} and {prediction.dtype}.")
    if len(spacing_mm) != 3 or not all(np.isfinite(s) and s > 0 for s in spacing_mm):
        raise ValueError(f"Spacing must be three lengths above zero, not {spacing_mm}.")
    if not (np.isfinite(tolerance_mm) and tolerance_mm >= 0):
        raise ValueError(f"The tolerance must be zero or above, not {tolerance_mm}.")


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box around a mask that is not empty."""
    used = [np.flatnonzero(mask.any(axis=tuple(o for o in range(3) if o != axis))) for axis in range(3)]
    return tuple(slice(int(places[0]), int(places[-1]) + 1) for places in used)
