"""SAT's merge: case -> dataset -> label -> region -> overall."""

from __future__ import annotations

import numpy as np
import pytest

from SATSegmentLib.anatomy import load_labels
from SATSegmentLib.evaluation.metrics import Scores
from SATSegmentLib.evaluation.protocol import REGIONS, CaseScore, LabelKey, merge, region_of


def row(dataset, case, modality, label, dsc, nsd=0.5, hd95=2.0, reference=10.0, prediction=10.0):
    return CaseScore(dataset, case, LabelKey(modality, label), Scores(dsc, nsd, hd95, reference, prediction))


def test_a_hand_computed_example():
    merged = merge(
        [
            # liver in CT: (0.9 + 0.7) / 2 = 0.8 in one dataset, 0.6 in the other -> 0.7, not 0.7333 over the cases
            row("MSD_Liver", "a", "ct", "liver", 0.9, 0.8),
            row("MSD_Liver", "b", "ct", "liver", 0.7, 0.6),
            row("BTCV", "a", "ct", "liver", 0.6, 0.2),
            # the same word in MRI is another label of the same region
            row("CHAOS", "a", "mri", "liver", 0.5),
            row("MSD_Liver", "a", "ct", "spleen", 0.3),
            # a lesion of the abdomen counts among the lesions only, in every modality
            row("MSD_Liver", "a", "ct", "liver tumor", 0.2),
            row("MSD_Liver", "b", "ct", "liver tumor", 0.4),
            row("ATLAS", "a", "mri", "liver tumor", 0.1),
            row("SegTHOR", "a", "ct", "heart", 1.0),
            # names that SAT's own script would cut: overall only
            row("own_data, part 2", "a", "ct", "stent_graft, main body", 0.0),
        ]
    )

    ct_liver = LabelKey("ct", "liver")
    assert merged.datasets["MSD_Liver", ct_liver].means["dsc"] == pytest.approx(0.8)
    assert merged.labels[ct_liver].means["dsc"] == pytest.approx(0.7)
    assert merged.labels[ct_liver].means["nsd"] == pytest.approx((0.7 + 0.2) / 2)
    assert merged.labels[ct_liver].cases == 3
    assert {name: mean.means["dsc"] for name, mean in merged.regions.items()} == pytest.approx(
        {"thorax": 1.0, "abdomen": (0.7 + 0.5 + 0.3) / 3, "abnormal": (0.3 + 0.1) / 2}
    )
    assert list(merged.regions) == ["thorax", "abdomen", "abnormal"]
    assert merged.overall.means["dsc"] == pytest.approx((0.7 + 0.5 + 0.3 + 0.3 + 0.1 + 1.0 + 0.0) / 7)
    assert (merged.overall.labels, merged.overall.cases) == (7, 10)
    assert LabelKey("ct", "stent_graft, main body") in merged.labels


def test_numbers_that_are_not_defined_are_left_out_of_their_mean():
    merged = merge(
        [
            row("d", "a", "ct", "liver", 1.0, hd95=3.0, prediction=12.0),
            row("d", "b", "ct", "liver", 0.0, hd95=None, reference=0.0, prediction=5.0),
            row("d", "a", "ct", "spleen", 0.0, hd95=None, prediction=0.0),
        ]
    )

    liver, spleen = (merged.labels[LabelKey("ct", name)].means for name in ("liver", "spleen"))
    assert (liver["hd95_mm"], spleen["hd95_mm"]) == (3.0, None)
    assert merged.overall.means["hd95_mm"] == 3.0
    assert liver["volume_error_percent"] == pytest.approx(20)
    assert liver["volume_error_ml"] == pytest.approx((2 + 5) / 2)
    assert (spleen["volume_error_percent"], spleen["absolute_volume_error_percent"]) == (-100, 100)


def test_every_label_has_the_region_that_sat_lists_it_under():
    for label in load_labels():
        names_alike = [other for other in load_labels() if other.text == label.text]
        if any(other.abnormal for other in names_alike):
            assert region_of(label.text) == "abnormal"
        else:
            assert region_of(label.text) in {region for other in names_alike for region in other.regions}


def test_a_name_of_two_regions_counts_in_the_first_one():
    regions = {region for label in load_labels() if label.text == "esophagus" for region in label.regions}
    assert regions == {"head and neck", "thorax"}
    assert region_of("esophagus") == "head and neck"
    assert region_of("Esophagus") == "head and neck"


def test_a_name_that_sat_does_not_know_has_no_region():
    assert region_of("my implant") == "unknown"


# The paper's table of DSC by region, as read off its figure, and the value it gives for all.
PUBLISHED = {
    "nnU-Nets": ([81.93, 72.45, 85.60, 81.62, 86.96, 84.29, 82.89, 89.20, 84.20, 57.52], 80.54),
    "SAT-Nano": ([73.90, 74.08, 82.09, 75.55, 77.12, 79.50, 81.79, 89.58, 77.80, 46.04], 75.51),
    "SAT-Pro": ([77.70, 77.29, 86.38, 74.73, 81.47, 83.01, 84.01, 91.34, 82.19, 51.39], 78.81),
}


@pytest.mark.parametrize("method", PUBLISHED)
def test_overall_is_the_mean_over_labels_as_in_the_published_table(method):
    by_region, overall = PUBLISHED[method]
    value = dict(zip([*REGIONS, "abnormal"], by_region, strict=True))
    labels = load_labels()
    rows = [row("d", "a", label.modality, label.text, value[region_of(label.text)] / 100) for label in labels]
    merged = merge(rows)

    assert 100 * merged.overall.means["dsc"] == pytest.approx(overall, abs=0.1)
    over_regions = 100 * np.mean([mean.means["dsc"] for mean in merged.regions.values()])
    assert abs(over_regions - overall) > 0.1
