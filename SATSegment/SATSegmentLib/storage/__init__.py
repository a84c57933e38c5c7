"""Scans in, segmentations out: the files of the command line.

The readers and writers load SimpleITK and slicerio when they are called, so importing this is cheap.
"""

from SATSegmentLib.storage.scan import read_scan
from SATSegmentLib.storage.segmentation import WrittenSegmentation, write_segmentation

__all__ = ["WrittenSegmentation", "read_scan", "write_segmentation"]
