"""Which runs write into a cohort's folder now: no scan is written by two of them, whatever shares of a list they do."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from SATSegmentLib.errors import OutputError, SATSegmentWarning
from SATSegmentLib.files import KEPT_OF_NAME
from SATSegmentLib.scratch import try_lock

_RUN, _ENTRANCE = ".run-{}.lock", ".runs.lock"
# Clearing away what was left on a slow share may take a while.
_ENTRANCE_SECONDS = 300.0
_LEFTOVER = re.compile(r"\.[0-9a-f]{12}\.(?P<tail>.+?)(\.old)?$")


@contextlib.contextmanager
def held_scans(out: Path, folder: Path, names: Iterable[str]) -> Iterator[None]:
    """Keep other runs from writing these scans, and clear away what an earlier run left half-written of them.

    Each run has a file with the names of its scans, whose lock it holds for as long as it lives; one that was killed
    holds none.

    Parameters
    ----------
    out : Path
        Folder of the cohort's results.
    folder : Path
        The folder in it where scans are written.
    names : iterable of str
        Of the scans this run does.

    Raises
    ------
    OutputError
        Another run writes one of them, or the folder cannot be written to.
    """
    own = set(names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _enter(out, folder, own)
    except OSError as error:
        raise OutputError(f"{out} cannot be written to: {error.strerror}.", "Choose another folder.") from error
    try:
        yield
    finally:
        file.close()
        with contextlib.suppress(OSError):
            Path(file.name).unlink()


def _enter(out: Path, folder: Path, own: set[str]) -> IO[bytes]:
    """Make this run's file, its lock held."""
    with (out / _ENTRANCE).open("ab") as entrance:
        if not _is_let_in(entrance, out):
            return (out / _RUN.format(secrets.token_hex(6))).open("ab")
        others = _names_of_others(out)
        if both := sorted(own & others):
            more = f" and {len(both) - 1} more of these scans" if len(both) > 1 else ""
            raise OutputError(
                f"Another run is writing {both[0]}{more} into {out}.",
                "Wait for it, end it, or choose another --out.",
            )
        # Locked behind its content: where locks keep readers out (Windows), that can still be read.
        file = (out / _RUN.format(secrets.token_hex(6))).open("ab")
        file.write(json.dumps(sorted(own)).encode())
        file.flush()
        try_lock(file)
        _clear_leftovers(folder, own, others)
        return file


def _is_let_in(entrance: IO[bytes], out: Path) -> bool:
    """Wait until no other run is entering; False, with a warning, where the file system has no locks."""
    until = time.monotonic() + _ENTRANCE_SECONDS
    try:
        while not try_lock(entrance):
            if time.monotonic() > until:
                raise OutputError(f"Another run is starting in {out}, and does not go on.", "End it, and try again.")
            time.sleep(0.05)
    except OSError as error:
        warnings.warn(
            f"The file system of {out} has no locks ({error.strerror}): make sure that no other run writes the same "
            "scans there.",
            SATSegmentWarning,
            stacklevel=2,
        )
        return False
    return True


def _names_of_others(out: Path) -> set[str]:
    """The scans of all runs that live; the files of the others are removed."""
    names: set[str] = set()
    for path in out.glob(_RUN.format("*")):
        with contextlib.suppress(FileNotFoundError), path.open("ab") as file:
            if not try_lock(file):
                names |= set(json.loads(path.read_bytes()))
                continue
        with contextlib.suppress(OSError):
            path.unlink()
    return names


def _clear_leftovers(folder: Path, own: set[str], others: set[str]) -> None:
    """Remove what has this run's names and no other's: other runs write beside this one."""
    tails = {name[-KEPT_OF_NAME:] for name in own} - {name[-KEPT_OF_NAME:] for name in others}
    for path in folder.glob(".*"):
        match = _LEFTOVER.match(path.name)
        if match is not None and match["tail"] in tails:
            shutil.rmtree(path, ignore_errors=True)
