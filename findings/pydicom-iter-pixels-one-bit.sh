#!/usr/bin/env bash
# pydicom 3.0.2 on a valid DICOM Segmentation of one bit per pixel (BINARY) with frames of 7 x 5 pixels, which do not end on
# a byte: in DICOM such frames follow each other without padding.
#  1. all frames at once (`Dataset.pixel_array`) are right;
#  2. one at a time, the last of three frames raises ValueError ("cannot reshape array of size 34 into shape (7,5)"), with
#     `pixel_array(..., index=2)` and with `iter_pixels`; `index=0` is right. Frames of 8 x 8 pixels are right in all ways.
# Expected by most: the ways differ in memory, not in what they can read. Exits with 1 where this is no longer so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pydicom==3.0.2 numpy
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import io
import sys

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import iter_pixels, pack_bits, pixel_array


def segmentation(rows: int, columns: int) -> tuple[np.ndarray, io.BytesIO]:
    """Three frames of random bits, and the file."""
    bits = (np.random.default_rng(0).random((3, rows, columns)) < 0.5).astype(np.uint8)
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = pydicom.uid.SegmentationStorage, pydicom.uid.generate_uid()
    data.Rows, data.Columns, data.NumberOfFrames = rows, columns, 3
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 1, 1, 0
    data.PixelData = pack_bits(bits)
    data["PixelData"].VR = "OB"
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    file.seek(0)
    return bits, file


def tried(frames, bits: np.ndarray) -> str:
    try:
        return "right" if np.array_equal(frames(), bits) else "wrong"
    except ValueError as error:
        return str(error)


def outcome(rows: int, columns: int) -> list[str]:
    bits, file = segmentation(rows, columns)
    data = pydicom.dcmread(file)
    return [
        tried(lambda: data.pixel_array, bits),
        tried(lambda: pixel_array(data, index=0), bits[0]),
        tried(lambda: pixel_array(data, index=2), bits[2]),
        tried(lambda: list(iter_pixels(data)), bits),
    ]


even, odd = outcome(8, 8), outcome(7, 5)
for size, found in (("8 x 8", even), ("7 x 5", odd)):
    ways = zip(("all at once", "index=0", "index=2", "iter_pixels"), found, strict=True)
    print(f"{size}: " + "; ".join(f"{way}: {what}" for way, what in ways))
print(f"pydicom {pydicom.__version__}")
as_seen = even == ["right"] * 4 and odd[:2] == ["right"] * 2 and all("reshape" in one for one in odd[2:])
sys.exit(0 if as_seen else 1)
PY
