"""Scans in, segmentations out: the files of the command line.

The readers and writers load SimpleITK and slicerio when they are called, so importing this is cheap.
"""

from SATSegmentLib.storage.atomic import atomic_path, write_report
from SATSegmentLib.storage.scan import read_scan
from SATSegmentLib.storage.segmentation import WrittenSegmentation, write_segmentation
from SATSegmentLib.storage.style import SegmentStyle, segment_id

__all__ = [
    "SegmentStyle",
    "WrittenSegmentation",
    "atomic_path",
    "read_scan",
    "segment_id",
    "write_report",
    "write_segmentation",
]
