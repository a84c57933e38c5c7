"""From a scan to what the network was trained on: oriented, respaced, cropped, normalised."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from SATSegmentLib.errors import ScanDamaged, ScanError
from SATSegmentLib.grid.box import Box
from SATSegmentLib.grid.digest import digest_of
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.network_grid import GridRule, NetworkGrid, network_grid
from SATSegmentLib.grid.resample import on_network_grid
from SATSegmentLib.grid.sizes import check_volume
from SATSegmentLib.inference.reference_resample import reference_resample
from SATSegmentLib.types import Image, Modality, Orientation

_CT_RANGE_HU = (-500.0, 1000.0)
_PERCENTILES = (0.5, 99.5)

# Prepared scans that are kept: a hundredth of what their features take.
_KEPT_BYTES = 1 << 29

Spacing = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class PreparedScan:
    """The network's view of a scan.

    Attributes
    ----------
    array : np.ndarray
        float32, normalised, axes as in `grid`.
    grid : NetworkGrid
        Where its voxels lie in the scan.
    name : str
        Tells it from another scan's, or another view of the same scan.
    """

    array: np.ndarray
    grid: NetworkGrid
    name: str


class PreparedScans:
    """The views of the scans seen last: a prompt that comes later on the same scan finds them ready.

    Several threads may ask: one may prepare the next scan while another's network is busy.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, PreparedScan] = OrderedDict()

    def get(
        self,
        image: Image,
        modality: Modality,
        orientation: Orientation,
        spacing: Spacing,
        rule: GridRule = "own",
    ) -> PreparedScan:
        """As `prepare`, only once for each scan."""
        name = _name(image, modality, orientation, spacing, rule)
        with self._lock:
            kept = self._kept.get(name)
        scan = kept or _prepare(image, modality, orientation, spacing, rule, name)
        with self._lock:
            self._kept[name] = scan
            self._kept.move_to_end(name)
            while sum(one.array.nbytes for one in self._kept.values()) > _KEPT_BYTES:
                self._kept.popitem(last=False)
        return scan

    def forget(self, digest: str) -> None:
        """Let all views of a scan go (`grid.digest.digest_of`)."""
        with self._lock:
            for name in [name for name in self._kept if name.endswith(digest)]:
                del self._kept[name]


def prepare(
    image: Image, modality: Modality, orientation: Orientation, spacing: Spacing, rule: GridRule = "own"
) -> PreparedScan:
    """Orient, respace, crop to the foreground and normalise, as SAT's training did.

    Parameters
    ----------
    image : Image
        The scan.
    modality : Modality
        Decides how intensities are clipped.
    orientation : Orientation
        Axis order of the network's grid.
    spacing : Spacing
        Millimetres along these axes.
    rule : GridRule, optional
        "own", or "sat" for the very grid and voxels that SAT's own preprocessing makes of the scan.

    Raises
    ------
    GeometryError
        The scan's grid cannot be used.
    ScanDamaged
        It is not what was sent under its name.
    ScanError
        Nothing above zero, or the same value everywhere.
    """
    return _prepare(image, modality, orientation, spacing, rule, _name(image, modality, orientation, spacing, rule))


def check_arrived(image: Image) -> str:
    """The scan's own name, `digest_of`.

    Raises
    ------
    ScanDamaged
        It was sent under another.
    """
    digest = digest_of(image)
    if image.digest not in ("", digest):
        raise ScanDamaged("The scan did not arrive as it was sent.", "Send it again.")
    return digest


def _name(image: Image, modality: Modality, orientation: Orientation, spacing: Spacing, rule: GridRule) -> str:
    return f"{modality} {orientation} {spacing} {rule} {check_arrived(image)}"


def _prepare(
    image: Image, modality: Modality, orientation: Orientation, spacing: Spacing, rule: GridRule, name: str
) -> PreparedScan:
    grid = network_grid(Grid.of(image), orientation, spacing, rule)
    check_volume(grid.shape, spacing)
    respaced = reference_resample(image.array, grid.reference) if grid.reference else on_network_grid(image.array, grid)
    box = _foreground_box(respaced)
    return PreparedScan(normalise(respaced[box], modality), grid.cropped(box), name)


def normalise(array: np.ndarray, modality: Modality) -> np.ndarray:
    """Clip and normalise: zero mean, unit variance over the whole array.

    CT is clipped to -500..1000 HU, everything else to its own 0.5th..99.5th percentile.

    Raises
    ------
    ScanError
        The clipped array is constant.
    """
    low, high = _CT_RANGE_HU if modality == "ct" else np.percentile(array, _PERCENTILES)
    # NumPy's percentiles are float64, and would take the whole scan with them.
    clipped = np.clip(array, np.float32(low), np.float32(high))
    deviation = clipped.std(dtype=np.float64)
    if not deviation > 0:
        raise ScanError(
            "The scan has the same intensity everywhere (within the range that counts for its modality).",
            "Check that the right image and modality were chosen.",
        )
    clipped -= np.float32(clipped.mean(dtype=np.float64))
    clipped /= np.float32(deviation)
    return clipped


def _foreground_box(array: np.ndarray) -> Box:
    box = Box.around(array > 0)
    if box is None:
        raise ScanError(
            "No voxel of the scan is above zero, so there is no foreground to segment.",
            "For CT, check that the values are Hounsfield units (rescale slope and intercept applied).",
        )
    return box
