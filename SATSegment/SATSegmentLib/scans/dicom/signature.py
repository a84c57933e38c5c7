"""Is a file DICOM? Told from its first bytes, without any library."""

from __future__ import annotations

from pathlib import Path


def is_dicom(path: Path) -> bool:
    """Whether the file's first bytes are those of a DICOM file; old ones lack the marker and begin with group 8."""
    with path.open("rb") as stream:
        start = stream.read(132)
    if start[128:] == b"DICM":
        return True
    # Group 0008, a small element, then a value representation of two capitals or a short length.
    if len(start) < 8 or start[:2] != b"\x08\x00" or start[3] != 0:
        return False
    return (start[4:6].isalpha() and start[4:6].isupper()) or 0 < int.from_bytes(start[4:8], "little") < 256
