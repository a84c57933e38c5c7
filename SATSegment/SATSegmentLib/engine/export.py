"""Results of a scan as a DICOM file, written where the packages for it are: in the child process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from SATSegmentLib.errors import ScanError
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.storage.written import Algorithm, ResultDetails
from SATSegmentLib.types import SegmentResult


@dataclass(frozen=True, eq=False)
class ExportRequest:
    """Results to write.

    Attributes
    ----------
    path : str
        The file to write; one that is there is replaced.
    format : str
        One of `storage.formats.FORMATS` that is DICOM.
    files : tuple of str
        The DICOM files of the scan.
    shape_kji, ijk_to_ras : tuple of int, np.ndarray
        The scan's grid.
    results : tuple of SegmentResult
        What is written; empty ones are left out.
    details : tuple of ResultDetails
        Of each result.
    algorithm : Algorithm
        What made the results that do not say so themselves.
    """

    path: str
    format: str
    files: tuple[str, ...]
    shape_kji: tuple[int, int, int]
    ijk_to_ras: np.ndarray
    results: tuple[SegmentResult, ...]
    details: tuple[ResultDetails, ...]
    algorithm: Algorithm


@dataclass(frozen=True)
class ExportAnswer:
    """What was written: the ids of the segments in the file, and the names of what was not found and left out."""

    segment_ids: tuple[str, ...]
    not_found: tuple[str, ...]


def export(request: ExportRequest) -> ExportAnswer:
    """Write the file, whole or not at all.

    Raises
    ------
    ScanError
        A DICOM file is gone or damaged.
    GeometryError
        The files do not show the voxels of the scan.
    OutputError
        Nothing was found, a package is missing, or the file cannot be written.
    """
    from SATSegmentLib.storage.dicom_source import source_files
    from SATSegmentLib.storage.write import write_results
    from SATSegmentLib.types import Image

    if not request.files:
        raise ScanError("No DICOM files of the scan are known.", "Load it from the DICOM database.")
    series = source_files(request.files, Grid(request.shape_kji, request.ijk_to_ras))
    # DICOM results take the place from the series; of the image nothing is needed.
    image = Image(np.broadcast_to(np.int16(0), request.shape_kji), request.ijk_to_ras)
    details = {result.prompt: known for result, known in zip(request.results, request.details, strict=True)}
    written = write_results(
        request.path,
        image,
        request.results,
        request.algorithm,
        format_name=request.format,
        source=series,
        details=details,
        overwrite=True,
    )
    return ExportAnswer(written.segment_ids, written.not_found)
