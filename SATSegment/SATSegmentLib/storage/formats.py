"""The formats that results are written in, and which one a file's name asks for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, get_args

from SATSegmentLib.errors import OutputError

Format = Literal["seg.nrrd", "dicomseg", "dicomseg-labelmap", "dicomseg-fractional", "rtstruct"]
FORMATS: tuple[Format, ...] = get_args(Format)
_SUFFIX = {"seg.nrrd": ".seg.nrrd"}
_DICOM_SUFFIX = ".dcm"


def format_of(path: str | os.PathLike[str], name: str | None = None) -> Format:
    """The format of a file to write: the one that is named, or what its ending says (.dcm is a DICOM SEG).

    Raises
    ------
    OutputError
        Ending and format do not fit, or neither says which is meant.
    """
    file = Path(path).name
    if name is None:
        found: Format | None = next((one for one in FORMATS if file.lower().endswith(suffix_of(one))), None)
        if found is None:
            raise OutputError(f"{file} does not end in .seg.nrrd or .dcm.", "Name it like brain.seg.nrrd or brain.dcm.")
        return found
    chosen = next((one for one in FORMATS if one == name), None)
    if chosen is None:
        raise OutputError(f"{name!r} is not a format of results.", f"Choose one of {', '.join(FORMATS)}.")
    ending = suffix_of(chosen)
    if not file.lower().endswith(ending):
        raise OutputError(f"{file} does not end in {ending}, as {chosen} files do.", f"Name it like brain{ending}.")
    return chosen


def suffix_of(one: Format) -> str:
    """What the names of a format's files end in."""
    return _SUFFIX.get(one, _DICOM_SUFFIX)
