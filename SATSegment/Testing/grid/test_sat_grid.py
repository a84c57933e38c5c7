"""With `grid="sat"` the network sees the very grid and voxels that SAT's own preprocessing makes of a scan."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.headers import CASES, header
from helpers.models import identity_segmenter, queries
from helpers.seeded import GOLDEN
from SATSegmentLib.errors import GeometryError
from SATSegmentLib.grid.box import Box
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.network_grid import network_grid
from SATSegmentLib.grid.sat_grid import sat_grid
from SATSegmentLib.inference.preprocess import prepare
from SATSegmentLib.inference.reference_resample import reference_resample
from SATSegmentLib.inference.windows import cover
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Image

SPACING = (1.0, 1.0, 3.0)


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "tilted.npz")


@pytest.fixture(scope="module")
def monai():
    return np.load(GOLDEN / "monai_grids.npz")


@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_oblique_scans_are_prepared_as_by_the_reference(golden, name):
    modality, orientation = golden[f"{name}_modality_orientation"].tolist()
    # Through the reader: it must keep the header's own rounding, which decides.
    scan = read_scan(GOLDEN / f"tilted_{name}.nii.gz")

    whole = network_grid(Grid.of(scan), orientation, SPACING, "sat")
    prepared = prepare(scan, modality, orientation, SPACING, "sat")

    assert whole.shape == tuple(golden[f"{name}_whole_shape"])
    assert np.allclose(whole.ijk_to_ras, golden[f"{name}_whole_affine"], atol=1e-4)
    assert np.allclose(prepared.grid.ijk_to_ras, golden[f"{name}_affine"], atol=1e-4)
    assert prepared.array.shape == golden[f"{name}_image"].shape
    assert np.abs(prepared.array - golden[f"{name}_image"].astype(np.float32)).max() <= 2e-3
    windows = [
        [end for side in box for end in (side.start, side.stop)] for box in cover(prepared.array.shape, (32, 32, 16))
    ]
    assert windows == golden[f"{name}_windows"].tolist()


@pytest.mark.parametrize("name", ["a", "c"])
def test_by_its_own_rule_the_first_voxel_stays(golden, name):
    _, orientation = golden[f"{name}_modality_orientation"].tolist()
    scan = Grid.of(read_scan(GOLDEN / f"tilted_{name}.nii.gz"))
    own, sat = (network_grid(scan, orientation, SPACING, rule) for rule in ("own", "sat"))
    assert all(axis.start in (0, scan.shape_kji[2 - axis.source_axis] - 1) for axis in own.axes)
    # Centred: along each axis the first voxel moves by half of what the two grids differ in length.
    spacing = scan.spacing_kji
    for axis, target in zip(sat.axes, SPACING, strict=True):
        size, edge = scan.shape_kji[2 - axis.source_axis], spacing[2 - axis.source_axis]
        moved = (size * edge - axis.size * target) / 2
        oriented = axis.start if axis.step > 0 else size - 1 - axis.start
        assert oriented * edge == pytest.approx(moved, abs=1e-4)


@pytest.mark.parametrize("number", range(CASES))
def test_any_header_gives_monais_grid_and_foreground(monai, number):
    array, affine, orientation = header(number)
    grid = sat_grid(Grid(array.shape[::-1], affine), orientation, SPACING)
    values = reference_resample(array.transpose(2, 1, 0), grid)

    assert grid.shape == tuple(monai["shape"][number])
    assert np.allclose(grid.ijk_to_ras, monai["affine"][number], atol=1e-9)
    assert values.shape == grid.shape
    low, high = monai["box"][number]
    assert Box.around(values > 0) == Box.at(low, high - low)


def test_most_oblique_headers_in_single_precision_are_centred():
    centred = 0
    oblique = [number for number in range(CASES) if number % 5 in (1, 2)]
    for number in oblique:
        array, affine, orientation = header(number)
        scan = Grid(array.shape[::-1], affine)
        reference = network_grid(scan, orientation, SPACING, "sat")
        own = network_grid(scan, orientation, SPACING)
        starts = [(a.start, b.start) for a, b in zip(reference.axes, own.axes, strict=True)]
        centred += any(abs(a - b) > 1e-3 for a, b in starts)
    assert 0.6 < centred / len(oblique) < 1


def test_masks_lie_on_the_anatomy_by_either_rule():
    scan = read_scan(GOLDEN / "tilted_a.nii.gz")
    k, j, i = np.meshgrid(*(np.arange(n) for n in scan.array.shape), indexing="ij")
    away = ((i - 17) / 11) ** 2 + ((j - 19) / 13) ** 2 + ((k - 11) / 7) ** 2
    image = Image(np.where(away < 2, 1.0, 0.0) + 60 / (1 + np.exp((np.sqrt(away) - 1) * 12)), scan.ijk_to_ras)
    segmenter = identity_segmenter((64, 64, 64), (1.0, 1.0, 1.0))
    masks = []
    for rule in ("own", "sat"):
        segmenter.grid = rule
        (result,) = segmenter.segment_queries(image, queries(1, dim=8), "mri")
        level = np.sort(image.array, axis=None)[-result.voxels]
        masks.append(result.whole_mask(image.array.shape))
        truth = image.array >= level
        assert 2 * np.count_nonzero(masks[-1] & truth) / (truth.sum() + masks[-1].sum()) > 0.97
    assert not np.array_equal(*masks)


def test_a_grid_that_is_turned_against_tilted_slices_is_refused():
    affine = np.diag((1.0, 1.0, 2.5, 1.0))
    affine[:3, 2] += 0.6 * affine[:3, 1]
    with pytest.raises(GeometryError, match="turned against the slices"):
        network_grid(Grid((20, 30, 30), affine), "IPL", SPACING, "sat")
    # Along its own slices it is not.
    assert network_grid(Grid((20, 30, 30), affine), "RAS", SPACING, "sat").tilt is not None
