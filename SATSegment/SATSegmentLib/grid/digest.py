"""What a scan is called by its content: the same name in the feature cache and on the way to a server."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

from SATSegmentLib.grid.grid import VoxelArray

# A scan is hashed, and sent, in pieces of this size: pieces are hashed side by side, and a piece that was lost is sent
# again.
CHUNK_BYTES = 1 << 23


def in_memory_order(array: np.ndarray) -> tuple[np.ndarray, bool]:
    """The voxels in the order in which they lie in memory: a copy in another order would take longer than the digest.

    Returns
    -------
    tuple of np.ndarray and bool
        A C-contiguous array, and whether it is the transpose of what was given.
    """
    transposed = bool(array.flags.f_contiguous and not array.flags.c_contiguous)
    return np.ascontiguousarray(array.T if transposed else array), transposed


def content_of(array: np.ndarray) -> memoryview:
    """The bytes of a C-contiguous array."""
    return array.reshape(-1).view(np.uint8).data


def chunks(array: np.ndarray) -> Iterator[memoryview]:
    """The bytes of a C-contiguous array, piece by piece."""
    content = content_of(array)
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]


def chunk_digest(chunk: bytes | bytearray | memoryview) -> bytes:
    """SHA-256 of one piece."""
    return hashlib.sha256(chunk).digest()


def digest_of(image: VoxelArray) -> str:
    """The name of a scan: of its voxels, their type and order in memory, and where they are. 64 hexadecimal digits."""
    array, transposed = in_memory_order(image.array)
    pieces = list(chunks(array))
    content = hashlib.sha256(f"{array.dtype.str} {array.shape} {transposed}".encode())
    content.update(np.asarray(image.ijk_to_ras, dtype="<f8").tobytes())
    for digest in _pool().map(chunk_digest, pieces) if len(pieces) > 1 else map(chunk_digest, pieces):
        content.update(digest)
    return content.hexdigest()


@cache
def _pool() -> ThreadPoolExecutor:
    """Hashing gives other threads the interpreter."""
    return ThreadPoolExecutor(min(os.cpu_count() or 1, 4), thread_name_prefix="digest")
