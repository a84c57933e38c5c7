"""Rules by which a scan in its own units becomes an image of 0 to 255, which the challenge's models take.

How the challenge's images were made is not part of SAT's code, so no rule is taken unasked. The numbers are those that
BiomedParse v2, which was trained on the challenge's data and came first, states for them (README of
microsoft/BiomedParse; model card of MedImageParse 3D): four windows for CT, percentiles for everything else. MedSAM (Ma
et al., "Segment anything in medical images", Nature Communications 15:654, 2024), by the challenge's organisers, states
the same but for the bone window; that percentiles are those of voxels above zero is what its preparation script does.
"""

from __future__ import annotations

import numpy as np

from SATSegmentLib.errors import ScanError

# Width and level in Hounsfield units.
CT_WINDOWS: dict[str, tuple[float, float]] = {
    "ct-soft-tissue": (400.0, 40.0),
    "ct-lung": (1500.0, -160.0),
    "ct-brain": (80.0, 40.0),
    "ct-bone": (1800.0, 400.0),
}
PERCENTILES, STORED = "percentiles", "stored"
RULES = (*CT_WINDOWS, PERCENTILES, STORED)
_LOW, _HIGH = 0.5, 99.5
BLACK, WHITE = 0.0, 255.0


def windowed(array: np.ndarray, rule: str) -> np.ndarray:
    """A scan's voxels as whole numbers of 0 to 255, uint8.

    Parameters
    ----------
    array : np.ndarray
        The scan, finite; CT in Hounsfield units.
    rule : str
        A CT window ("ct-soft-tissue", ...); "percentiles": from the 0.5th to the 99.5th percentile of the voxels above
        zero, whatever is not above zero is black; "stored": the values are 0 to 255 already.

    Raises
    ------
    ScanError
        No such rule, values beyond 0 to 255 for "stored", or nothing but background.
    """
    if rule in CT_WINDOWS:
        width, level = CT_WINDOWS[rule]
        return _scaled(array, level - width / 2, level + width / 2)
    if rule == STORED:
        if array.min() < BLACK or array.max() > WHITE:
            raise ScanError(
                f"The scan's values ({array.min():g} to {array.max():g}) are not all from 0 to 255.",
                f"Choose another rule: {', '.join(one for one in RULES if one != STORED)}.",
            )
        return np.rint(array).astype(np.uint8)
    if rule != PERCENTILES:
        raise ScanError(f"{rule!r} is no rule for intensities.", f"Choose one of {', '.join(RULES)}.")
    inside = array[array > 0]
    if not inside.size or inside.min() == inside.max():
        raise ScanError("The scan has the same intensity everywhere.", "Check that the right image was chosen.")
    low, high = np.percentile(inside, (_LOW, _HIGH))
    image = _scaled(array, float(low), float(high))
    image[array <= 0] = 0
    return image


def _scaled(array: np.ndarray, low: float, high: float) -> np.ndarray:
    share = (np.clip(array.astype(np.float32), low, high) - np.float32(low)) / np.float32(max(high - low, 1e-6))
    return (share * WHITE).astype(np.uint8)
