"""SATSegment: text-prompted segmentation of CT, MRI and PET.

Importing this package is cheap: each name is imported when it is first touched, torch only with `Segmenter`.

    from SATSegmentLib import Image, Prompt, Segmenter
    segmenter = Segmenter.load("demo")
    results = segmenter.segment(image, [Prompt("left putamen", "mri")])

On a computer without torch, `Segmenter.connect(URL)` still asks a server.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from SATSegmentLib.engine.api import RunListener, RunOptions
    from SATSegmentLib.inference.segmenter import Segmenter
    from SATSegmentLib.types import Image, Progress, Prompt, SegmentResult

# GNU's OpenMP, which PyTorch has on Linux, lets a thread that has nothing to do spin for milliseconds, and so take the
# core that another one needs. It reads this once, when torch is imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__version__ = "0.1.0"
__all__ = ["Image", "Progress", "Prompt", "RunListener", "RunOptions", "SegmentResult", "Segmenter"]

_HOMES = {
    "Image": "types",
    "Progress": "types",
    "Prompt": "types",
    "RunListener": "engine.api",
    "RunOptions": "engine.api",
    "SegmentResult": "types",
    "Segmenter": "inference.segmenter",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if name != "Segmenter" or error.name != "torch":
            raise
        value = importlib.import_module(f"{__name__}.engine.remote_segmenter").RemoteSegmenter
    globals()[name] = value
    return value
