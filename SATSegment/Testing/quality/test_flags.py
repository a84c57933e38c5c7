"""Results that cannot be are flagged with the right reason; sound ones are left alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.sound_results import Case, as_result, chest, demo_head
from helpers.spoiled_results import exchanged, on_another_scan, scaled, shifted, spoil, with_a_piece
from SATSegmentLib.anatomy.vocabulary.labels import load_labels
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.quality import assess, knowledge
from SATSegmentLib.quality.assess import compared
from SATSegmentLib.quality.body import Body
from SATSegmentLib.types import FlagKind, Image

FEW = ("brain", "left hippocampus", "right hippocampus", "hippocampus", "brainstem", "left putamen", "right putamen")
FEW += ("white matter", "left thalamus", "right thalamus")


@pytest.fixture(scope="module")
def head() -> Case:
    """The demonstration head with some of its structures."""
    case = demo_head()
    return dataclasses.replace(case, results=tuple(one for one in case.results if one.prompt.text in FEW))


def kinds_of(case: Case, results=None) -> dict[str, set[FlagKind]]:
    return {one.prompt.text: {flag.kind for flag in one.flags} for one in assess(case.image, results or case.results)}


def test_reference_labels_have_no_flags(head):
    for case in (head, chest()):
        assert not any(kinds_of(case).values())


@pytest.mark.parametrize("way", [exchanged, shifted, scaled, with_a_piece, on_another_scan])
def test_what_is_spoiled_is_flagged_for_the_right_reason(head, way):
    one = way((head, chest()), np.random.default_rng(1))
    assert kinds_of(one.case)[one.text] & one.reasons, one.text


@pytest.mark.parametrize("axis", ["front to back", "top to bottom"])
def test_results_that_are_all_mirrored_lie_in_wrong_places(head, axis):
    """They fit each other as well as before; only what lies in front of what, and above what, tells it."""
    direction = {"front to back": 1, "top to bottom": 2}[axis]
    kji = 2 - int(np.argmax(np.abs(head.image.ijk_to_ras[direction, :3])))
    shape = head.image.array.shape
    results = [
        as_result(head.image, one.prompt.text, "mri", np.flip(one.whole_mask(shape), kji)) for one in head.results
    ]
    found = kinds_of(head, results)
    wrong = {text for text, kinds in found.items() if FlagKind.POSITION in kinds}
    assert wrong >= {"left thalamus", "right putamen"} if direction == 1 else wrong >= {"brainstem", "left hippocampus"}


@pytest.mark.long
def test_nearly_all_of_two_hundred_spoiled_results_are_flagged():
    spoiled = spoil((demo_head(), chest()), 200)
    right = sum(bool(kinds_of(one.case)[one.text] & one.reasons) for one in spoiled)
    sound = [flags for case in (demo_head(), chest()) for flags in kinds_of(case).values()]
    print(
        f"spoiled: {right / 200:.1%} flagged with a right reason; sound: {np.mean(list(map(bool, sound))):.1%} flagged"
    )
    assert right >= 190
    assert sum(map(bool, sound)) <= 0.02 * len(sound)


# --- one by one, on a box of a body


def trunk(mask_values: dict[str, tuple[slice, slice, slice]], hu: float = 50.0) -> Case:
    """A CT of a trunk 320 mm wide, 220 deep and 320 high, 4 mm a voxel, and box-shaped results in it."""
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = (-200, -140, 0)
    array = np.full((80, 70, 100), -1000, np.int16)
    array[:, 8:63, 10:90] = hu
    image = Image(array, affine)
    results = []
    for text, box in mask_values.items():
        mask = np.zeros(array.shape, bool)
        mask[box] = True
        results.append(as_result(image, text, "ct", mask))
    return Case("trunk", image, tuple(results))


# R grows with i: the first half of the columns is the patient's left.
LIVER = np.s_[30:55, 20:50, 55:85]
LEFT, RIGHT = np.s_[30:40, 20:28, 20:30], np.s_[30:40, 20:28, 70:80]


def test_a_tumour_beside_its_organ_is_not_flagged_and_one_elsewhere_is():
    beside = trunk({"liver": LIVER, "liver tumor": np.s_[40:44, 30:34, 53:57]})
    elsewhere = trunk({"liver": LIVER, "liver tumor": np.s_[40:44, 30:34, 20:24]})
    without = trunk({"liver": np.s_[0:0, 0:0, 0:0], "liver tumor": np.s_[40:44, 30:34, 60:64]})

    assert kinds_of(beside)["liver tumor"] == set()
    assert FlagKind.OUTSIDE_PARENT in kinds_of(elsewhere)["liver tumor"]
    assert FlagKind.OUTSIDE_PARENT in kinds_of(without)["liver tumor"]


def test_one_side_alone_is_judged_by_the_middle_of_the_body():
    assert FlagKind.SIDE not in kinds_of(trunk({"left kidney": LEFT}))["left kidney"]
    assert FlagKind.SIDE in kinds_of(trunk({"left kidney": RIGHT}))["left kidney"]
    both = kinds_of(trunk({"left kidney": RIGHT, "right kidney": np.s_[50:60, 20:28, 72:82]}))
    assert FlagKind.SIDE in both["left kidney"]
    assert FlagKind.SIDE not in both["right kidney"]
    assert FlagKind.SIDE in kinds_of(trunk({"spleen": RIGHT}))["spleen"]


def test_an_organ_that_is_larger_than_a_body_is_flagged_and_one_cut_by_the_scan_is_not_too_small():
    assert FlagKind.VOLUME in kinds_of(trunk({"liver": np.s_[5:75, 15:55, 15:85]}))["liver"]
    assert FlagKind.VOLUME in kinds_of(trunk({"liver": np.s_[30:33, 30:33, 60:63]}))["liver"]
    assert FlagKind.VOLUME not in kinds_of(trunk({"liver": np.s_[77:80, 30:33, 60:63]}))["liver"]


def test_soft_tissue_is_not_lung_and_air_is_no_organ():
    assert FlagKind.INTENSITY in kinds_of(trunk({"right lung": LIVER}))["right lung"]
    assert FlagKind.INTENSITY not in kinds_of(trunk({"right lung": LIVER}, hu=-800))["right lung"]
    assert FlagKind.INTENSITY in kinds_of(trunk({"gallbladder": np.s_[30:40, 0:6, 60:70]}))["gallbladder"]


FRONT, BACK = np.s_[20:60, 45:55, 45:55], np.s_[20:60, 12:20, 45:55]


def test_what_belongs_behind_and_lies_in_front_is_flagged_with_both_names():
    assert not kinds_of(trunk({"heart": FRONT, "thoracic vertebrae": BACK}))["heart"]
    case = trunk({"heart": BACK, "thoracic vertebrae": FRONT})
    flags = [flag for one in assess(case.image, case.results) for flag in one.flags if flag.kind is FlagKind.POSITION]
    assert [flag.others for flag in flags] == [("thoracic vertebrae",), ("heart",)]
    assert flags[0].text == "thoracic vertebrae lies in front of heart, but belongs behind it."


def test_numbered_vertebrae_go_downwards():
    names = ("thoracic vertebrae 12 (t12)", "lumbar vertebrae 1 (l1)", "lumbar vertebrae 2 (l2)")
    downwards = {name: np.s_[top : top + 7, 10:22, 44:56] for name, top in zip(names, (55, 46, 37), strict=True)}
    assert all(FlagKind.POSITION not in kinds for kinds in kinds_of(trunk(downwards)).values())
    exchanged_levels = {**downwards, names[0]: downwards[names[1]], names[1]: downwards[names[0]]}
    found = kinds_of(trunk(exchanged_levels))
    assert {name for name, kinds in found.items() if FlagKind.POSITION in kinds} >= set(names[:2])
    disc = "intervertebral disc between thoracic vertebrae 12 (t12) and lumbar vertebrae 1 (l1)"
    assert knowledge.level_of(names[0]) < knowledge.level_of(disc) < knowledge.level_of(names[1])
    assert knowledge.level_of("rib 3") is None


def test_what_the_scan_cuts_is_judged_by_more():
    """A lung's base beside the liver's dome: where most of both is not shown, their centres say little."""
    slab = {"lung lower lobe": np.s_[70:80, 20:50, 20:40], "lung upper lobe": np.s_[66:76, 45:60, 20:40]}
    found = kinds_of(trunk({f"left {name}": box for name, box in slab.items()}, hu=-800))
    assert FlagKind.POSITION not in found["left lung lower lobe"]


def test_a_later_result_is_compared_with_earlier_ones_and_only_it_is_flagged():
    case = trunk({"left kidney": RIGHT, "right kidney": LEFT, "spleen": LEFT, "liver": LIVER, "liver tumor": LEFT})
    left, right, spleen, liver, tumour = case.results

    def told(later, *earlier):
        (one,) = compared(case.image, assess(case.image, [later]), earlier)
        return {flag.kind for flag in one.flags if flag.others}

    assert told(right, left) == {FlagKind.SIDE}
    assert told(right, spleen) == {FlagKind.OVERLAP, FlagKind.SAME_MASK}
    assert told(tumour, liver) == {FlagKind.OUTSIDE_PARENT}
    # A run that replaces a result is not compared with what it replaces.
    assert told(right, right) == told(right) == set()


def test_sound_results_of_two_runs_have_no_flags(head):
    for earlier, later in ((head.results[::2], head.results[1::2]), (head.results[1::2], head.results[::2])):
        assert not [one.flags for one in compared(head.image, assess(head.image, later), earlier) if one.flags]


def test_a_brain_in_a_trunk_is_flagged():
    assert FlagKind.REGION in kinds_of(trunk({"brain": LIVER}))["brain"]


def test_two_prompts_with_one_mask_are_both_flagged_but_not_two_names_of_one_thing():
    found = kinds_of(trunk({"spleen": LEFT, "stomach": LEFT}))
    assert all(FlagKind.SAME_MASK in kinds for kinds in found.values())
    assert FlagKind.SAME_MASK not in kinds_of(trunk({"thyroid": LEFT, "thyroid gland": LEFT}))["thyroid"]
    # Where only one side is shown, the pair's mask is that side's.
    assert FlagKind.SAME_MASK not in kinds_of(trunk({"kidney": LEFT, "left kidney": LEFT}))["kidney"]


def test_each_flag_has_a_sentence_and_numbers():
    case = trunk({"liver": LEFT, "spleen": LEFT, "left kidney": RIGHT, "brain": LIVER, "right lung": RIGHT})
    flags = [flag for one in assess(case.image, case.results) for flag in one.flags]
    assert len({flag.kind for flag in flags}) >= 5
    for flag in flags:
        assert flag.text.endswith(".")
        assert any(letter.isdigit() for letter in flag.reason)
        assert flag.as_dict()["kind"] == flag.kind.value


def test_free_text_and_empty_results_are_measured_but_not_judged():
    case = trunk({"liver": LIVER})
    free = dataclasses.replace(case.results[0], prompt=dataclasses.replace(case.results[0].prompt, text="my thing"))
    nothing = dataclasses.replace(case.results[0], cropped=CroppedMask(np.zeros(0, np.uint8)), voxels=0, status="empty")
    found = assess(case.image, [free, nothing])
    assert found[0].statistics is not None
    assert (found[1].statistics, found[1].flags) == (None, ())
    assert not found[0].flags


def test_the_body_is_as_wide_as_it_is():
    body = Body(trunk({}).image, "ct")
    width = body.width_at((0.0, 0.0, 100.0))
    assert width is not None
    assert width.mm == pytest.approx(320, abs=8)
    assert width.middle_mm == pytest.approx(0, abs=6)
    assert width.is_whole


def test_ranges_and_rules_speak_of_labels_that_exist():
    texts = {label.text for label in load_labels()}
    bases = {knowledge.base_name(text) for text in texts} | {"lobe of liver", "medial segment of liver", "renal vein"}
    assert set(knowledge._ranges()) <= texts
    for one in knowledge._ranges().values():
        assert 0 < one.low_ml < one.high_ml
        assert one.source
    rules = knowledge._anatomy()
    named = [*rules["single"]["names"], *rules["single"]["two_without_side"], *rules["not_inside"]["children"]]
    named += [name for rule in rules["exclusive"].values() if isinstance(rule, list) for name in rule]
    named += [name for rule in rules["hounsfield"].values() if isinstance(rule, dict) for name in rule["names"]]
    named += [*rules["region"]["head"], *rules["region"]["trunk"], *rules["mostly_exclusive"]["these"]]
    named += [*rules["mostly_exclusive"]["those"], *rules["mostly_exclusive"]["tissue"]]
    assert set(named) <= bases, set(named) - bases
    for rule in knowledge.position_rules():
        assert {rule.first, rule.second} <= bases, rule
        assert rule.lies in ("in front of", "behind", "above", "below")
        assert rule.source


@given(st.tuples(*[st.integers(0, 6)] * 3), st.tuples(*[st.integers(1, 6)] * 3), st.tuples(*[st.integers(1, 4)] * 3))
@settings(max_examples=60, deadline=None)
def test_a_coarse_mask_holds_the_middle_voxel_of_each_step(low, size, steps):
    whole = np.zeros((13, 12, 14), bool)
    whole[tuple(slice(a, a + b) for a, b in zip(low, size, strict=True))] = True
    middles = whole[tuple(slice(step // 2, None, step) for step in steps)]
    coarse = CroppedMask.from_array(whole).on_grid_of_steps(steps, middles.shape)
    assert (coarse == middles).all() if middles.any() else coarse.sum() == 1


@pytest.mark.parametrize("modality", ["ct", "mri", "pet"])
@given(shape=st.tuples(*[st.integers(1, 9)] * 3), edges=st.tuples(*[st.sampled_from([0.1, 0.7, 1.0, 2.0, 9.0])] * 3))
@settings(max_examples=40, deadline=None)
def test_a_scan_of_any_size_has_a_body(modality, shape, edges):
    values = np.random.default_rng(0).integers(-1000, 500, shape).astype(np.int16)
    body = Body(Image(values, np.diag((*edges, 1.0))), modality)
    whole = CroppedMask.from_array(np.ones(shape, bool))
    assert 0 <= body.share_outside(whole) <= 1
    body.width_at((0.0, 0.0, 0.0))
