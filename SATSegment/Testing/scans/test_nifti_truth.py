"""What a NIfTI file does not say, or says badly, is not made up for it."""

from __future__ import annotations

import warnings

import nibabel
import numpy as np
import pytest

from SATSegmentLib.errors import SATSegmentWarning, ScanError
from SATSegmentLib.scans import read_scan

NOISE = np.random.default_rng(0).normal(50, 20, (11, 12, 13))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_voxels_that_are_no_numbers_are_refused_and_not_read_as_zero(tmp_path, dtype, suffix, bad):
    array = NOISE.astype(dtype)
    array[-1, -1, -1] = bad
    nibabel.Nifti1Image(array, np.eye(4)).to_filename(tmp_path / f"scan.{suffix}")
    with pytest.raises(ScanError, match="not numbers"):
        read_scan(tmp_path / f"scan.{suffix}")


def test_file_without_orientation_is_warned_about(tmp_path):
    image = nibabel.Nifti1Image(NOISE.astype(np.float32), None)
    image.header.set_qform(None, code=0)
    image.header.set_sform(None, code=0)
    image.to_filename(tmp_path / "scan.nii")
    with pytest.warns(SATSegmentWarning, match="left and right are a guess"):
        read_scan(tmp_path / "scan.nii")
    nibabel.Nifti1Image(NOISE.astype(np.float32), np.eye(4)).to_filename(tmp_path / "scan.nii")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_scan(tmp_path / "scan.nii")
