"""What strips that are convolved side by side take of the memory, counted as they are cut."""

from __future__ import annotations

import torch

from SATSegmentLib.sat.backbone import Triple
from SATSegmentLib.sat.backbones.streaming import direct, strips, winograd, workers


def working_bytes(channels: int, window: Triple, stored: torch.dtype, computed: torch.dtype) -> int:
    """Beside the maps, where two of so many channels and of the window's size are read together and one is overwritten.

    Parameters
    ----------
    channels : int
        Of either map.
    window : (int, int, int)
        Voxels.
    stored, computed : torch.dtype
        The precisions that maps are kept and convolved in.

    Returns
    -------
    int
        What all workers keep, and the borders of strips that are in work.
    """
    planes, rows, depth = window
    tiled = computed == torch.float32 and channels >= winograd.LEAST_CHANNELS
    if tiled:
        tile = computed.itemsize * winograd.SEEN**2 * (depth + 2) * 2 * channels
        space = max(winograd.STRIP_BYTES, tile)
        thick = winograd.TILE * (space // tile)
    else:
        seen = (direct.PLANES + 2) * 2 * channels * (depth + 2) * computed.itemsize
        weights = 27 * 2 * channels * channels * computed.itemsize
        lines = direct.LEAST_LINES * (depth + 2) * computed.itemsize if computed == torch.float32 else 0
        space = max(direct.STRIP_BYTES, weights, seen, lines)
        thick = space // seen
    along = -(-rows // thick)
    pieces = max(min(-(-strips.ENOUGH // along), planes // (2 * winograd.TILE)), 1)
    line = channels * depth * stored.itemsize
    borders = 2 * (pieces - 1) * rows * line
    count = workers.count()
    return borders + count * (_SPACES * space + 2 * (planes // pieces) * line)


# Inputs, what they become and outputs, as multiples of the bytes that a strip is cut for.
_SPACES = 4
