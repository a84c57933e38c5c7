"""The folders that an agent may read scans from and write results to; every other path is refused."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from SATSegmentLib.errors import SATSegmentError


class NotAllowed(SATSegmentError):
    """A path outside the allowed folders, or one that leads out of them."""


class Folders:
    """Allowed folders.

    Parameters
    ----------
    folders : iterable of Path
        They must exist.

    Raises
    ------
    NotAllowed
        One of them is not a folder.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._roots = []
        for folder in folders:
            root = folder.expanduser()
            if not root.is_dir():
                raise NotAllowed(f"{folder} is not a folder.", "Name folders that exist.")
            self._roots.append(root.resolve(strict=True))

    def scan(self, path: str) -> Path:
        """A file or folder that may be read, with all that is in it.

        Raises
        ------
        NotAllowed
            It lies outside, is not there, or is or holds a link.
        """
        found = self._inside(path)
        if not found.exists():
            raise _refused()
        if found.is_dir():
            for folder, names, files in os.walk(found, followlinks=False):
                if any(os.path.islink(os.path.join(folder, name)) for name in (*names, *files)):
                    raise NotAllowed("The folder holds links, which are not followed.", "Copy the files themselves.")
        return found

    def result(self, path: str) -> Path:
        """A file that may be written: it is not there yet, and its folder is.

        Raises
        ------
        NotAllowed
            It lies outside, or is there already.
        """
        found = self._inside(path)
        if os.path.lexists(found):
            raise NotAllowed("There is a file of this name already.", "Choose another name.")
        if not found.parent.is_dir():
            raise NotAllowed("The folder of the result is not there.", "Choose a folder that exists.")
        return found

    def _inside(self, path: str) -> Path:
        """The path under its allowed folder; relative ones are looked for in each of them."""
        if not path or "\0" in path:
            raise _refused()
        given = Path(path)
        if ".." in given.parts:
            raise _refused()
        candidates = [given] if given.is_absolute() else [root / given for root in self._roots]
        inside = [one for one in candidates if self._leads_in(one)]
        if not inside:
            raise _refused()
        return next((one for one in inside if one.exists()), inside[0])

    def _leads_in(self, path: Path) -> bool:
        for root in self._roots:
            if path.is_relative_to(root):
                # No part below the allowed folder may be a link: where it leads to can change at any time.
                steps = [root.joinpath(*path.relative_to(root).parts[:n]) for n in range(1, len(path.parts) + 1)]
                return not any(step.is_symlink() for step in steps)
        return False


def _refused() -> NotAllowed:
    # The same words whatever is outside: not even whether it exists is told.
    return NotAllowed(
        "This path is not in an allowed folder, or is not there.", "Use a path inside one of the allowed folders."
    )
