"""What is measured of a mask, on grids of any direction."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from helpers.sound_results import as_result
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.quality import assess
from SATSegmentLib.quality.statistics import measure
from SATSegmentLib.quality.table import COLUMNS, as_csv, as_json, row_of
from SATSegmentLib.types import Doubt, DoubtKind, Image

SHAPE = (30, 40, 50)
RADIUS = 18.0


def turned(degrees: float) -> np.ndarray:
    """1.0 x 1.5 x 2.0 mm, turned about S, somewhere in the world."""
    angle = np.radians(degrees)
    affine = np.eye(4)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine[:3, :3] = turn @ np.diag([1.0, 1.5, 2.0])
    affine[:3, 3] = (-20, 30, 100)
    return affine


def ball(affine: np.ndarray) -> tuple[Image, np.ndarray, np.ndarray]:
    """A scan of noise, a ball's mask, and the ball's centre in RAS."""
    k, j, i = np.indices(SHAPE)
    points = np.einsum("ab,bkji->akji", affine[:3, :3], np.stack([i, j, k])) + affine[:3, 3, None, None, None]
    centre = affine[:3, :3] @ (25, 20, 15) + affine[:3, 3]
    mask = np.linalg.norm(points - centre[:, None, None, None], axis=0) <= RADIUS
    values = np.random.default_rng(0).normal(40, 10, SHAPE).astype(np.float32)
    return Image(values, affine, unit="SUVbw g/mL"), mask, centre


@pytest.mark.parametrize("degrees", [0, 30, 180])
def test_place_extent_and_surface_are_those_of_the_ball(degrees):
    image, mask, centre = ball(turned(degrees))
    found = measure(image, CroppedMask.from_array(mask), "pet")

    assert found.centroid_ras == pytest.approx(centre, abs=0.1)
    assert found.extent_mm == pytest.approx([2 * RADIUS] * 3, abs=2.5)
    assert (np.array(found.low_ras) + np.array(found.high_ras)) / 2 == pytest.approx(centre, abs=1.0)
    # Crofton's formula on a voxel grid is within a few per cent of the ball's own surface.
    assert found.surface_cm2 == pytest.approx(4 * np.pi * RADIUS**2 / 100, rel=0.05)
    assert (found.pieces, found.largest_share, found.unit) == (1, 1.0, "SUVbw g/mL")


def test_intensities_are_those_of_simpleitk_and_percentiles_are_exact():
    image, mask, _ = ball(turned(10))
    found = measure(image, CroppedMask.from_array(mask), "ct")
    reference = sitk.LabelIntensityStatisticsImageFilter()
    reference.Execute(sitk.GetImageFromArray(mask.astype(np.uint8)), sitk.GetImageFromArray(image.array))

    assert found.mean == pytest.approx(reference.GetMean(1), rel=1e-5)
    assert found.sd == pytest.approx(reference.GetStandardDeviation(1), rel=1e-3)
    assert (found.minimum, found.maximum) == pytest.approx((reference.GetMinimum(1), reference.GetMaximum(1)), rel=1e-6)
    assert (found.p05, found.median, found.p95) == pytest.approx(np.percentile(image.array[mask], [5, 50, 95]))


def test_a_mask_at_the_border_has_all_of_its_surface():
    image = Image(np.zeros((8, 8, 8), np.int16), np.eye(4))
    inner, border = np.zeros((8, 8, 8), bool), np.zeros((8, 8, 8), bool)
    inner[2:6, 2:6, 2:6] = border[:4, :4, :4] = True

    surfaces = [measure(image, CroppedMask.from_array(one), "ct").surface_cm2 for one in (inner, border)]
    assert surfaces[0] == pytest.approx(surfaces[1])


def test_a_large_box_is_measured_on_a_coarser_grid(monkeypatch):
    image, mask, centre = ball(turned(30))
    fine = measure(image, CroppedMask.from_array(mask), "pet")
    monkeypatch.setattr("SATSegmentLib.quality.statistics._MOST_VOXELS", 5000)
    coarse = measure(image, CroppedMask.from_array(mask), "pet")

    assert coarse.surface_cm2 == pytest.approx(fine.surface_cm2, rel=0.15)
    assert coarse.centroid_ras == fine.centroid_ras == pytest.approx(centre, abs=0.1)
    assert (coarse.mean, coarse.low_ras, coarse.pieces) == (fine.mean, fine.low_ras, 1)


def test_ct_is_in_hounsfield_units_and_mri_has_no_unit():
    image = Image(np.ones((4, 4, 4), np.int16), np.eye(4))
    whole = CroppedMask.from_array(np.ones((4, 4, 4), bool))
    assert [measure(image, whole, modality).unit for modality in ("ct", "mri")] == ["HU", ""]


def test_table_and_json_hold_the_same_numbers():
    image, mask, _ = ball(turned(0))
    results = assess(image, [as_result(image, "liver", "ct", mask), as_result(image, "spleen", "ct", mask & False)])

    found, empty = (row_of(one) for one in results)
    assert list(found) == list(COLUMNS)
    statistics = as_json(results[0])["statistics"]
    assert isinstance(statistics, dict)
    assert found["mean"] == statistics["mean"]
    assert empty["mean"] == ""
    doubted = row_of(results[0], (Doubt(DoubtKind.SIDES, "A guess."), Doubt(DoubtKind.SIZES, "Another.")))
    assert (doubted["doubts"], doubted["doubt_reasons"], found["doubts"]) == ("sides; sizes", "A guess. Another.", "")
    assert as_csv([found, empty]).splitlines()[0] == ",".join(COLUMNS)
    assert as_csv([{"structure": "=1+1"}], ["structure"]).splitlines()[1] == "'=1+1"
