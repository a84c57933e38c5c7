"""Results into a file of any of the formats that are written."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from SATSegmentLib.errors import OutputError
from SATSegmentLib.storage.formats import Format, format_of
from SATSegmentLib.storage.segmentation import write_segmentation
from SATSegmentLib.storage.written import NO_DETAILS, Algorithm, Details, WrittenSegmentation
from SATSegmentLib.types import Image, SegmentResult

if TYPE_CHECKING:
    from SATSegmentLib.storage.dicom_series import SourceSeries


@dataclass(frozen=True)
class DicomSource:
    """Where the DICOM images of a scan are.

    Attributes
    ----------
    path : str | os.PathLike[str]
        Folder with the series, or multi-frame file.
    series : str | int | None
        Which series of the folder, as in `read_scan`.
    volume : int | None
        Which volume of the series, as in `read_scan`.
    """

    path: str | os.PathLike[str]
    series: str | int | None = None
    volume: int | None = None


def check_source(chosen: Format, source: DicomSource | None) -> None:
    """Refuse DICOM results of a scan whose DICOM images are not known; asked before the work.

    Raises
    ------
    OutputError
    """
    if chosen == "seg.nrrd":
        return
    if source is None:
        raise _no_source()
    _writer(chosen)


def _no_source() -> OutputError:
    return OutputError(
        "A DICOM result refers to the DICOM images it was made from, and the scan is not DICOM.",
        "Segment the DICOM series itself, name it (--dicom-source; the column dicom_source in a "
        "cohort's list), or write a .seg.nrrd.",
    )


def write_results(
    path: str | os.PathLike[str],
    image: Image,
    results: Sequence[SegmentResult],
    algorithm: Algorithm,
    *,
    format_name: str | None = None,
    source: SourceSeries | None = None,
    details: Details = NO_DETAILS,
    overwrite: bool = False,
) -> WrittenSegmentation:
    """Write results, whole or not at all.

        source = find_source("chest.dcm", image, DicomSource("chest/"))
        write_results("chest.dcm", image, answer.results, Algorithm("SAT-Pro", "0.1.0"), source=source)

    Parameters
    ----------
    path : str | os.PathLike[str]
        File to write.
    image : Image
        The scan; its voxels are not used.
    results : Sequence[SegmentResult]
        Of the scan.
    algorithm : Algorithm
        What made them.
    format_name : str | None, optional
        "seg.nrrd", "dicomseg", "dicomseg-labelmap", "dicomseg-fractional" or "rtstruct"; by default what the ending
        says.
    source : SourceSeries | None, optional
        The scan's DICOM images, which DICOM results need; from `find_source`.
    details : Details, optional
        What is known of single results beside that; said in DICOM results.
    overwrite : bool, optional
        Whether an older file may be replaced.

    Raises
    ------
    OutputError
        The format needs something that is missing, or see `atomic_path`.
    """
    chosen = format_of(path, format_name)
    if chosen == "seg.nrrd":
        return write_segmentation(path, image, results, algorithm=algorithm.name, overwrite=overwrite)
    if source is None:
        raise _no_source()
    return _writer(chosen)(path, source, results, algorithm, details=details, overwrite=overwrite)


def find_source(
    path: str | os.PathLike[str], image: Image, source: DicomSource | None, format_name: str | None = None
) -> SourceSeries | None:
    """The DICOM images that a result at this path refers to; None where its format refers to none. Before the work.

    Raises
    ------
    OutputError, ScanError, GeometryError
        They are not known, cannot be read, or do not show the scan's voxels.
    """
    chosen = format_of(path, format_name)
    check_source(chosen, source)
    if chosen == "seg.nrrd" or source is None:
        return None
    from SATSegmentLib.grid.grid import Grid
    from SATSegmentLib.storage.dicom_source import source_series

    return source_series(source.path, Grid.of(image), source.series, source.volume)


def _writer(chosen: Format) -> Callable[..., WrittenSegmentation]:
    try:
        if chosen == "rtstruct":
            import contourpy  # noqa: F401 - so that its lack is said before the work

            from SATSegmentLib.storage.rtstruct import write_rtstruct

            return write_rtstruct
        import highdicom  # noqa: F401

        from SATSegmentLib.storage.dicom_seg import write_dicom_seg, write_label_map, write_probabilities
    except ModuleNotFoundError as error:
        raise OutputError(
            f"DICOM results are written with the package {error.name}, which is not installed.",
            "pip install 'satsegment[dicom]'",
        ) from error
    kinds = {"dicomseg-labelmap": write_label_map, "dicomseg-fractional": write_probabilities}
    return kinds.get(chosen, write_dicom_seg)
