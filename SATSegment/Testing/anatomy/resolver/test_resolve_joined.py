"""Several structures in one text: none is lost, none is added, and what is not certain is asked."""

from __future__ import annotations

import pytest

from SATSegmentLib import anatomy


def _texts(text: str, modality: str) -> list[str]:
    answer = anatomy.resolve(text, modality)
    if isinstance(answer, anatomy.Resolved):
        return [answer.prompt.text]
    assert isinstance(answer, anatomy.Composite), answer
    return [prompt.text for prompt in answer.prompts]


def _candidates(text: str, modality: str) -> list[str]:
    answer = anatomy.resolve(text, modality)
    assert isinstance(answer, anatomy.DidYouMean), answer
    return [hit.name for hit in answer.candidates]


@pytest.mark.parametrize(
    ("text", "modality", "first", "together"),
    [
        ("liver and tumor", "ct", "liver", "liver tumor"),
        ("kidney & tumor", "ct", "kidney", "kidney tumor"),
        ("kidney and cyst", "ct", "kidney", "kidney cyst"),
        ("lung, nodule", "ct", "lung", "lung nodule"),
        ("lung/effusion", "ct", "lung", "lung effusion"),
        ("brain and stem", "ct", "brain", "brainstem"),
        ("liver and right lobe", "ct", "liver", "right lobe of liver"),
        ("brain and tumor", "mri", "brain", "brain tumor"),
        ("femur and cartilage", "mri", "femur bone", "femur cartilage"),
    ],
)
def test_words_on_both_sides_of_a_joint_make_no_name(text, modality, first, together):
    candidates = _candidates(text, modality)
    assert first in candidates
    assert together in candidates


@pytest.mark.parametrize(
    ("text", "modality", "members"),
    [
        ("heart and left atrium", "ct", ["heart", "left heart atrium"]),
        ("left kidney and left kidney cyst", "ct", ["left kidney", "left kidney cyst"]),
        ("sternum and manubrium", "ct", ["sternum", "manubrium of sternum"]),
        ("left ventricle and myocardium", "mri", ["left heart ventricle", "myocardium"]),
        ("prostate and peripheral zone", "mri", ["prostate", "peripheral zone of prostate"]),
        ("left and right kidney", "ct", ["left kidney", "right kidney"]),
        ("left/right kidney", "ct", ["left kidney", "right kidney"]),
        ("left hippocampus and left putamen", "mri", ["left hippocampus", "left putamen"]),
        ("portal vein & splenic vein", "ct", ["portal vein and splenic vein"]),
        ("splenic vein and portal vein", "ct", ["portal vein and splenic vein"]),
        ("uterus and cervix", "ct", ["uterocervix"]),
        ("kidney, right", "ct", ["right kidney"]),
    ],
)
def test_certain_lists(text, modality, members):
    assert _texts(text, modality) == members


@pytest.mark.parametrize(
    ("text", "numerals"),
    [
        ("ribs V-VII", "ribs 5-7"),
        ("left ribs V–VII", "left ribs 5-7"),
        ("segments V-VIII", "liver segments 5-8"),
        ("segments II-IV", "liver segments 2-4"),
        ("segments IV-VI", "liver segments 4-6"),
        ("segments IV to VI", "liver segments 4 to 6"),
    ],
)
def test_roman_ranges_hold_all_between(text, numerals):
    assert _texts(text, "ct") == _texts(numerals, "ct")
    assert len(_texts(text, "ct")) > 2


@pytest.mark.parametrize(
    ("text", "modality", "kept", "other"),
    [
        ("left hippocampus and putamen", "mri", ["left hippocampus", "left putamen"], "right "),
        ("left thalamus and putamen", "mri", ["left thalamus", "left putamen"], "right "),
        ("right eye and lens", "ct", ["right eyeball"], "left "),
    ],
)
def test_a_side_said_once_is_asked_and_never_turned(text, modality, kept, other):
    candidates = _candidates(text, modality)
    assert set(kept) <= set(candidates)
    assert not [name for name in candidates if name.startswith(other)]


@pytest.mark.parametrize("text", ["ventricles", "the ventricles", "left ventricles"])
def test_ventricles_are_of_heart_or_brain(text):
    assert {"heart ventricle", "brain ventricle"} <= set(_candidates(text, "ct"))


def test_lv_in_mri_is_of_heart_or_brain():
    assert {"left heart ventricle", "left lateral ventricle excluding temporal horn"} <= set(_candidates("LV", "mri"))
    assert _texts("LV", "ct") == ["left heart ventricle"]


@pytest.mark.parametrize("modality", ["ct", "mri"])
@pytest.mark.parametrize("text", ["T12/L1", "D12/L1", "T12-L1", "C6/C7", "C6-C7", "L4/L5", "L4-L5", "L5/S1", "L4/5"])
def test_two_levels_are_not_silently_two_vertebrae(text, modality):
    assert not isinstance(anatomy.resolve(text, modality), anatomy.Resolved | anatomy.Composite)


def test_cervix_is_asked_by_its_latin_name_too():
    assert "uterocervix" in _candidates("cervix uteri", "ct")


def test_superior_mesenteric_artery_is_no_class():
    answer = anatomy.resolve("SMA", "ct")
    assert isinstance(answer, anatomy.NotSegmentable)
    assert [prompt.text for prompt in answer.nearest] == ["aorta"]


def test_likeness_keeps_the_side():
    answer = anatomy.resolve("right atrail appendage", "ct")
    assert isinstance(answer, anatomy.DidYouMean | anatomy.Unknown)
    assert not [hit.name for hit in getattr(answer, "candidates", ()) if hit.name.startswith("left ")]


@pytest.mark.parametrize("text", ["C5/6 disc", "C5-C6 intervertebral disc", "T4/5 disc", "disc C7/T1", "C2-3 disc"])
@pytest.mark.parametrize("modality", ["ct", "mri"])
def test_a_disc_without_a_label_is_refused_by_name_and_no_other_disc_is_offered(text: str, modality: str) -> None:
    answer = anatomy.resolve(text, modality)
    assert isinstance(answer, anatomy.NotSegmentable)
    assert answer.reason == "not a SAT class"
    assert [prompt.text for prompt in answer.nearest] == ["intervertebral discs"]


def test_a_cervical_level_said_alone_asks_as_a_lumbar_one_does() -> None:
    for text, names in (("C5/6", ("(c5)", "(c6)")), ("L4/5", ("(l4)", "(l5)"))):
        answer = anatomy.resolve(text, "ct")
        assert isinstance(answer, anatomy.DidYouMean)
        assert all(any(name in hit.name for hit in answer.candidates) for name in names)


@pytest.mark.parametrize("text", ["right atrial appendage", "right auricle", "RAA", "RA appendage", "right LAA"])
def test_a_side_that_was_not_trained_is_not_answered_with_the_other(text: str) -> None:
    answer = anatomy.resolve(text, "ct")
    assert not isinstance(answer, anatomy.Resolved | anatomy.Composite)
    offered = [hit.name for hit in getattr(answer, "candidates", ())]
    offered += [prompt.text for prompt in getattr(answer, "nearest", ())]
    assert "left auricle of heart" not in offered


@pytest.mark.parametrize(("first", "last"), [("T5", "T7"), ("L1", "L5"), ("C2", "C5")])
def test_a_stroke_between_levels_apart_is_no_range(first, last):
    answer = anatomy.resolve(f"{first}/{last}", "ct")
    assert [prompt.text[-3:-1] for prompt in answer.prompts] == [first.lower(), last.lower()]
    through = anatomy.resolve(f"{first}-{last}", "ct")
    assert len(through.prompts) > 2


def test_ribs_with_a_stroke_are_the_ones_that_are_named():
    answer = anatomy.resolve("ribs 3/5 left", "ct")
    assert [prompt.text for prompt in answer.prompts] == ["left rib 3", "left rib 5"]


@pytest.mark.parametrize("text", ["both left kidney", "left kidneys both", "bilateral right kidney", "both left lung"])
def test_both_and_one_side_contradict_each_other(text):
    assert not isinstance(anatomy.resolve(text, "ct"), anatomy.Resolved | anatomy.Composite)
    both = anatomy.resolve("both left and right kidneys", "ct")
    assert [prompt.text for prompt in both.prompts] == ["left kidney", "right kidney"]


@pytest.mark.parametrize("sign", ["*", "!", "^", "~", "#", "%"])
@pytest.mark.parametrize("name", ["T2", "L4", "left rib 5", "C1"])
def test_a_sign_on_a_level_or_number_is_asked(sign, name):
    for text in (f"{name}{sign}", f"{sign}{name}"):
        assert not isinstance(anatomy.resolve(text, "ct"), anatomy.Resolved | anatomy.Composite), text


def test_a_minus_in_front_of_a_number_is_asked():
    assert not isinstance(anatomy.resolve("rib -3", "ct"), anatomy.Resolved | anatomy.Composite)
    assert isinstance(anatomy.resolve("rib-3", "ct"), anatomy.Resolved)


@pytest.mark.parametrize(
    ("text", "offered"), [("bowel", {"small bowel", "colon", "intestine"}), ("half liver", {"left lobe of liver"})]
)
def test_a_word_of_several_structures_is_asked(text, offered):
    answer = anatomy.resolve(text, "ct")
    assert isinstance(answer, anatomy.DidYouMean)
    assert offered <= {prompt.text for hit in answer.candidates for prompt in hit.prompts}
