"""Segmentations out: the files of the command line.

The writers load slicerio when they are called, so importing this is cheap.
"""

from SATSegmentLib.storage.segmentation import WrittenSegmentation, write_segmentation

__all__ = ["WrittenSegmentation", "write_segmentation"]
