#!/usr/bin/env bash
# SimpleITK 2.5.7 (ITK's MetaImage reader) on valid MetaImage headers, whose fields the format describes:
#  1. DistanceUnits = cm is passed over: an edge of 2 cm becomes 2 mm, and volumes a thousandth;
#  2. ElementToIntensityFunctionSlope and -Offset are passed over: values come as they are stored;
#  3. a negative ElementSpacing turns the axis round in the direction matrix, without a word: what the header's
#     TransformMatrix calls left is right in the image.
# Expected by most: the first two are applied as NIfTI's and DICOM's are, and the third is an error as a negative spacing
# is elsewhere in ITK. Exits with 1 where any of this is no longer so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet SimpleITK==2.5.7 numpy
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
import SimpleITK as sitk

VOLUME = np.arange(480, dtype="<i2").reshape(6, 8, 10)


def read(**changes: str) -> sitk.Image:
    fields = {
        "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "0 0 0", "ElementSpacing": "2 2 3", "DimSize": "10 8 6",
        "ElementType": "MET_SHORT", **changes, "ElementDataFile": "LOCAL",
    }
    with open("scan.mha", "wb") as file:
        file.write("".join(f"{key} = {value}\n" for key, value in fields.items()).encode() + VOLUME.tobytes())
    return sitk.ReadImage("scan.mha")


units = read(DistanceUnits="cm").GetSpacing()
scaled = sitk.GetArrayFromImage(read(ElementToIntensityFunctionSlope="2", ElementToIntensityFunctionOffset="-3"))
turned = read(ElementSpacing="-2 2 3")
print(f"DistanceUnits = cm: spacing {units}")
print(f"slope 2, offset -3: values up to {scaled.max()}, stored up to {VOLUME.max()}")
print(f"ElementSpacing = -2 2 3: spacing {turned.GetSpacing()}, direction {turned.GetDirection()}")
as_seen = units == (2, 2, 3) and np.array_equal(scaled, VOLUME)
as_seen &= turned.GetSpacing() == (2, 2, 3) and turned.GetDirection() == (-1, 0, 0, 0, 1, 0, 0, 0, 1)
sys.exit(0 if as_seen else 1)
PY
