"""Segmentations out: the files of the command line.

The writers load slicerio when they are called, so importing this is cheap.
"""

from SATSegmentLib.storage.segmentation import write_segmentation
from SATSegmentLib.storage.written import WrittenSegmentation

__all__ = ["WrittenSegmentation", "write_segmentation"]
