"""A scan on its way to a server: in pieces, each sent again where it was lost, packed where the line is slow.

On a fast line several pieces go in one request: there, what surrounds a body costs as much as the body.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from SATSegmentLib.engine.transport.http import Connection
from SATSegmentLib.engine.transport.wire import MOST_PIECES
from SATSegmentLib.grid.digest import CHUNK_BYTES, content_of, in_memory_order
from SATSegmentLib.types import Image

T = TypeVar("T")

# While the server looks at one piece, the next is on the line.
AT_ONCE = 3
_MEGABYTE = 1e6
# No compressor of Python's own is faster than such a line (bytes a second), so nothing is tried.
_FAST_LINE = 200e6
_SAMPLE_BYTES = 1 << 17
# Packing must save so much to be worth the processor's time, which may be wanted for something else.
_LEAST_GAIN = 1.2


def send_scan(
    connection: Connection,
    image: Image,
    digest: str,
    route: str,
    retried: Callable[[Callable[[], Any]], Any],
    tell: Callable[[str], None],
) -> None:
    """Send a scan, or what is missing of it on the server.

    Parameters
    ----------
    connection : Connection
        The server.
    image : Image
        The scan; its voxels and their place are sent, and nothing that names a patient.
    digest : str
        Its name (`grid.digest.digest_of`).
    route : str
        Name of the scan that the run is of, for a cluster.
    retried : callable
        Does a request, again and again where the connection is lost.
    tell : callable
        Gets how far it has come, for people.

    Raises
    ------
    SATSegmentError
        As `Connection.call`.
    """
    array, transposed = in_memory_order(image.array)
    head = {
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        "transposed": transposed,
        "ijk_to_ras": np.asarray(image.ijk_to_ras, np.float64).tolist(),
        "unit": image.unit,
    }
    path, content = f"/v1/scans/{digest}", content_of(array)
    packer = Packer()
    missing = retried(lambda: connection.json("PUT", path, route=route, json=head))["missing"]

    def put(pieces: range) -> None:
        piece = content[pieces.start * CHUNK_BYTES : pieces.stop * CHUNK_BYTES]
        data, headers = packer.pack(piece) if len(pieces) == 1 else (piece, {})
        with packer.sending(len(data)):
            connection.call("PUT", f"{path}/chunks/{pieces.start}", route, data=data, headers=headers)

    waiting = _Waiting(missing)

    def work() -> None:
        try:
            while pieces := waiting.next(MOST_PIECES if packer.line_is_fast else 1):
                retried(lambda: put(pieces))
                done = len(content) * waiting.share_after(pieces) / _MEGABYTE
                tell(f"sending the scan: {done:.0f} of {len(content) / _MEGABYTE:.0f} MB")
        except BaseException:
            waiting.clear()
            raise

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="upload") as pool:
        for one in [pool.submit(work) for _ in range(min(AT_ONCE, len(missing)))]:
            one.result()


class _Waiting:
    """The pieces that nobody has begun to send; any thread may ask."""

    def __init__(self, missing: list[int]) -> None:
        self._numbers = deque(sorted(missing))
        self._count, self._done = len(missing), 0
        self._lock = threading.Lock()

    def next(self, most: int) -> range:
        """Pieces that lie one after the other: at most so many, and no more than leaves as many for each thread."""
        with self._lock:
            if not self._numbers:
                return range(0)
            most = min(most, math.ceil(len(self._numbers) / AT_ONCE))
            first = end = self._numbers[0]
            while self._numbers and self._numbers[0] == end < first + most:
                end = self._numbers.popleft() + 1
            return range(first, end)

    def share_after(self, pieces: range) -> float:
        """How much has been sent, these pieces included; 0 to 1."""
        with self._lock:
            self._done += len(pieces)
            return self._done / self._count

    def clear(self) -> None:
        """Have nothing more sent."""
        with self._lock:
            self._numbers.clear()


class Packer:
    """Packs pieces of a scan where that saves time: on a line that is slower than the compressor, and on no other.

    The first pieces go as they are, which tells how fast the line is; a sample of the voxels tells how fast they are
    packed, and how small they get.
    """

    def __init__(self) -> None:
        self._line = 0.0
        self._in_flight = 0
        self._lock = threading.Lock()
        self._rate, self._share = 0.0, 1.0

    @property
    def line_is_fast(self) -> bool:
        """Whether it is known to be faster than any compressor."""
        return self._line > _FAST_LINE

    def pack(self, piece: memoryview) -> tuple[bytes | memoryview, dict[str, str]]:
        """What is sent for a piece, and its headers."""
        if not self._saves_time(piece):
            return piece, {}
        return zlib.compress(piece, 1), {"Content-Encoding": "deflate"}

    @contextlib.contextmanager
    def sending(self, count: int) -> Iterator[None]:
        """Learn how fast the line is from so many bytes that are sent in this block."""
        with self._lock:
            self._in_flight += 1
            beside = self._in_flight
        began = time.perf_counter()
        try:
            yield
            # Those that are on the line at once share it.
            rate = beside * count / max(time.perf_counter() - began, 1e-6)
            self._line = 0.5 * (self._line + rate) if self._line else rate
        finally:
            with self._lock:
                self._in_flight -= 1

    def _saves_time(self, piece: memoryview) -> bool:
        if self._line == 0 or self.line_is_fast:
            return False
        if self._rate == 0:
            middle = max(len(piece) - _SAMPLE_BYTES, 0) // 2
            sample = piece[middle : middle + _SAMPLE_BYTES]
            began = time.perf_counter()
            self._share = len(zlib.compress(sample, 1)) / len(sample)
            self._rate = len(sample) / max(time.perf_counter() - began, 1e-6)
        packers = min(AT_ONCE, os.cpu_count() or 1)
        return min(packers * self._rate, self._line / self._share) > _LEAST_GAIN * self._line
