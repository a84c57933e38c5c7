"""Scans in: the readers of DICOM, NIfTI, NRRD and MetaImage.

Importing this is cheap: the libraries that read files are loaded when a reader is called.
"""

from SATSegmentLib.scans.read import read_scan

__all__ = ["read_scan"]
