"""Scans that this computer's memory cannot hold, known from their headers."""

from __future__ import annotations

from SATSegmentLib.cohort.listing import ScanTask
from SATSegmentLib.errors import OutOfMemory
from SATSegmentLib.memory import computer_memory
from SATSegmentLib.scans.read import checked_path, is_dicom_path, open_scan

# A scan is held as it is, as the network's float32 view, and once more while it is made.
_BYTES_A_VOXEL = 16
_MOST_OF_MEMORY = 0.8


def refuse_too_large(task: ScanTask) -> None:
    """Refuse, by its header, a scan that this computer's memory cannot hold.

    Raises
    ------
    OutOfMemory
        Says how much it would take.
    ScanError
        The header cannot be read.
    """
    path = checked_path(task.path)
    if is_dicom_path(path):
        return
    i, j, k = open_scan(path).size_ijk
    needed, free = i * j * k * _BYTES_A_VOXEL, computer_memory().free
    if needed > _MOST_OF_MEMORY * free:
        raise OutOfMemory(
            f"The scan has {i} x {j} x {k} voxels and would take about {needed / 1e9:.0f} GB of memory; "
            f"{free / 1e9:.0f} GB are free.",
            "Crop it or resample it, or use a computer with more memory.",
        )
