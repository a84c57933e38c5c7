"""Signs, copies, files and plan structures around a name: asked, never taken; and what is left out is said."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SATSegmentLib import anatomy
from SATSegmentLib.anatomy.suggestions.tree_names import is_name
from SATSegmentLib.anatomy.text.written import read_written

LABELS = [label for label in anatomy.load_labels() if label.modality == "ct"]
# Numbers behind these count: "rib 2" is no second copy of the ribs.
UNCOUNTED = [
    label
    for label in LABELS
    if not any(word in label.text for word in ("rib", "vertebra", "segment", "cartilage", "covid", "ventricle"))
]
AROUND = [
    "~{}",
    "!{}",
    "#{}",
    "-{}",
    "*{}",
    "_{}",
    "{}^Ex",
    "{}!",
    "{}*",
    "{} + 5 mm",
    "{}_PRV05",
    "z_{}",
    "{}-PTV",
    "{}-GTVp",
]
COPIES = ["{}_1", "{} (2)", "{} #3", "{}.4", "{} copy", "{} - Copy", "{} copy 5", "{}_v2", "{}_final", "copy of {}"]
FILES = ["{}.nii.gz", "{}_mask.nii.gz", "{}.seg.nrrd", "{} mask", "{} segmentation", "{}_label", "{} ROI"]


def offered(text: str) -> list[tuple[set[str], tuple[str, ...]]]:
    answer = anatomy.resolve(text, "ct")
    assert isinstance(answer, anatomy.DidYouMean), (text, answer)
    return [({prompt.text for prompt in hit.prompts}, hit.left_out) for hit in answer.candidates]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(LABELS), st.sampled_from([*AROUND, *FILES]))
def test_what_is_written_around_a_trained_name_is_asked_with_the_name_first(label: anatomy.Label, form: str) -> None:
    prompts, left_out = offered(form.format(label.text))[0]
    assert prompts == {label.text}
    assert left_out


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(UNCOUNTED), st.sampled_from(COPIES), st.sampled_from([str, str.title, str.upper]))
def test_a_copy_is_asked_with_the_name_first(label: anatomy.Label, form: str, case) -> None:
    prompts, left_out = offered(form.format(case(label.text)))[0]
    assert prompts == {label.text}
    assert left_out


@pytest.mark.parametrize("number", range(1, 13))
@pytest.mark.parametrize("organ", ["liver", "lung", "spleen", "left kidney", "aorta"])
@pytest.mark.parametrize("form", ["{}_{}", "{}{}", "{} {}", "{} #{}", "{} ({})", "{}.{}", "{}-{}"])
def test_the_number_of_a_copy_is_no_segment(organ: str, number: int, form: str) -> None:
    assert offered(form.format(organ, number))[0][0] == {organ}


@pytest.mark.parametrize("number", range(1, 30))
def test_slicers_default_name_is_unknown(number: int) -> None:
    assert isinstance(anatomy.resolve(f"Segment_{number}", "ct"), anatomy.Unknown)


@pytest.mark.parametrize("letter", "abcefghijkmnopquvwxyz")
@pytest.mark.parametrize("number", range(1, 9))
def test_a_segment_with_a_letter_of_its_own_is_none_of_the_liver(letter: str, number: int) -> None:
    answer = anatomy.resolve(f"{letter.upper()}{number} segment", "ct")
    assert not isinstance(answer, anatomy.Resolved | anatomy.Composite)
    found = [hit.name for hit in getattr(answer, "candidates", ())]
    assert not [name for name in found if "liver" in name or name == "caudate lobe"]


@pytest.mark.parametrize(
    "organ",
    ["right lung", "lung", "RCA", "AHA", "left ventricle", "vertebral artery", "ICA", "colon", "left upper lobe"],
)
@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("form", ["segment {} of the {}", "{1} segment {0}", "{1} segments {0}-9", "S{} {}"])
def test_segments_of_other_organs_are_none_of_the_liver(organ: str, number: int, form: str) -> None:
    answer = anatomy.resolve(form.format(number, organ), "ct")
    assert not isinstance(answer, anatomy.Resolved | anatomy.Composite)
    found = [hit.name for hit in getattr(answer, "candidates", ())]
    assert not [name for name in found if "segment of liver" in name or name == "caudate lobe"]


@pytest.mark.parametrize(
    "text",
    [
        "kidney - left", "L4-L5", "gall-bladder", "ctx-lh-precentral", "left-kidney", "Lung_L", "rib_left_5", "Rib05_L",
        "kidney (L)", "COVID-19", "vertebrae_L3", "liver segment 4", "rib #5", "Optic-Chiasm", "b/l kidneys",
        "T12 - L1", "segments V - VIII", "third ventricle", "Left-Thalamus-Proper",
        "left lateral ventricle excluding temporal horn",
    ],
)  # fmt: skip
def test_signs_that_belong_to_a_name_are_left_alone(text: str) -> None:
    assert read_written(text, is_name).left_out == ()


@pytest.mark.parametrize(
    ("text", "name", "left_out"),
    [
        ("PRV_SpinalCord5", "SpinalCord", ("PRV_", "5")),
        ("OpticNrv_PRV03_L", "OpticNrv_L", ("_PRV03",)),
        ("~Lung_L^Ex", "Lung_L", ("~", "^Ex")),
        ("Liver-GTV", "Liver", ("-GTV",)),
        ("liver minus tumor", "liver", ("minus tumor",)),
        ("liver_mask.nii.gz", "liver", (".nii.gz", "_mask")),
    ],
)
def test_a_name_and_what_is_around_it(text: str, name: str, left_out: tuple[str, ...]) -> None:
    assert read_written(text, is_name) == (name, left_out)


@pytest.mark.parametrize(
    ("text", "modality", "name", "left_out"),
    [
        ("my th", "mri", "thalamus", ("my",)),
        ("~liver", "ct", "liver", ("~",)),
        ("left renal artery", "ct", "renal artery", ("left",)),
        ("the th", "mri", "thalamus", ("the",)),
        ("head of femur", "ct", "head of femur", ()),
        ("hypervascular left kidney", "ct", "left kidney", ("hypervascular",)),
        ("lt kidn", "ct", "left kidney", ()),
    ],
)
def test_a_suggestion_says_what_it_leaves_out(text, modality, name, left_out) -> None:
    hit = next(hit for hit in anatomy.search(text, modality) if hit.name == name)
    assert hit.left_out == left_out


@pytest.mark.parametrize(
    ("text", "name"),
    [("~Leber", "liver"), ("Leber_1", "liver"), ("Leber-GTV", "liver"), ("Leber ohne Tumor", "liver"),
     ("rein gauche - copie", "left kidney"), ("左肾_1", "left kidney"), ("foie.nii.gz", "liver")],
)  # fmt: skip
def test_names_of_other_languages_have_signs_and_copies_too(text: str, name: str) -> None:
    prompts, left_out = offered(text)[0]
    assert prompts == {name}
    assert left_out
