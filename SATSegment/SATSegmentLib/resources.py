"""Where the data files are that come with the code."""

from __future__ import annotations

from pathlib import Path

# In the source tree and in Slicer, Resources lies beside this package; in an installed wheel, inside it.
_PLACES = (Path(__file__).parent.parent / "Resources", Path(__file__).parent / "Resources")


def resource_path(relative: str) -> Path:
    """Absolute path of a file or folder in Resources.

    Raises
    ------
    FileNotFoundError
        This installation lacks it.
    """
    for place in _PLACES:
        path = place / relative
        if path.exists():
            return path
    raise FileNotFoundError(f"{relative} is missing from this installation of SATSegment; install it again.")
