"""RT Structure Sets as plastimatch reads them: an independent reader, which fills contours on the series' slices."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from helpers.dicom_results import ALGORITHM, ORIENTATIONS, result_of, source_frames, to_ras
from helpers.dicom_series import SPACING, lps_affine, write_classic
from SATSegmentLib.storage.dicom_series import match_series
from SATSegmentLib.storage.rtstruct import write_rtstruct

SHAPE = (16, 60, 74)  # slices, rows, columns: no two alike
SMALLEST_ML, LEAST_DICE = 1.0, 0.98


def ellipsoid(center: tuple[float, ...], radii: tuple[float, ...]) -> np.ndarray:
    axes = np.ogrid[tuple(slice(n) for n in SHAPE)]
    return sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, center, radii, strict=True)) < 1


MASKS = {
    "Liver": ("liver", ellipsoid((7.5, 28, 36), (6, 20, 26)) & ~ellipsoid((7.5, 28, 40), (3, 7, 9))),  # with a hole
    "Spleen": ("spleen", ellipsoid((8, 15, 58), (5, 9, 10))),
    "Kidney_L": ("left kidney", ellipsoid((6, 47, 12), (4, 7, 6)) | ellipsoid((6, 30, 8), (2, 4, 5))),  # two pieces
}


def expected(mask: np.ndarray, image: sitk.Image, ijk_to_lps: np.ndarray) -> np.ndarray:
    """The mask on plastimatch's own grid, by the nearest voxel: it gives a tilted series straight axes."""
    shape = image.GetSize()[::-1]
    places = np.eye(4)
    places[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    places[:3, 3] = image.GetOrigin()
    kji = np.indices(shape).reshape(3, -1)
    i, j, k = np.rint((np.linalg.inv(ijk_to_lps) @ places @ [*kji[::-1], np.ones(kji.shape[1])])[:3]).astype(int)
    inside = (i >= 0) & (j >= 0) & (k >= 0) & (i < SHAPE[2]) & (j < SHAPE[1]) & (k < SHAPE[0])
    found = np.zeros(kji.shape[1], bool)
    found[inside] = mask[k[inside], j[inside], i[inside]]
    return found.reshape(shape)


@pytest.mark.skipif(shutil.which("plastimatch") is None, reason="plastimatch (a Debian package) is not installed")
@pytest.mark.parametrize("tilt", [0.0, 0.9])
@pytest.mark.parametrize("name", ORIENTATIONS)
def test_plastimatch_marks_the_same_voxels(tmp_path, name, tilt):
    affine = lps_affine(SHAPE, ORIENTATIONS[name], tilt=tilt)
    order = np.random.default_rng(2).permutation(SHAPE[0])
    write_classic(tmp_path / "ct", np.zeros(SHAPE, int), affine, order)
    series = match_series(source_frames(tmp_path / "ct"), SHAPE, to_ras(affine))
    write_rtstruct(tmp_path / "rt.dcm", series, [result_of(mask, text) for text, mask in MASKS.values()], ALGORITHM)
    command = ["plastimatch", "convert", "--input", tmp_path / "rt.dcm", "--referenced-ct", tmp_path / "ct"]
    command += ["--output-prefix", tmp_path / "out", "--prefix-format", "nrrd"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.stem for path in (tmp_path / "out").iterdir()} == set(MASKS)
    for region, (_, mask) in MASKS.items():
        assert mask.sum() * SPACING[0] * SPACING[1] * 2.5 / 1000 > SMALLEST_ML
        image = sitk.ReadImage(str(tmp_path / "out" / f"{region}.nrrd"))
        found, wanted = sitk.GetArrayFromImage(image) > 0, expected(mask, image, affine)
        dice = 2 * (found & wanted).sum() / (found.sum() + wanted.sum())
        print(f"{region} {dice:.4f}")
        assert dice >= (1.0 if tilt == 0 else LEAST_DICE)
