"""Records what MONAI's `Orientation`, `Spacing` and foreground crop make of many headers.

Needs MONAI, which nothing else here does:

    pip install monai==1.6.1
    python tools/golden/monai_grids.py SATSegment/Testing/Data/golden/monai_grids.npz
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation, Spacing, generate_spatial_bounding_box

sys.path.insert(0, str(Path(__file__).parents[2] / "SATSegment" / "Testing"))
from helpers.headers import CASES, header


def main(path: str) -> None:
    found: dict[str, list[np.ndarray]] = {"shape": [], "affine": [], "box": []}
    for number in range(CASES):
        array_ijk, affine, orientation = header(number)
        image = MetaTensor(torch.from_numpy(array_ijk)[None], affine=torch.from_numpy(affine))
        image = Spacing(pixdim=(1, 1, 3), mode="bilinear")(Orientation(axcodes=orientation)(image)).float()
        found["shape"].append(np.array(image.shape[1:]))
        found["affine"].append(image.affine.numpy())
        found["box"].append(np.array(generate_spatial_bounding_box(image)))
    np.savez_compressed(path, **{name: np.stack(values) for name, values in found.items()})


if __name__ == "__main__":
    main(sys.argv[1])
