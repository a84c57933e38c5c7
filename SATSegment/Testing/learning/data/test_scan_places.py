"""A scan to train on says where it lies, and masks that other programs saved beside it are accepted."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.grid.placing import place
from SATSegmentLib.learning.data.scan_files import header_grid, image_grid
from SATSegmentLib.types import Image

VOXELS = np.random.default_rng(0).integers(0, 900, (5, 6, 7)).astype(np.int16)


def save(path, sform=None, qform=None, kind=nibabel.Nifti1Image):
    image = kind(VOXELS, None)
    if kind is not nibabel.AnalyzeImage:
        image.header.set_sform(sform, int(sform is not None))
        image.header.set_qform(qform, int(qform is not None))
    image.to_filename(path)
    return path


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.AnalyzeImage])
def test_a_scan_without_sides_is_refused_for_training(tmp_path, kind):
    path = save(tmp_path / ("a.img" if kind is nibabel.AnalyzeImage else "a.nii.gz"), kind=kind)
    with pytest.raises(ScanError, match="sides learnt from it would be a guess") as caught:
        image_grid(path)
    assert caught.value.remedy
    header_grid(path)  # a mask's own sides are compared with the scan's


def test_a_mask_that_nibabel_saved_beside_a_scan_of_two_transforms_lies_on_it(tmp_path):
    shifted = np.diag([1.0, 1.5, 3.0, 1.0])
    shifted[:3, 3] = (4, 5, 6)
    scan = save(tmp_path / "scan.nii", np.diag([1.0, 1.5, 3.0, 1.0]), shifted)
    image = nibabel.load(scan)
    nibabel.Nifti1Image((VOXELS > 400).astype(np.uint8), image.affine).to_filename(tmp_path / "mask.nii")
    grid, frames = header_grid(tmp_path / "mask.nii")
    assert frames == 1
    placed = place(Image((VOXELS > 400).T, grid.ijk_to_ras), image_grid(scan))
    np.testing.assert_array_equal(placed.array, (VOXELS > 400).T)


def test_transforms_that_mirror_each_other_are_refused_for_training(tmp_path):
    with pytest.raises(GeometryError, match="mirror"):
        image_grid(save(tmp_path / "a.nii", np.diag([1.0, 1, 1, 1]), np.diag([-1.0, 1, 1, 1])))
