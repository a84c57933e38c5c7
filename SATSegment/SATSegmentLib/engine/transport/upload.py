"""A scan on its way to a server: in pieces, each sent again where it was lost, packed where the line is slow."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from SATSegmentLib.engine.transport.http import Connection
from SATSegmentLib.grid.digest import chunks, in_memory_order
from SATSegmentLib.types import Image

T = TypeVar("T")

# Packing costs more time than it saves on a line that is faster than this (bytes a second).
_FAST_LINE = 60e6
_MEGABYTE = 1e6
_AT_ONCE = 2


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
    path = f"/v1/scans/{digest}"
    packer = Packer()
    pieces = list(chunks(array))
    missing = retried(lambda: connection.json("PUT", path, route=route, json=head))["missing"]

    def put(number: int) -> None:
        data, headers, began = packer.pack(pieces[number])
        connection.call("PUT", f"{path}/chunks/{number}", route, data=data, headers=headers)
        packer.sent(len(pieces[number]), bool(headers), time.monotonic() - began)

    def put_again(number: int) -> None:
        retried(lambda: put(number))

    # Several at once: while the server looks at one, the next is on the line.
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="upload") as pool:
        try:
            for done, _ in enumerate(pool.map(put_again, missing), 1):
                whole = array.nbytes / _MEGABYTE
                tell(f"sending the scan: {whole * done / len(missing):.0f} of {whole:.0f} MB")
        finally:
            pool.shutdown(cancel_futures=True)


class Packer:
    """Packs pieces of a scan where that saves time: on a slow line, and not on a fast one.

    The first piece goes as it is, the second packed where the line is slow; then whichever way has been faster.
    """

    def __init__(self) -> None:
        self._plain = self._packed = 0.0

    def pack(self, piece: memoryview) -> tuple[bytes | memoryview, dict[str, str], float]:
        """What is sent for a piece, its headers, and when that began."""
        began = time.monotonic()
        if self._plain == 0 or self._plain > (self._packed or _FAST_LINE):
            return piece, {}, began
        return zlib.compress(piece, 1), {"Content-Encoding": "deflate"}, began

    def sent(self, count: int, packed: bool, seconds: float) -> None:
        """Learn from how long a piece of so many bytes took, packing and all."""
        rate = count / max(seconds, 1e-6)
        if packed:
            self._packed = 0.5 * (self._packed + rate) if self._packed else rate
        else:
            self._plain = 0.5 * (self._plain + rate) if self._plain else rate
