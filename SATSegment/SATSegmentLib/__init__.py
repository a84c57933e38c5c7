"""SATSegment: text-prompted segmentation of CT, MRI and PET.

Importing this package is cheap: torch comes in only when `Segmenter` is first touched.

    from SATSegmentLib import Image, Prompt, Segmenter
    segmenter = Segmenter.load("demo")
    results = segmenter.segment(image, [Prompt("left putamen", "mri")])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from SATSegmentLib.types import Image, Progress, Prompt, SegmentResult

if TYPE_CHECKING:
    from SATSegmentLib.inference.segmenter import Segmenter

__version__ = "0.1.0"
__all__ = ["Image", "Progress", "Prompt", "SegmentResult", "Segmenter"]


def __getattr__(name: str) -> Any:
    if name == "Segmenter":
        from SATSegmentLib.inference.segmenter import Segmenter

        return Segmenter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
