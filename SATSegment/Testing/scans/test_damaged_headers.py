"""Whatever stands in a damaged header: the scan is read or refused, and never falls over."""

from __future__ import annotations

import random
import shutil
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from helpers.dicom_files import stack, write_classic, write_enhanced
from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.scans import read_scan

VOXELS = np.random.default_rng(0).integers(-500, 500, (5, 6, 7)).astype(np.int16)
NAMES = {
    "a.nii": 400,
    "b.nii": 600,
    "c.nii.gz": 400,
    "d.nrrd": 400,
    "e.mha": 400,
    "f.mha": 400,
    "g.dcm": 3500,
    "series": 900,
}
ROUNDS = 30


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    nibabel.Nifti1Image(VOXELS, np.eye(4)).to_filename(folder / "a.nii")
    nibabel.Nifti2Image(VOXELS, np.eye(4)).to_filename(folder / "b.nii")
    nibabel.Nifti1Image(VOXELS, np.eye(4)).to_filename(folder / "c.nii.gz")
    image = SimpleITK.GetImageFromArray(VOXELS)
    for name, packed in (("d.nrrd", False), ("e.mha", False), ("f.mha", True)):
        SimpleITK.WriteImage(image, str(folder / name), packed)
    write_enhanced(folder / "g.dcm", stack(VOXELS))
    write_classic(folder / "series", stack(VOXELS))
    return folder


def damage(content: bytearray, head: int, rng: random.Random) -> bytearray:
    """Bytes changed, left out, put in, or cut off."""
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(min(head, len(content)))
        kind = rng.random()
        if kind < 0.5:
            content[at] = rng.randrange(256)
        elif kind < 0.7:
            del content[at : at + rng.randrange(1, 6)]
        elif kind < 0.95:
            content[at:at] = rng.randbytes(rng.randrange(1, 5))
        else:
            del content[at + 1 :]
    return content


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_header_is_refused_or_read(
    good: Path, tmp_path: Path, name: str, capfd: pytest.CaptureFixture
) -> None:
    rng = random.Random(name)
    work = tmp_path / "work" / name
    for _ in range(ROUNDS):
        shutil.rmtree(work.parent, ignore_errors=True)
        work.parent.mkdir()
        (shutil.copytree if name == "series" else shutil.copy)(good / name, work)
        target = rng.choice(sorted(work.iterdir())) if name == "series" else work
        target.write_bytes(damage(bytearray(target.read_bytes()), NAMES[name], rng))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image = read_scan(work)
        except SATSegmentError as error:
            refused = error
        else:
            refused = None
            assert image.array.ndim == 3
            assert np.isfinite(image.ijk_to_ras).all()
        assert refused is None or refused.message.encode("utf-8")
    spoken = capfd.readouterr()
    assert "Meta" not in spoken.out + spoken.err  # no library speaks over the terminal
