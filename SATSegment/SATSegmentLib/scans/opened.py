"""A scan file that is open: where its voxels are is known, and they are read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SATSegmentLib.types import Doubt


@dataclass(frozen=True, eq=False)
class OpenScan:
    """A file's header, checked.

    Attributes
    ----------
    path : Path
        The file.
    kind : str
        Its format, in words.
    size_ijk : tuple[int, int, int]
        Voxels along I, J, K.
    frames : int
        Number of volumes; 1 where it is 3-D.
    ijk_to_ras : np.ndarray
        4x4 affine in millimetres; not yet checked for right angles.
    doubts : tuple[Doubt, ...]
        What the header leaves open.
    load : Callable[[int], np.ndarray]
        Reads one frame, counted from 0, as a KJI array.
    """

    path: Path
    kind: str
    size_ijk: tuple[int, int, int]
    frames: int
    ijk_to_ras: np.ndarray
    doubts: tuple[Doubt, ...]
    load: Callable[[int], np.ndarray]
