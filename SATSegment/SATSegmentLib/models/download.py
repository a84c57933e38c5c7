"""Files of a Hugging Face repository into a folder: checked, and going on where a download stopped.

Runs in a process of its own, because a connection that hangs can only be ended with its process.
huggingface_hub knows the addresses, redirects, proxies and checksums; since its version 2 it no longer goes on
with a file that an earlier process left half-done, and 5.9 GB over a hospital's line want that. So the parts
are kept here, named after the checksum of the file they belong to.
"""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from SATSegmentLib.errors import Cancelled, OutputError, SATSegmentError
from SATSegmentLib.types import Progress

_PART = ".part"
# SHA-256 of a large file, or git's own SHA-1 of a small one.
_CHECKSUM = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
_SPEED_SECONDS = 5.0
_REPORT_SECONDS = 0.2
_HASH_BYTES = 1 << 22
_BLOCK_BYTES = 1 << 18
# FAT32 refuses a file beyond 4 GB with "file too large"; for the user that is a disk that cannot take it.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DownloadError(SATSegmentError):
    """A file could not be fetched."""


@dataclass(frozen=True)
class Wanted:
    """One file to fetch.

    Attributes
    ----------
    repository : str
        "owner/name".
    path : str
        Of the file in the repository.
    optional : bool
        No error where the repository lacks it.
    """

    repository: str
    path: str
    optional: bool = False


@dataclass(frozen=True)
class _Remote:
    wanted: Wanted
    url: str
    size: int
    checksum: str


def fetch(
    wanted: Sequence[Wanted],
    folder: Path,
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
    spare_bytes: int = 0,
) -> list[Path]:
    """Download the files to `folder`/repository/path; those that are there and right are not fetched again.

    Parameters
    ----------
    spare_bytes : int, optional
        Free disk space that is to remain when all is downloaded.

    Returns
    -------
    list[Path]
        The files, in order, without the optional ones that do not exist.

    Raises
    ------
    DownloadError
        The server cannot be reached, lacks a file, or sent a damaged one.
    OutputError
        The disk is full, or the folder cannot be written. What is downloaded so far is kept.
    Cancelled
        `cancel` said so; what is downloaded so far is kept.
    """
    remotes = [remote for one in wanted if (remote := _look_up(one)) is not None]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        targets = [folder / remote.wanted.repository / remote.wanted.path for remote in remotes]
        done = [_bytes_there(remote, target) for remote, target in zip(remotes, targets, strict=True)]
        meter = _Meter(sum(remote.size for remote in remotes), sum(done), progress, cancel)
        _check_room(folder, meter.left, spare_bytes)
        for remote, target in zip(remotes, targets, strict=True):
            _fetch_one(remote, target, meter)
    except OSError as error:
        raise _as_ours(error, folder) from error
    return targets


def _look_up(wanted: Wanted) -> _Remote | None:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    url = hf_hub_url(wanted.repository, wanted.path)
    try:
        # No token: the files are public, and nobody needs to know who fetches them.
        found = get_hf_file_metadata(url, token=False)
    except EntryNotFoundError as error:
        if wanted.optional:
            return None
        raise DownloadError(
            f"{wanted.repository} has no file {wanted.path}.",
            "Its authors may have moved it. Update SATSegment, or import the weights from a folder.",
        ) from error
    except Exception as error:  # every version of the library raises another kind, down to its HTTP library's
        raise _unreachable(urlsplit(url).netloc, error) from error
    if found.size is None:
        raise DownloadError(f"The server does not say how large {wanted.path} is.", "Try again later.")
    checksum = (found.etag or "").lower()
    if not _CHECKSUM.fullmatch(checksum):
        raise DownloadError(
            f"{urlsplit(url).netloc} does not say what {wanted.path} must contain (no checksum), so it could not be "
            "checked.",
            "A proxy may leave the checksum out. Try without it, or import the weights from a folder.",
        )
    return _Remote(wanted, found.location or url, found.size, checksum)


def _part_of(remote: _Remote, target: Path) -> Path:
    # Another upload under the same name has another checksum: its parts must not be joined.
    tag = hashlib.sha256(remote.checksum.encode()).hexdigest()[:12]
    return target.with_name(f"{target.name}.{tag}{_PART}")


def _bytes_there(remote: _Remote, target: Path) -> int:
    if target.is_file() and target.stat().st_size == remote.size:
        return remote.size
    part = _part_of(remote, target)
    return min(part.stat().st_size, remote.size) if part.is_file() else 0


def _fetch_one(remote: _Remote, target: Path, meter: _Meter) -> None:
    from huggingface_hub import constants
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    if target.is_file() and target.stat().st_size == remote.size and _is_right(remote, target, meter):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _part_of(remote, target)
    if part.is_file() and part.stat().st_size > remote.size:
        part.unlink()
    # The library's blocks of 10 MB would be lost at every cut, and a cancel would wait for one.
    constants.DOWNLOAD_CHUNK_SIZE = _BLOCK_BYTES
    with part.open("ab") as file:
        try:
            http_get(
                remote.url,
                cast(BinaryIO, _Counting(file, meter)),
                resume_size=file.tell(),
                headers=build_hf_headers(token=False),
                expected_size=remote.size,
            )
        except (OSError, SATSegmentError) as error:
            if isinstance(error, SATSegmentError) or error.errno in _FULL:
                raise
            raise _interrupted(remote, error) from error
        except Exception as error:
            raise _interrupted(remote, error) from error
    if not _is_right(remote, part, meter):
        part.unlink()
        raise DownloadError(
            f"{target.name} arrived damaged: its checksum is not the one its authors published.",
            "Nothing was installed. Download it again; if it happens again, a proxy may be changing the file.",
        )
    part.replace(target)


def _is_right(remote: _Remote, path: Path, meter: _Meter) -> bool:
    """SHA-256 for large files, git's own SHA-1 for small ones; that is what the hub publishes."""
    if len(remote.checksum) == 64:
        digest = hashlib.sha256()
    else:
        digest = hashlib.sha1(f"blob {remote.size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_HASH_BYTES):
            meter.check()
            digest.update(block)
    return digest.hexdigest() == remote.checksum


class _Counting:
    """A file that counts what is written to it, and stops when the user no longer wants it."""

    def __init__(self, file: BinaryIO, meter: _Meter) -> None:
        self._file = file
        self._meter = meter

    def write(self, block: bytes) -> int:
        self._meter.check()
        written = self._file.write(block)
        self._meter.add(len(block))
        return written

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def truncate(self) -> int:
        # The server could not go on where the file stopped, and begins anew.
        before = self._file.seek(0, 2)
        size = self._file.truncate(0)
        self._meter.add(-before)
        return size


class _Meter:
    """Bytes so far, their speed, and the time left."""

    def __init__(
        self,
        total: int,
        done: int,
        progress: Callable[[Progress], None] | None,
        cancel: Callable[[], bool] | None,
    ) -> None:
        self._total = max(total, 1)
        self._done = done
        self._progress = progress
        self._cancel = cancel
        self._marks = [(time.monotonic(), done)]
        self._reported = 0.0
        self._fraction = 0.0

    @property
    def left(self) -> int:
        return max(self._total - self._done, 0)

    def check(self) -> None:
        if self._cancel is not None and self._cancel():
            raise Cancelled

    def add(self, count: int) -> None:
        self._done += count
        now = time.monotonic()
        if self._progress is None or (now - self._reported < _REPORT_SECONDS and self.left):
            return
        self._reported = now
        self._marks.append((now, self._done))
        while len(self._marks) > 2 and now - self._marks[0][0] > _SPEED_SECONDS:
            self._marks.pop(0)
        since, before = self._marks[0]
        speed = max(self._done - before, 0) / (now - since) if now > since else 0.0
        self._fraction = max(self._fraction, min(self._done / self._total, 1.0))
        stage = f"{human_bytes(self._done)} of {human_bytes(self._total)}, {human_bytes(speed)}/s"
        self._progress(Progress(self._fraction, stage, self.left / speed if speed > 0 else None))


def human_bytes(count: float) -> str:
    """As disks are sold: "5.9 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit in ("B", "kB") else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("the last unit takes all")


def _check_room(folder: Path, needed: int, spare: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + spare:
        raise OutputError(
            f"The disk of {folder} has {human_bytes(free)} free; {human_bytes(needed + spare)} are needed.",
            "Free some space, or choose another folder for the weights in Settings.",
        )


def _unreachable(host: str, error: Exception) -> DownloadError:
    return DownloadError(
        f"{host} could not be reached ({type(error).__name__}: {_first_line(error)}).",
        "Check the network connection. Behind a proxy set HTTPS_PROXY before Slicer starts; without a network "
        "import the weights from a folder.",
    )


def _interrupted(remote: _Remote, error: Exception) -> DownloadError:
    return DownloadError(
        f"The download of {remote.wanted.path} was interrupted ({type(error).__name__}: {_first_line(error)}).",
        "What has arrived is kept. Download again to go on from there.",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no more is known"])[0]


def _as_ours(error: OSError, folder: Path) -> OutputError:
    if error.errno in _FULL:
        return OutputError(
            f"The disk of {folder} is full. What has arrived is kept.",
            "Free some space, then download again to go on; or choose another folder for the weights.",
        )
    return OutputError(
        f"{folder} cannot be written: {error.strerror or error}.", "Choose another folder for the weights in Settings."
    )
