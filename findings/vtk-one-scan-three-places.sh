#!/usr/bin/env bash
# VTK 9.7.2 on one oblique scan that SimpleITK 2.5.7 wrote as MetaImage, NRRD and NIfTI; where the voxel with index
# (1, 2, 3) lies, in each reader's output (an image with an origin and a direction matrix):
#  1. vtkMetaImageReader takes TransformMatrix for its transpose: the volume is rotated by the same angle the other way.
#     vtkMetaImageWriter transposes it again, so VTK's own round trip is right and hides it.
#  2. vtkNrrdReader keeps the origin and leaves the directions out; a RAS origin is not turned into LPS either.
#  3. vtkNIFTIImageReader leaves both out of the image (they are in its QFormMatrix and SFormMatrix).
#  4. vtkNrrdReader makes a vector image of a scalar volume whose first axis has 9 voxels or fewer, whatever `kinds` says.
# None of it is warned about; pyvista.read is these readers. Expected by most: one scan, one place, or no place in all
# three. Exits with 1 where this is no longer so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet vtk==9.7.2 SimpleITK==2.5.7 numpy
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
import SimpleITK as sitk
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkIOImage import vtkMetaImageReader, vtkMetaImageWriter, vtkNIFTIImageReader, vtkNrrdReader

sitk.ProcessObject.SetGlobalWarningDisplay(False)
voxels = np.zeros((24, 22, 20), np.int16)
voxels[3, 2, 1] = 100
scan = sitk.GetImageFromArray(voxels)
scan.SetSpacing((2, 3, 4))
scan.SetOrigin((-10, -20, 30))
c, s = np.cos(0.3), np.sin(0.3)
scan.SetDirection((c, -s, 0, s, c, 0, 0, 0, 1))
place = scan.TransformIndexToPhysicalPoint((1, 2, 3))


def read(reader, name):
    reader.SetFileName(name)
    reader.Update()
    return reader.GetOutput()


def seen_at(image):
    return image.GetPoint(int(np.argmax(vtk_to_numpy(image.GetPointData().GetScalars()))))


readers = {"scan.mha": vtkMetaImageReader, "scan.nrrd": vtkNrrdReader, "scan.nii": vtkNIFTIImageReader}
images = {}
for name, reader in readers.items():
    sitk.WriteImage(scan, name)
    images[name] = read(reader(), name)
writer = vtkMetaImageWriter()
writer.SetInputData(images["scan.mha"])
writer.SetFileName("again.mha")
writer.Write()
again = sitk.ReadImage("again.mha").TransformIndexToPhysicalPoint((1, 2, 3))
with open("ras.nrrd", "wb") as file:
    header = "NRRD0004\ntype: short\ndimension: 3\nspace: right-anterior-superior\nsizes: 20 22 24\nendian: little\n"
    header += "space directions: (-2,0,0) (0,3,0) (0,0,4)\nspace origin: (10,20,30)\nencoding: raw\n\n"
    file.write(header.encode() + voxels.astype("<i2").tobytes())
of_ras = read(vtkNrrdReader(), "ras.nrrd").GetOrigin()
sitk.WriteImage(sitk.GetImageFromArray(np.zeros((24, 22, 9), np.int16)), "narrow.nrrd")
narrow = read(vtkNrrdReader(), "narrow.nrrd")

print("SimpleITK:            ", np.round(place, 2))
found = {name: np.array(seen_at(image)) for name, image in images.items()}
for name, point in found.items():
    print(f"{readers[name].__name__:22}", np.round(point, 2))
print("written again by VTK: ", np.round(again, 2))
print("origin of a RAS NRRD:  ", of_ras, "- in LPS it is (-10, -20, 30)")
print("9 x 22 x 24 voxels:    ", narrow.GetDimensions(), "of", narrow.GetNumberOfScalarComponents(), "components")
transposed = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) @ (2, 6, 12) + (-10, -20, 30)
as_seen = np.allclose(found["scan.mha"], transposed) and np.allclose(again, place)
as_seen &= np.allclose(found["scan.nrrd"], (-8, -14, 42)) and of_ras == (10, 20, 30)
as_seen &= np.allclose(found["scan.nii"], (2, 6, 12))
as_seen &= narrow.GetDimensions() == (22, 24, 1) and narrow.GetNumberOfScalarComponents() == 9
sys.exit(0 if as_seen else 1)
PY
# Seen:
#   SimpleITK:             [ -9.86 -13.68  42.  ]
#   vtkMetaImageReader     [ -6.32 -14.86  42.  ]
#   vtkNrrdReader          [ -8. -14.  42.]
#   vtkNIFTIImageReader    [ 2.  6. 12.]
#   written again by VTK:  [ -9.86 -13.68  42.  ]
#   origin of a RAS NRRD:   (10.0, 20.0, 30.0) - in LPS it is (-10, -20, 30)
#   9 x 22 x 24 voxels:     (22, 24, 1) of 9 components
