"""The demonstration head gives the same millilitres in whatever form a scanner or an archive hands it over."""

from __future__ import annotations

import functools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from helpers.dicom_files import Slice, write_classic, write_enhanced
from SATSegmentLib import Image, Prompt, Segmenter
from SATSegmentLib.errors import GeometryError
from SATSegmentLib.resources import resource_path
from SATSegmentLib.scans import read_scan

NAMES = ("brainstem", "left putamen", "right cerebellum")
TILT = np.tan(np.deg2rad(12.0))


@functools.cache
def head() -> Image:
    return read_scan(resource_path("Demo/itk_t1.nii.gz"))


@functools.cache
def millilitres(path: Path) -> tuple[float, ...]:
    found = Segmenter.load("demo").segment(read_scan(path), [Prompt(name, "mri") for name in NAMES])
    return tuple(result.volume_ml for result in found)


def slices() -> list[Slice]:
    """The head's slices in LPS, stored values as they are."""
    image = head()
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.ijk_to_ras
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    orientation = (affine[:3, :2] / spacing[:2]).T.ravel()
    stored = np.rint(image.array).astype(np.int16)
    return [
        Slice(piece, affine[:3, 3] + k * affine[:3, 2], orientation=orientation, spacing=(spacing[1], spacing[0]))
        for k, piece in enumerate(stored)
    ]


def monochrome1(*arguments: Any) -> None:
    data: Dataset = arguments[-1]
    data.PhotometricInterpretation = "MONOCHROME1"


def classic(folder: Path) -> Path:
    write_classic(folder, slices()[::-1], modality="MR")
    return folder


def classic_monochrome1(folder: Path) -> Path:
    write_classic(folder, slices(), modality="MR", edit=monochrome1)
    return folder


def enhanced(folder: Path) -> Path:
    return write_enhanced(folder / "a.dcm", slices(), modality="MR")


def enhanced_interleaved(folder: Path) -> Path:
    return write_enhanced(folder / "a.dcm", [*slices()[::2], *slices()[1::2]], modality="MR")


def enhanced_backwards_monochrome1(folder: Path) -> Path:
    return write_enhanced(folder / "a.dcm", slices()[::-1], modality="MR", edit=monochrome1)


def enhanced_with_own_slopes(folder: Path) -> Path:
    made = slices()
    for k, one in enumerate(made):
        one.slope = 0.5 if k % 2 else 1.0
        one.stored = one.stored if one.slope == 1 else (one.stored * 2).astype(np.int16)
    return write_enhanced(folder / "a.dcm", made, modality="MR")


@pytest.mark.long
@pytest.mark.parametrize(
    "form",
    [
        classic, classic_monochrome1, enhanced, enhanced_interleaved, enhanced_backwards_monochrome1,
        enhanced_with_own_slopes,
    ],
)  # fmt: skip
def test_every_form_gives_the_same_millilitres(tmp_path: Path, form: Any) -> None:
    wanted = millilitres(resource_path("Demo/itk_t1.nii.gz"))
    np.testing.assert_allclose(millilitres(form(tmp_path)), wanted, rtol=0.01)


@pytest.mark.parametrize(
    "form",
    [
        classic, classic_monochrome1, enhanced, enhanced_interleaved, enhanced_backwards_monochrome1,
        enhanced_with_own_slopes,
    ],
)  # fmt: skip
def test_every_form_holds_the_same_voxels_at_the_same_places(tmp_path: Path, form: Any) -> None:
    found, wanted = read_scan(form(tmp_path)), head()
    k, j, i = np.meshgrid(*(np.arange(0, n, 7) for n in found.array.shape), indexing="ij")
    places = found.ijk_to_ras @ np.stack([i.ravel(), j.ravel(), k.ravel(), np.ones(i.size)])
    index = np.linalg.solve(wanted.ijk_to_ras, places)[:3]
    assert np.abs(index - np.rint(index)).max() < 0.01
    i2, j2, k2 = np.rint(index).astype(int)
    np.testing.assert_allclose(
        found.array[k.ravel(), j.ravel(), i.ravel()], np.rint(wanted.array)[k2, j2, i2], atol=1e-3
    )


@pytest.mark.long
def test_the_tilted_head_gives_the_same_millilitres_or_a_refusal(tmp_path: Path) -> None:
    """Slices of a tilted gantry: the head resampled onto a sheared stack."""
    import SimpleITK

    image = head()
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.ijk_to_ras
    straight = SimpleITK.GetImageFromArray(np.ascontiguousarray(image.array.astype(np.float32)))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    straight.SetSpacing(spacing.tolist())
    straight.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    straight.SetOrigin(affine[:3, 3].tolist())
    step = affine[:3, 2] + affine[:3, 1] / spacing[1] * spacing[2] * TILT
    made = []
    for k, one in enumerate(slices()):
        position = affine[:3, 3] + k * step - affine[:3, 1] * 15
        rows, columns = one.stored.shape[0] + 30, one.stored.shape[1]
        plane = SimpleITK.Image([columns, rows, 1], SimpleITK.sitkFloat32)
        plane.SetSpacing(spacing.tolist())
        plane.SetDirection(straight.GetDirection())
        plane.SetOrigin(position.tolist())
        sampled = SimpleITK.GetArrayFromImage(SimpleITK.Resample(straight, plane))[0]
        made.append(Slice(np.rint(sampled).astype(np.int16), position, one.orientation, one.spacing))
    write_classic(tmp_path, made, modality="MR")
    wanted = millilitres(resource_path("Demo/itk_t1.nii.gz"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = millilitres(tmp_path)
        except GeometryError:
            return
    np.testing.assert_allclose(found, wanted, rtol=0.03)
