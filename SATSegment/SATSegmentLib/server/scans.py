"""The scans that a server holds: in memory only, each on a lease, within a budget."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from SATSegmentLib.engine.api import EngineError
from SATSegmentLib.engine.transport.wire import LimitExceeded, NotKept
from SATSegmentLib.grid.digest import CHUNK_BYTES
from SATSegmentLib.server.limits import ServerLimits
from SATSegmentLib.types import Image


@dataclass(frozen=True, eq=False)
class ScanHead:
    """What a scan is, before its voxels have arrived.

    Attributes
    ----------
    dtype : np.dtype
        Of the voxels.
    shape : tuple of int
        In the order in which they lie in memory.
    transposed : bool
        Whether that is IJK and not KJI.
    ijk_to_ras : np.ndarray
        4x4.
    unit : str
        Of the values.
    """

    dtype: np.dtype
    shape: tuple[int, int, int]
    transposed: bool
    ijk_to_ras: np.ndarray
    unit: str = ""

    @property
    def nbytes(self) -> int:
        """Of the voxels."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(eq=False)
class StoredScan:
    """A scan, or as much of it as has arrived.

    Attributes
    ----------
    user, digest : str
        Whose it is, and what it is called.
    head : ScanHead
        What it is.
    arrived : list of bool
        Whether each piece is here.
    leased_at, used_at : float
        When its client last said something, and when something was last asked about it; monotonic clock.
    device : int or None
        Which device has its features.
    feature_bytes : int
        What they take there.
    runs : int
        How many runs are waiting or going on.
    leaving : bool
        Whether a client has let it go while runs need it: it goes when the last of them ends.
    """

    user: str
    digest: str
    head: ScanHead
    buffer: np.ndarray
    arrived: list[bool]
    leased_at: float = field(default_factory=time.monotonic)
    used_at: float = field(default_factory=time.monotonic)
    device: int | None = None
    feature_bytes: int = 0
    runs: int = 0
    leaving: bool = False
    _arriving: set[int] = field(default_factory=set)

    @property
    def missing(self) -> list[int]:
        """Numbers of the pieces that have not arrived."""
        return [number for number, here in enumerate(self.arrived) if not here]

    @property
    def complete(self) -> bool:
        """Whether all of it has arrived; whether it is what it was said to be, the engine checks."""
        return all(self.arrived)

    def piece_bytes(self, number: int) -> int:
        """How long a piece is.

        Raises
        ------
        EngineError
            There is no such piece.
        """
        if not 0 <= number < len(self.arrived):
            raise EngineError(f"The scan has {len(self.arrived)} pieces, and none of the number {number}.")
        return min(CHUNK_BYTES, self.head.nbytes - number * CHUNK_BYTES)

    def pieces_of(self, first: int, nbytes: int) -> range:
        """The pieces that so many bytes are, the first of which has this number.

        Raises
        ------
        EngineError
            There are no such pieces, or the bytes end in the middle of one.
        """
        length, end = self.piece_bytes(first), first + 1
        while length < nbytes and end < len(self.arrived):
            length, end = length + self.piece_bytes(end), end + 1
        if length != nbytes:
            raise EngineError(f"Pieces of the scan have {length} bytes and not {nbytes}.", "Send them again.")
        return range(first, end)

    @contextlib.contextmanager
    def room_for(self, pieces: range, nbytes: int, in_place: bool) -> Iterator[memoryview]:
        """Where pieces are received: their own place where that is free, which saves a copy; else a place apart."""
        if not in_place or any(self.arrived[number] or number in self._arriving for number in pieces):
            yield memoryview(bytearray(nbytes))
            return
        self._arriving.update(pieces)
        try:
            yield self._place(pieces.start, nbytes).data
        finally:
            self._arriving.difference_update(pieces)

    def put(self, pieces: range, content: bytes | memoryview) -> int:
        """Take in those of the pieces that are whole and missing; how many bytes they are."""
        taken, start = 0, 0
        for number in pieces:
            length = self.piece_bytes(number)
            part = np.frombuffer(content, np.uint8)[start : start + length]
            # A piece is not replaced that another client has brought: a run may be reading it.
            if len(part) == length and not self.arrived[number]:
                place = self._place(number, length)
                if not np.may_share_memory(place, part):
                    place[:] = part
                self.arrived[number] = True
                taken += length
            start += length
        return taken

    def _place(self, number: int, nbytes: int) -> np.ndarray:
        return self.buffer[number * CHUNK_BYTES : number * CHUNK_BYTES + nbytes]

    def image(self) -> Image:
        """The scan; its array is a view."""
        array = self.buffer.view(self.head.dtype).reshape(self.head.shape)
        array = array.T if self.head.transposed else array
        return Image(array, self.head.ijk_to_ras, unit=self.head.unit, digest=self.digest)


class ScanStore:
    """All scans of a server.

    Parameters
    ----------
    limits : ServerLimits
        How much it takes.
    on_gone : callable
        Gets each scan that leaves, so that its features leave, too.
    """

    def __init__(self, limits: ServerLimits, on_gone: Callable[[StoredScan], None]) -> None:
        self._limits, self._on_gone = limits, on_gone
        self._scans: dict[tuple[str, str], StoredScan] = {}

    def __len__(self) -> int:
        return len(self._scans)

    @property
    def nbytes(self) -> int:
        """Voxels of all scans."""
        return sum(scan.head.nbytes for scan in self._scans.values())

    def open(self, user: str, digest: str, head: ScanHead) -> StoredScan:
        """The user's scan of this name; room is made for it where it is new.

        Raises
        ------
        LimitExceeded
            It is too large, or there is no room.
        """
        found = self._scans.get((user, digest))
        if found is not None:
            _want(found)
            return found
        self._check_room(user, head.nbytes)
        try:
            buffer = np.empty(head.nbytes, np.uint8)
        except MemoryError as error:
            raise LimitExceeded("The server has no memory left for this scan.", "Try again later.") from error
        count = math.ceil(head.nbytes / CHUNK_BYTES)
        scan = StoredScan(user, digest, head, buffer, [False] * count)
        self._scans[user, digest] = scan
        return scan

    def get(self, user: str, digest: str) -> StoredScan:
        """The user's whole scan of this name.

        Raises
        ------
        NotKept
            It is not here, or not all of it.
        """
        found = self._scans.get((user, digest))
        if found is None:
            raise NotKept("The server does not have this scan, or no longer.", "Send it again.")
        _want(found)
        return found

    def whole(self, user: str, digest: str) -> StoredScan:
        """As `get`, only once all of it has arrived; marks it as used."""
        scan = self.get(user, digest)
        if not scan.complete:
            raise NotKept("The scan has not arrived as a whole.", "Send what is missing.")
        scan.used_at = time.monotonic()
        return scan

    def renew(self, user: str, digests: Iterable[str]) -> list[str]:
        """Lengthen the leases of a user's scans; which of them are here."""
        kept = [digest for digest in digests if (user, digest) in self._scans]
        for digest in kept:
            _want(self._scans[user, digest])
        return kept

    def release(self, scan: StoredScan) -> None:
        """Let a scan go, once no run needs it: the user's other clients may have runs of the same scan."""
        if scan.runs:
            scan.leaving = True
        else:
            self.remove(scan)

    def run_ended(self, scan: StoredScan) -> None:
        """A run on it has ended; where it was the last one of a scan that was let go, the scan goes."""
        scan.runs -= 1
        scan.used_at = time.monotonic()
        if scan.leaving and not scan.runs:
            self.remove(scan)

    def remove(self, scan: StoredScan) -> None:
        """Let a scan go that no run needs."""
        # By identity: a client may have begun to send the same scan again.
        if self._scans.get((scan.user, scan.digest)) is scan:
            del self._scans[scan.user, scan.digest]
            self._on_gone(scan)

    def sweep(self) -> None:
        """Let those go whose client has fallen silent, and those that nobody asks about."""
        now = time.monotonic()
        for scan in list(self._scans.values()):
            silent = now - scan.leased_at > self._limits.lease_seconds
            idle = now - scan.used_at > self._limits.idle_seconds
            if not scan.runs and (silent or idle):
                self.remove(scan)

    def others_have(self, scan: StoredScan) -> bool:
        """Whether another user has the same scan, and so the same features."""
        return any(digest == scan.digest and user != scan.user for user, digest in self._scans)

    def over_budget(self, user: str) -> list[StoredScan]:
        """Scans whose features are to go so that a user's voxels and features keep within the budget, oldest first."""
        own = [scan for scan in self._scans.values() if scan.user == user]
        used = sum(scan.head.nbytes + scan.feature_bytes for scan in own)
        going = []
        for scan in sorted(own, key=lambda one: one.used_at):
            if used <= self._limits.user_bytes:
                break
            if scan.feature_bytes and not scan.runs:
                used -= scan.feature_bytes
                going.append(scan)
        return going

    def _check_room(self, user: str, nbytes: int) -> None:
        limits = self._limits
        own = [scan for scan in self._scans.values() if scan.user == user]
        if nbytes > min(limits.scan_bytes, limits.user_bytes, limits.total_bytes):
            most = min(limits.scan_bytes, limits.user_bytes, limits.total_bytes)
            raise LimitExceeded(
                f"The scan has {_size(nbytes)} of voxels; this server takes {_size(most)}.",
                "Crop or resample the scan, or ask who runs the server.",
            )
        # What its owner has not used for longest makes room, as far as it is not in use.
        idle = sorted((scan for scan in own if not scan.runs and scan.complete), key=lambda one: one.used_at)
        while idle and (
            len(own) >= limits.user_scans or sum(one.head.nbytes for one in own) + nbytes > limits.user_bytes
        ):
            oldest = idle.pop(0)
            own.remove(oldest)
            self.remove(oldest)
        if len(own) >= limits.user_scans or sum(one.head.nbytes for one in own) + nbytes > limits.user_bytes:
            raise LimitExceeded("You have too many scans on this server at once.", "Wait for your other runs to end.")
        if self.nbytes + nbytes > limits.total_bytes:
            raise LimitExceeded("The server has no room for another scan now.", "Try again in some minutes.")


def _want(scan: StoredScan) -> None:
    """A client has asked for it: it stays, whoever else has let it go."""
    scan.leased_at, scan.leaving = time.monotonic(), False


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
