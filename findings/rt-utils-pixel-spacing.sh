#!/usr/bin/env bash
# rt-utils 1.2.7, which many segmentation pipelines write RTSTRUCT with, on valid CT series:
#  1. the two values of Pixel Spacing are exchanged: with 1 mm between rows and 0.5 mm between columns, a box from
#     column 5 to 30 and row 10 to 20 is written from x = 5 to 30 and y = 5 to 10 mm; it lies at x = 2.5 to 15 and y = 10 to 20;
#  2. slices are taken to be evenly spaced: of four at 0, 3, 6 and 15 mm the contours are written at 0, 5, 10 and 15 mm,
#     each with the UID of a slice that it does not lie in.
# It reads its own file back as the same mask, so a round trip shows nothing, and neither is warned about. Expected by
# most: contours in the patient's coordinates, as the standard says. Exits with 1 where this is no longer so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet rt-utils==1.2.7 pydicom==3.0.2 numpy
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import os
import sys

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from rt_utils import RTStructBuilder

MASK = np.zeros((40, 40, 4), bool)
MASK[10:21, 5:31] = True


def write_series(folder, spacing, heights):
    os.makedirs(folder)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    for number, z in enumerate(heights):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
        ds.PatientName = ds.PatientID = ds.PatientBirthDate = ds.PatientSex = ""
        ds.StudyDate = ds.StudyTime = ds.StudyID = ds.AccessionNumber = ""
        ds.Modality, ds.InstanceNumber, ds.SliceThickness = "CT", number + 1, 3
        ds.PixelSpacing, ds.ImagePositionPatient = list(spacing), [0, 0, z]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 40, 40, 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
        ds.RescaleSlope, ds.RescaleIntercept = 1, 0
        ds.PixelData = np.zeros((40, 40), np.uint16).tobytes()
        ds.save_as(f"{folder}/{number}.dcm", enforce_file_format=True)


def round_trip(folder, spacing, heights):
    write_series(folder, spacing, heights)
    made = RTStructBuilder.create_new(dicom_series_path=folder)
    made.add_roi(mask=MASK, name="box")
    made.save(f"{folder}.dcm")
    (roi,) = made.ds.ROIContourSequence
    points = np.concatenate([np.reshape(one.ContourData, (-1, 3)) for one in roi.ContourSequence]).astype(float)
    read = RTStructBuilder.create_from(dicom_series_path=folder, rt_struct_path=f"{folder}.dcm")
    return points, bool((read.get_roi_mask_by_name("box") == MASK).all())


square, square_back = round_trip("square", (1, 1), (0, 3, 6, 9))
flat, flat_back = round_trip("flat", (1, 0.5), (0, 3, 6, 9))
uneven, uneven_back = round_trip("uneven", (1, 1), (0, 3, 6, 15))
print("square pixels: ", square.min(0), square.max(0), "read back the same:", square_back)
print("1 x 0.5 mm:    ", flat.min(0), flat.max(0), "read back the same:", flat_back)
print("uneven slices: ", np.unique(uneven[:, 2]), "read back the same:", uneven_back)
seen = (
    square.min(0).tolist() == [5, 10, 0] and square.max(0).tolist() == [30, 20, 9],
    flat.min(0).tolist() == [5, 5, 0] and flat.max(0).tolist() == [30, 10, 9],
    np.unique(uneven[:, 2]).tolist() == [0, 5, 10, 15],
    square_back and flat_back and uneven_back,
)
sys.exit(0 if all(seen) else 1)
PY
# Seen:
#   square pixels:  [ 5. 10.  0.] [30. 20.  9.] read back the same: True
#   1 x 0.5 mm:     [5. 5. 0.] [30. 10.  9.] read back the same: True
#   uneven slices:  [ 0.  5. 10. 15.] read back the same: True
