"""Segmentations out: the files of the command line.

The writers load slicerio when they are called, so importing this is cheap.
"""

from SATSegmentLib.storage.segmentation import write_segmentation
from SATSegmentLib.storage.write import DicomSource, find_source, write_results
from SATSegmentLib.storage.written import Algorithm, WrittenSegmentation

__all__ = ["Algorithm", "DicomSource", "WrittenSegmentation", "find_source", "write_results", "write_segmentation"]
