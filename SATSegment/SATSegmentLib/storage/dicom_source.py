"""From a DICOM path, or the files themselves, to the images that a result refers to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.scans.dicom.frames import Frame, frames_of
from SATSegmentLib.scans.dicom.headers import read_header
from SATSegmentLib.scans.dicom.read import choose, series_of
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
        Which series of the folder, and which volume of the series, as in `read_scan`; by default the one that shows
        the scan's voxels.

    Raises
    ------
    ScanError
        No series, or several and none is chosen.
    GeometryError
        The images do not show the scan's voxels.
    """
    path = checked_path(path)
    if series is None and volume is None:
        fitting = [one for one in map(partial(_fitting, grid=grid), _all_volumes(path)) if one is not None]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise GeometryError(
                f"{len(fitting)} volumes in {path} show the scan's voxels.",
                "Give the folder of the one that it was made from.",
            )
    _, chosen, _ = choose(path, series, volume)
    return _matched(chosen.frames, grid)


def _all_volumes(path: Path) -> Iterator[Sequence[Frame]]:
    """The frames of every volume of every series; series that cannot be read are passed over."""
    for one in series_of(path)[0]:
        with contextlib.suppress(ScanError):
            yield from (volume.frames for volume in one.volumes)


def _fitting(frames: Sequence[Frame], grid: Grid) -> SourceSeries | None:
    """The frames on the scan's grid; None where they do not show its voxels."""
    try:
        return _matched(frames, grid)
    except GeometryError:
        return None


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
