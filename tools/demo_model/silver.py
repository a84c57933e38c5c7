"""Silver-standard labels: SAMSEG (Puonti et al., NeuroImage, 2016) run on each head, in an environment of its own.

SAMSEG's package needs NumPy 1, the rest of the project NumPy 2, hence the second environment.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from sources import SOURCES, image_file, label_file

_REQUIREMENTS = ("samseg==0.4a0", "numpy==1.26.4")


def label(folder: Path, threads: int) -> None:
    """Label the heads that have no labels yet: ten to twenty minutes each on two threads."""
    for source in SOURCES:
        target = label_file(folder, source)
        if target.exists():
            continue
        work = folder / "samseg" / source.name
        work.mkdir(parents=True, exist_ok=True)
        image = work / "t1.nii.gz"
        nib.save(nib.squeeze_image(nib.load(image_file(folder, source))), image)
        tool = _environment(folder) / "bin" / "run_samseg"
        print(f"{source.name}: SAMSEG")
        with (work / "log.txt").open("w") as log:
            command = [str(tool), "-i", str(image), "-o", str(work), "--threads", str(threads)]
            subprocess.run(command, check=True, stdout=log, stderr=subprocess.STDOUT)
        result = nib.load(work / "seg.mgz")
        nib.save(nib.Nifti1Image(np.asarray(result.dataobj).astype(np.int16), result.affine), target)


def _environment(folder: Path) -> Path:
    environment = folder / "samseg-venv"
    if not (environment / "bin" / "run_samseg").exists():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        subprocess.run([str(environment / "bin" / "pip"), "install", "--quiet", *_REQUIREMENTS], check=True)
    return environment
