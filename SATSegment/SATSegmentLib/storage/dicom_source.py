"""From a DICOM path, or the files themselves, to the images that a result refers to."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pydicom
from pydicom.dataset import Dataset

from SATSegmentLib.errors import GeometryError
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.scans.dicom.frames import Frame, frames_of
from SATSegmentLib.scans.dicom.headers import read_header
from SATSegmentLib.scans.dicom.read import choose
from SATSegmentLib.scans.read import checked_path
from SATSegmentLib.storage.dicom_series import SourceFrame, SourceSeries, match_series


def source_series(
    path: str | os.PathLike[str], grid: Grid, series: str | int | None = None, volume: int | None = None
) -> SourceSeries:
    """The images of a scan, in the order of its slices.

    Parameters
    ----------
    path : str | os.PathLike[str]
        Folder with the DICOM series, or multi-frame file: what the scan was read, or converted, from.
    grid : Grid
        The scan's; its axes may have another order than the series'.
    series, volume : str | int | None, optional
        Which series of the folder, and which volume of the series, as in `read_scan`.

    Raises
    ------
    ScanError
        No series, or several and none is chosen.
    GeometryError
        The images do not show the scan's voxels.
    """
    _, chosen, _ = choose(checked_path(path), series, volume)
    return _matched(chosen.frames, grid)


def source_files(paths: Sequence[str | os.PathLike[str]], grid: Grid) -> SourceSeries:
    """The images of a scan whose files are known; parameters and errors as `source_series`."""
    return _matched([frame for path in paths for frame in frames_of(read_header(checked_path(path)))], grid)


def _matched(frames: Sequence[Frame], grid: Grid) -> SourceSeries:
    headers: dict[str, Dataset] = {}
    return match_series([_source(frame, headers) for frame in frames], grid.shape_kji, grid.ijk_to_ras)


def _source(frame: Frame, headers: dict[str, Dataset]) -> SourceFrame:
    file = str(frame.header.path)
    if file not in headers:
        # Read again, whole: a scan is read by a part of its header, a result repeats who the patient is.
        headers[file] = pydicom.dcmread(file, stop_before_pixels=True)
    if frame.position is None or frame.orientation is None or frame.spacing is None:
        raise GeometryError(f"{frame.name} does not say where it lies.", "Export the series again.")
    return SourceFrame(headers[file], frame.number, frame.position, frame.orientation, frame.spacing)
