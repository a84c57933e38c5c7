#!/usr/bin/env bash
# SimpleITK 2.5.7 (GDCM) on valid enhanced multi-frame DICOM and on MONOCHROME1:
#  1. frames are stacked in the order of the file, whatever the Plane Position of each says: shuffled frames give a
#     shuffled volume, with a spacing of 1 mm and without an error or a warning;
#  2. where frames are missing in the middle, the slice spacing it reports is 1 mm, not the real one, and it reads on;
#  3. the first frame's Rescale Slope is applied to every frame, though each has a Pixel Value Transformation of its own;
#  4. a MONOCHROME1 image is inverted, although Photometric Interpretation says how to show values, not what they are.
# pydicom's headers of the same files hold the right answer. Exits with 1 where any of this is no longer so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet SimpleITK==2.5.7 pydicom==3.0.2 numpy
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset


def item(**attributes):
    one = Dataset()
    for keyword, value in attributes.items():
        setattr(one, keyword, value)
    return one


def write(path, order, slopes, photometric="MONOCHROME2"):
    """An Enhanced MR file whose frame n has the value 10 + n everywhere and lies at 2.5 mm times n."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = pydicom.uid.EnhancedMRImageStorage, pydicom.uid.generate_uid()
    data.StudyInstanceUID = data.SeriesInstanceUID = data.FrameOfReferenceUID = "1.2.826.0.1.3680043.2.1125.1"
    data.Modality, data.InstanceNumber, data.NumberOfFrames = "MR", 1, len(order)
    data.Rows = data.Columns = 4
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, photometric
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    shared = Dataset()
    shared.PlaneOrientationSequence = [item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    shared.PixelMeasuresSequence = [item(PixelSpacing=[1, 1], SliceThickness=2.5)]
    data.SharedFunctionalGroupsSequence = [shared]
    data.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 2.5 * n])],
            PixelValueTransformationSequence=[item(RescaleSlope=slope, RescaleIntercept=0, RescaleType="US")],
        )
        for n, slope in zip(order, slopes)
    ]
    data.PixelData = b"".join(np.full((4, 4), 10 + n, np.uint16).tobytes() for n in order)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.save_as(path, enforce_file_format=True)


def read(path):
    image = sitk.ReadImage(path)
    return image.GetSpacing(), [float(piece.mean()) for piece in sitk.GetArrayFromImage(image)]


print("SimpleITK", sitk.Version_VersionString())
write("even.dcm", [0, 1, 2, 3, 4, 5], [1] * 6)
write("shuffled.dcm", [0, 3, 1, 4, 2, 5], [1] * 6)
write("gap.dcm", [0, 1, 2, 5, 6, 7], [1] * 6)
write("slopes.dcm", [0, 1, 2, 3, 4, 5], [1, 2, 1, 2, 1, 2])
write("inverted.dcm", [0, 1, 2, 3, 4, 5], [1] * 6, "MONOCHROME1")
found = {name: read(f"{name}.dcm") for name in ("even", "shuffled", "gap", "slopes", "inverted")}
for name, (spacing, values) in found.items():
    print(f"{name:9} spacing {spacing}, frames {values}")
right = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]
checks = {
    "an even file is read": found["even"][1] == right and abs(found["even"][0][2] - 2.5) < 1e-6,
    "shuffled frames stay shuffled": found["shuffled"][1] == [10.0, 13.0, 11.0, 14.0, 12.0, 15.0],
    "a gap becomes a spacing of 1 mm": found["gap"][0][2] == 1.0 and len(found["gap"][1]) == 6,
    "the first slope is given to all": found["slopes"][1] == right,
    "MONOCHROME1 is inverted": found["inverted"][1] == [4095.0 - value for value in right],
}
for words, holds in checks.items():
    print("yes" if holds else "NO ", words)
sys.exit(not all(checks.values()))
PY
