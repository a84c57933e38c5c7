#!/usr/bin/env bash
# MONAI 1.6.1's `Spacing` (which SAT and most MONAI pipelines resample with) on one oblique NIfTI scan, saved by nibabel
# once with its sform and once with its qform: affines equal to 1e-6 mm, voxels the same.
#  1. The resampled grids differ: with the qform (rotation rebuilt in double precision) the first voxel stays in place,
#     with the sform (single precision) the grid is centred instead, a millimetre away here. Rounding near
#     1e-8 decides, because the first voxel is kept only where no other corner lies 1e-8 voxels below it.
#  2. A spacing of 0.9992 mm with pixdim=1 is not resampled: within 1e-3 the old spacing is kept, so the output says 0.9992.
# Expected by most: the same grid for the same scan, and pixdim as asked for. Exits with 1 where this is no longer so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet monai==1.6.1 nibabel==5.3.2 torch==2.13.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import nibabel
import numpy as np
from monai.transforms import LoadImage, Spacing

cosine, sine = np.cos(0.3), np.sin(0.3)
about_z = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
about_x = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
affine = np.eye(4)
affine[:3, :3] = about_z @ about_x @ np.diag([0.9, 0.9, 5.0])
affine[:3, 3] = (-31.7, 22.4, -57.9)
array = np.random.default_rng(0).normal(0, 100, (34, 38, 22)).astype(np.float32)
found = {}
for kind in ("sform", "qform"):
    image = nibabel.Nifti1Image(array, affine)
    image.set_sform(affine, 1 if kind == "sform" else 0)
    image.set_qform(affine, 1 if kind == "qform" else 0)
    nibabel.save(image, f"{kind}.nii.gz")
    loaded = LoadImage(image_only=True, ensure_channel_first=True)(f"{kind}.nii.gz")
    spaced = Spacing(pixdim=(1, 1, 3))(loaded)
    found[kind] = np.asarray(loaded.affine), np.asarray(spaced.affine)
header = np.abs(found["sform"][0] - found["qform"][0]).max()
apart = np.linalg.norm(found["sform"][1][:3, 3] - found["qform"][1][:3, 3])
kept = np.linalg.norm(found["qform"][1][:3, 3] - affine[:3, 3])
print(f"headers differ by {header:.1e} mm; the first voxels of the resampled grids lie {apart:.2f} mm apart")
print(f"with the qform the first voxel moved by {kept:.1e} mm")

almost = nibabel.Nifti1Image(array, np.diag([0.9992, 0.9992, 3.0, 1.0]))
nibabel.save(almost, "almost.nii.gz")
edges = np.linalg.norm(np.asarray(Spacing(pixdim=(1, 1, 3))(
    LoadImage(image_only=True, ensure_channel_first=True)("almost.nii.gz")).affine)[:3, :3], axis=0)
print(f"pixdim=(1, 1, 3) on 0.9992 mm gives {edges.round(4).tolist()}")
sys.exit(not (header < 1e-5 and apart > 0.1 and kept < 1e-4 and abs(edges[0] - 0.9992) < 1e-6))
PY
