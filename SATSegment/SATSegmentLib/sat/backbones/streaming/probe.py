"""How fast this machine convolves, measured on a piece of a layer small enough not to be felt."""

from __future__ import annotations

import math

from SATSegmentLib.sat.backbone import Triple
from SATSegmentLib.sat.backbones.blocks import ConvBlock
from SATSegmentLib.sat.backbones.streaming import slabs
from SATSegmentLib.sat.backbones.streaming.sources import Map
from SATSegmentLib.sat.backbones.streaming.winograd import TILE
from SATSegmentLib.sat.timing import seconds_of

# A piece of this much work tells the rate. Of a small window it is a 25th: of less, what each layer takes once would be
# too large a part.
_PROBE_MACS = 5e9
_PROBE_SHARE = 0.04
# A GPU does that before it has been told of it: a piece that is worth the telling, and still some milliseconds.
_GPU_PROBE_MACS = 2e11
_PROBE_PLANES = 4 * TILE
# PyTorch uses a path ten times slower for smaller pieces (channels times planes times rows).
_PROBE_LINES = 24_000
# The whole encoder's rate over that of its busiest layer.
_WHOLE_OVER_BUSIEST = 0.8


def convolution_rate(block: ConvBlock, shape: Triple, window_macs: int) -> float:
    """Multiply-accumulate operations per second of a window, judged by its busiest layer.

    Parameters
    ----------
    block : ConvBlock
        The layer.
    shape : (int, int, int)
        Voxels of the map it makes.
    window_macs : int
        Of a whole window.
    """
    x, y, z = shape
    weight = block.conv.weight
    on_gpu = weight.device.type == "cuda"
    work = min(_GPU_PROBE_MACS if on_gpu else _PROBE_MACS, _PROBE_SHARE * window_macs)
    planes = min(x if on_gpu else _PROBE_PLANES, x)
    line = weight.numel() * planes * z
    least = _PROBE_LINES / (weight.shape[1] * planes)
    rows = min(TILE * math.ceil(max(work / line, least) / TILE), y)
    outputs, inputs = weight.shape[:2]
    piece, made = (slabs.empty(weight, channels, planes, rows, z).fill_(1) for channels in (inputs, outputs))
    seconds = seconds_of(lambda: slabs.convolve(Map(piece), block, made), weight.device)
    return _WHOLE_OVER_BUSIEST * rows * line / seconds
