"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from SATSegmentLib.errors import OutputError, SATSegmentError

# How much of a name its temporary path ends with.
KEPT_OF_NAME = 40
_LONGEST_NAME = 255
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def atomic_path(target: str | os.PathLike[str], *, overwrite: bool = False, folder: bool = False) -> Iterator[Path]:
    """A temporary path beside `target` that becomes `target` when the block ends without an error.

    Whatever happens inside the block, an older file of that name stays as it was until the new
    one is complete, and nothing half-written is left behind.

        with atomic_path("brain.json") as temporary:
            temporary.write_text("{}")

    Parameters
    ----------
    target : str | os.PathLike[str]
        Where the file (or folder) is to be. `~` is expanded. The temporary name ends like
        the target's, so that libraries which choose a format by suffix choose the same one.
    overwrite : bool, optional
        Whether an existing target may be replaced.
    folder : bool, optional
        The target is a folder; the temporary path is then an empty folder.

    Raises
    ------
    OutputError
        The target exists and may not be replaced, its folder is missing or cannot be
        written to, or the disk is full.
    """
    target = Path(target).expanduser()
    check_target(target, overwrite=overwrite, folder=folder)
    # Beside the target, because only within one file system is a rename atomic. Its last letters only: with more in
    # front of it, a long name would be too long for the disk.
    temporary = target.with_name(f".{secrets.token_hex(6)}.{target.name[-KEPT_OF_NAME:]}")
    try:
        if folder:
            temporary.mkdir()
        yield temporary
        _flush_to_disk(temporary)
        _share_as_usual(temporary)
        _move_into_place(temporary, target)
    except OSError as error:
        raise _output_error(error, target) from error
    finally:
        _remove(temporary)


def write_report(path: str | os.PathLike[str], report: Mapping[str, Any], *, overwrite: bool = False) -> Path:
    """Write `report` as JSON (UTF-8, indented), whole or not at all; returns the path.

    Raises
    ------
    OutputError
        As for `atomic_path`.
    """
    # Serialised first: a value that JSON does not know must not cost the older report.
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path).expanduser()


def check_target(target: Path, *, overwrite: bool = False, folder: bool = False) -> None:
    """Refuse a place where nothing could be written, before anybody works for it.

    Parameters
    ----------
    target : Path
        As `atomic_path` takes them; `~` is expanded.
    overwrite : bool, optional
        As `atomic_path` takes them; `~` is expanded.
    folder : bool, optional
        As `atomic_path` takes them; `~` is expanded.

    Raises
    ------
    OutputError
        As for `atomic_path`; also for a name that the disk does not take.
    """
    target = target.expanduser()
    parent = target.parent
    try:
        too_long = len(os.fsencode(target.name)) > os.pathconf(parent, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # no such question on Windows, or no such folder
        too_long = len(target.name) > _LONGEST_NAME
    if too_long:
        raise OutputError(f"The name {target.name[:40]}... is too long for the disk.", "Choose a shorter name.")
    if not parent.is_dir():
        raise OutputError(f"The folder {parent} does not exist.", "Create it, or choose another place.")
    if target.is_dir() and not folder:
        raise OutputError(f"{target} is a folder.", "Give the name of a file inside it.")
    if folder and target.exists() and not target.is_dir():
        raise OutputError(f"{target} is a file.", "Give the name of a folder.")
    # A link that leads nowhere is somebody's, too.
    if os.path.lexists(target) and not overwrite:
        raise OutputError(
            f"{target} already exists.", "Choose another name, or allow it to be overwritten (--overwrite)."
        )
    if not os.access(parent, os.W_OK):
        raise OutputError(f"The folder {parent} cannot be written to.", "Choose a folder that you may write to.")


def _flush_to_disk(temporary: Path) -> None:
    # A full network share may say so only when the data is forced out.
    files = [temporary] if temporary.is_file() else [p for p in temporary.rglob("*") if p.is_file()]
    for file in files:
        with file.open("rb+") as handle:
            os.fsync(handle.fileno())


def _share_as_usual(temporary: Path) -> None:
    """Give the files the rights that any new file has here: some libraries (safetensors) keep theirs to one user, and
    a model folder that was made for a whole site would open for nobody else.
    """
    if os.name != "posix":
        return
    probe = temporary.with_name(f".{secrets.token_hex(6)}")
    probe.touch()
    usual = stat.S_IMODE(probe.stat().st_mode)
    probe.unlink()
    for file in [temporary] if temporary.is_file() else [p for p in temporary.rglob("*") if p.is_file()]:
        file.chmod(usual)


def _move_into_place(temporary: Path, target: Path) -> None:
    if not target.is_dir():
        os.replace(temporary, target)
        return
    # A folder cannot replace a folder that has files in it: the old one steps aside first, and comes back on failure.
    aside = target.with_name(f".{secrets.token_hex(6)}.{target.name[-KEPT_OF_NAME:]}.old")
    os.replace(target, aside)
    try:
        os.replace(temporary, target)
    except OSError:
        os.replace(aside, target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


E = TypeVar("E", bound=SATSegmentError)


def unreadable(kind: type[E], path: Path, error: OSError) -> E:
    """The error for a file of a model that is there, or was a moment ago, and cannot be read.

    It is not damaged: nobody is to convert or download it again for that.

    Parameters
    ----------
    kind : type
        Of the error.
    path : Path
        The file.
    error : OSError
        What the system says.
    """
    name = f"{path.parent.name}/{path.name}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return kind(f"No permission to read {name}.", "Ask its owner, or an administrator, for permission.")
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
        return kind(f"{name} is not there any more.", "It was moved, deleted or replaced meanwhile: choose it again.")
    reason = error.strerror or error
    return kind(f"{name} cannot be read: {reason}.", "Check the disk, or the network share, that it is on.")


@contextlib.contextmanager
def reading_folder(kind: type[SATSegmentError], folder: Path) -> Iterator[None]:
    """Turn what the system says of any file of a folder into `unreadable`; a lack of memory stays what it is."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise
        raise unreadable(kind, Path(error.filename or folder), error) from error


def check_readable(kind: type[SATSegmentError], path: Path) -> None:
    """Refuse a file that cannot be opened as `unreadable`, before a library calls it damaged."""
    with reading_folder(kind, path):
        path.open("rb").close()


def is_disk_full(error: BaseException | None) -> bool:
    """Whether a disk that is full, or a quota that is used up, is the reason of an error."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    return False


def _output_error(error: OSError, target: Path) -> OutputError:
    if error.errno in _FULL:
        return OutputError(
            f"The disk is full: {target} could not be written.",
            "Free some space, or choose another disk. A file that was there before is unchanged.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"No permission to write {target}.", "Choose a folder that you may write to.")
    return OutputError(f"{target} could not be written: {error.strerror or error}.", "Choose another place.")
