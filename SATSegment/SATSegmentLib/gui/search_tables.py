"""The tables behind the popup, read in a thread: neither the panel's opening nor a key waits for them."""

from __future__ import annotations

import threading

from SATSegmentLib import anatomy
from SATSegmentLib.types import Modality

_read: set[Modality] = set()


def areRead(modality: Modality) -> bool:
    """Whether a search in this modality would find its tables in memory."""
    return modality in _read


def read(modality: Modality) -> None:
    """Read them now."""
    try:
        anatomy.preload(modality)
    finally:
        # Where they cannot be read, the next search says so to the user; a thread cannot.
        _read.add(modality)


def readInBackground(modality: Modality) -> None:
    """Read them in a thread: plain Python, no Qt and no MRML is touched."""
    if not areRead(modality):
        threading.Thread(target=read, args=(modality,), daemon=True).start()
