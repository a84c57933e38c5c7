"""Which other files a header may name: those in its own folder, and no others."""

from __future__ import annotations

from pathlib import Path

from SATSegmentLib.errors import ScanError


def beside(header: Path, name: str) -> Path:
    """The data file that a header names.

    Raises
    ------
    ScanError
        It lies outside of the header's folder, or is not there.
    """
    folder = header.parent.resolve()
    # Damaged headers name anything; what a terminal would obey is not shown.
    shown = "".join(letter if letter.isprintable() else "?" for letter in name[:80])
    try:
        found = (folder / name).resolve()
        inside = found.is_relative_to(folder)
        there = found.is_file()
    except (OSError, ValueError):
        inside = there = False
    if not inside:
        raise ScanError(
            f"{header} names a data file outside of its own folder ({shown}).",
            "Put both into one folder, and write the bare name into the header.",
        )
    if not there:
        raise ScanError(f"The voxels of {header} are missing: there is no {shown} beside it.", "Copy both files.")
    return found
