"""Words to prompts without a silent guess."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SATSegmentLib import anatomy
from SATSegmentLib.anatomy.languages.reading import read
from SATSegmentLib.anatomy.text.words import read_words
from SATSegmentLib.anatomy.vocabulary.lexicon import load_lexicon
from SATSegmentLib.errors import PromptError

LABELS = anatomy.load_labels()
SIDED = [label for label in LABELS if label.laterality]
IDS = {"ids": lambda label: f"{label.modality}-{label.text}"}


def _texts(answer: object) -> list[str]:
    if isinstance(answer, anatomy.Resolved):
        return [answer.prompt.text]
    if isinstance(answer, anatomy.Composite | anatomy.NotSegmentable):
        return [prompt.text for prompt in getattr(answer, "prompts", None) or answer.nearest]  # type: ignore[union-attr]
    if isinstance(answer, anatomy.DidYouMean):
        return [hit.name for hit in answer.candidates]
    return []


@pytest.mark.parametrize("label", LABELS, **IDS)
def test_every_label_resolves_by_its_exact_string(label):
    for text in (label.text, label.text.upper(), f"  {label.text} ", label.text.capitalize()):
        assert anatomy.resolve(text, label.modality) == anatomy.Resolved(text, label.prompt())


def _plural(text: str) -> str:
    """The plural of the last word outside brackets, as a person would write it."""
    irregular = {
        "vertebrae": "vertebrae", "gyrus": "gyri", "femur": "femora", "nucleus": "nuclei", "lens": "lenses",
        "sacrum": "sacra", "hippocampus": "hippocampi", "thalamus": "thalami", "humerus": "humeri", "atrium": "atria",
        "radiation": "radiations", "hyperintensities": "hyperintensities", "lips": "lips", "discs": "discs",
        "cochlea": "cochleae", "scapula": "scapulae", "process": "processes", "cortex": "cortices",
        "ganglia": "ganglia", "larynx": "larynges", "pancreas": "pancreases", "uterus": "uteri",
        "cuneus": "cunei", "mucosa": "mucosae", "insula": "insulae", "bronchie": "bronchi", "tibia": "tibiae",
        "chiasm": "chiasms", "glottis": "glottises", "supraglottis": "supraglottises", "esophagus": "esophaguses",
        "thymus": "thymuses", "rectum": "rectums", "cavity": "cavities", "artery": "arteries",
        "maximus": "maximus", "medius": "medius", "minimus": "minimus", "iliopsoas": "iliopsoas", "vena": "venae",
        "hemorrhage": "haemorrhages", "accumbens": "accumbens", "pelvis": "pelves", "callosum": "callosum",
    }  # fmt: skip
    words = text.split()
    at = len(words) - 1
    while at and (words[at].startswith("(") or words[at].isdigit()):
        at -= 1
    words[at] = irregular.get(words[at], words[at] + "s")
    return " ".join(words)


@pytest.mark.parametrize("label", LABELS, **IDS)
def test_every_label_is_found_by_its_plural(label):
    plural = _plural(label.text)
    assert label.text in [hit.name for hit in anatomy.search(plural, label.modality)[:3]]
    answer = anatomy.resolve(plural, label.modality)
    if isinstance(answer, anatomy.Resolved):
        assert answer.prompt == label.prompt()
    else:
        # The plural of what has two sides means both of them; "ribs" are all of them.
        assert isinstance(answer, anatomy.Composite), answer
        base = re.sub(r"\b(left|right) ", "", label.text)
        assert all(base.rstrip("s") in re.sub(r"\b(left|right) ", "", text) for text in _texts(answer))


def _six_ways(label: anatomy.Label) -> list[str]:
    side, base = label.laterality, re.sub(r"\b(left|right) ", "", label.text)
    letter = side[0]
    short = {"left": "lt", "right": "rt"}[side]
    return [
        f"{side} {base}",
        f"{base} {side}",
        f"{base}, {side}",
        f"{short} {base}",
        f"{base} ({letter.upper()})",
        f"{letter}. {base}",
        f"{base}_{letter.upper()}",
        f"{base.replace(' ', '_')}_{side}",
    ]


@pytest.mark.parametrize("label", SIDED, **IDS)
def test_every_way_to_write_the_side_resolves_to_it(label):
    for text in _six_ways(label):
        answer = anatomy.resolve(text, label.modality)
        assert answer == anatomy.Resolved(text, label.prompt()), text
        assert anatomy.search(text, label.modality)[0].name == label.text, text


@pytest.mark.parametrize(
    ("text", "modality", "label"),
    [
        ("IVC", "ct", "inferior vena cava"),
        ("GB", "ct", "gallbladder"),
        ("RUL", "ct", "right lung upper lobe"),
        ("LAA", "ct", "left auricle of heart"),
        ("WMH", "mri", "white matter hyperintensities"),
        ("TZ", "mri", "transition zone of prostate"),
        ("D7", "ct", "thoracic vertebrae 7 (t7)"),
        ("kidney, right", "ct", "right kidney"),
        ("5th left rib", "ct", "left rib 5"),
        ("Rib05_L", "ct", "left rib 5"),
        ("segment VIII", "ct", "right anterior superior segment of liver"),
        ("liver seg 8", "ct", "right anterior superior segment of liver"),
        (
            "L4/5 disc",
            "mri",
            "intervertebral disc between lumbar vertebrae 4 (l4) and lumbar vertebrae 5 (l5)",
        ),
        ("L5-S1 disk", "mri", "intervertebral disc between lumbar vertebrae 5 (l5) and sacrum"),
        ("oesophagus", "ct", "esophagus"),
        ("coeliac trunk", "ct", "celiac trunk"),
        ("hepar", "ct", "liver"),
        ("ren sinister", "ct", "left kidney"),
        ("vena cava inferior", "mri", "inferior vena cava"),
        ("Left-Thalamus-Proper", "mri", "left thalamus"),
        ("ctx-lh-superiorfrontal", "mri", "left superior frontal gyrus"),
        ("lung_upper_lobe_left", "ct", "left lung upper lobe"),
        ("iliopsoas_right", "ct", "right iliopsoas"),
        ("OpticNrv_L", "ct", "left optic nerve"),
        ("Bone_Mandible", "ct", "mandible"),
        ("gall bladder", "ct", "gallbladder"),
        ("femur", "mri", "femur bone"),
        ("both renal arteries", "ct", "renal artery"),
        ("C1 atlas", "ct", "cervical vertebrae 1 (c1)"),
    ],
)
def test_curated_names_resolve(text, modality, label):
    answer = anatomy.resolve(text, modality)
    assert isinstance(answer, anatomy.Resolved), answer
    assert answer.prompt.text == label


@pytest.mark.parametrize(
    ("text", "modality", "count", "some"),
    [
        ("lumbar spine", "ct", 5, "lumbar vertebrae 3 (l3)"),
        ("ribs", "ct", 24, "right rib 12"),
        ("left ribs", "ct", 12, "left rib 1"),
        ("kidneys", "ct", 2, "right kidney"),
        ("bilateral kidneys", "mri", 2, "left kidney"),
        ("left and right kidney", "ct", 2, "left kidney"),
        ("L/R kidney", "ct", 2, "left kidney"),
        ("lobes of the lung", "ct", 5, "right lung middle lobe"),
        ("liver segments", "ct", 8, "caudate lobe"),
        ("angular gyrus", "mri", 2, "left angular gyrus"),
        ("left 5th through 7th ribs", "ct", 3, "left rib 6"),
        ("T11 and T12", "ct", 2, "thoracic vertebrae 12 (t12)"),
        ("L1-L5", "mri", 5, "lumbar vertebrae 2 (l2)"),
        ("segments II-III", "ct", 2, "left lateral inferior segment of liver"),
        ("liver, spleen and pancreas", "ct", 3, "pancreas"),
        ("left lateral ventricle", "mri", 2, "left lateral ventricle temporal horn"),
        ("heart chambers", "mri", 4, "right heart atrium"),
    ],
)
def test_composites_expand(text, modality, count, some):
    answer = anatomy.resolve(text, modality)
    assert isinstance(answer, anatomy.Composite), answer
    assert len(answer.prompts) == count
    assert some in _texts(answer)
    assert all(prompt.trained and prompt.modality == modality for prompt in answer.prompts)


@pytest.mark.parametrize(
    ("text", "modality", "candidates"),
    [
        ("PV", "ct", {"portal vein and splenic vein", "pulmonary vein"}),
        ("lt kidny", "ct", {"left kidney"}),
        ("S8", "ct", {"right anterior superior segment of liver"}),
        ("seg 8", "ct", {"right anterior superior segment of liver"}),
        ("D2", "ct", {"thoracic vertebrae 2 (t2)", "duodenum"}),
        ("portal vein", "ct", {"portal vein and splenic vein"}),
        ("PE", "ct", {"pulmonary embolism", "lung effusion"}),
        ("L4 vertebral body", "ct", {"lumbar vertebrae 4 (l4)"}),
        ("AG", "mri", {"adrenal gland", "left angular gyrus", "right angular gyrus"}),
        ("ventricles", "mri", {"heart ventricle", "brain ventricle", "lateral ventricle"}),
        ("left kidney and adrenal gland", "ct", {"left kidney", "adrenal gland"}),
        ("main PA", "ct", {"pulmonary artery"}),
        ("atrial appendage", "ct", {"left auricle of heart"}),
        ("pelvic bone", "ct", {"hip"}),
        ("whole tumor", "mri", {"brain tumor"}),
        ("cornu ammonis", "mri", {"hippocampus"}),
        ("portal trunk", "ct", {"portal vein and splenic vein"}),
        ("hypervascular left kidney", "ct", {"left kidney"}),
    ],
)
def test_what_is_not_certain_is_asked(text, modality, candidates):
    answer = anatomy.resolve(text, modality)
    assert isinstance(answer, anatomy.DidYouMean), answer
    assert candidates <= set(_texts(answer))
    assert all(hit.prompts for hit in answer.candidates)


@pytest.mark.parametrize(
    ("text", "modality", "reason", "nearest"),
    [
        ("left putamen", "ct", "MRI only", ("left putamen", "mri")),
        ("WMH", "ct", "MRI only", ("white matter hyperintensities", "mri")),
        ("L4/5 disc", "ct", "MRI only", None),
        ("ureter", "ct", "not a SAT class", ("kidney", "ct")),
        ("left ureter", "ct", "not a SAT class", ("left kidney", "ct")),
        ("LAD", "ct", "not a SAT class", ("heart", "ct")),
        ("left renal artery", "ct", "trained without a side only", ("renal artery", "ct")),
        ("left frontal lobe", "mri", "trained without a side only", ("frontal lobe", "mri")),
        ("liver", "pet", "CT and MRI only", ("liver", "ct")),
        ("T5", "mri", "CT only", ("thoracic vertebrae 5 (t5)", "ct")),
    ],
)
def test_what_sat_cannot_do_is_said_with_what_is_nearest(text, modality, reason, nearest):
    answer = anatomy.resolve(text, modality)
    assert isinstance(answer, anatomy.NotSegmentable), answer
    assert answer.reason == reason
    if nearest:
        assert (answer.nearest[0].text, answer.nearest[0].modality) == nearest


@pytest.mark.parametrize(
    "text", ["left spine", "labia", "L1 rib", "left lateral vein", "kidney left right", "no kidney"]
)
@pytest.mark.parametrize("modality", ["ct", "mri"])
def test_what_only_looks_like_a_name_is_not_taken(text, modality):
    assert not isinstance(anatomy.resolve(text, modality), anatomy.Resolved | anatomy.Composite)


def test_l_spine_is_lumbar_and_thyroid_lobes_are_two():
    for text in ("L spine", "l-spine", "LSpine"):
        assert len(_texts(anatomy.resolve(text, "ct"))) == 5
    assert _texts(anatomy.resolve("thyroid lobe", "ct")) == ["left thyroid", "right thyroid"]


def test_a_concept_of_the_tree_is_known_though_not_segmentable():
    answer = anatomy.resolve("stapedius muscle", "ct")
    assert isinstance(answer, anatomy.NotSegmentable)
    assert answer.concept_id in anatomy.load_tree().concepts


@pytest.mark.parametrize("text", ["", "   ", "qwertzuiop", "🫀", "123456", "the", "and", "left", "x" * 9000])
def test_nothing_known_is_unknown(text):
    assert isinstance(anatomy.resolve(text, "ct"), anatomy.Unknown)


def test_unknown_text_runs_only_as_marked_free_text():
    prompt = anatomy.as_free_text(anatomy.Unknown("  the shiny\tthing "), "mri")
    assert (prompt.text, prompt.modality, prompt.trained) == ("the shiny thing", "mri", False)
    with pytest.raises(PromptError):
        anatomy.as_free_text(anatomy.Unknown("  "), "mri")


def test_an_unknown_modality_is_refused():
    with pytest.raises(PromptError, match="modality"):
        anatomy.resolve("liver", "us")  # type: ignore[arg-type]


@pytest.mark.parametrize("label", SIDED, **IDS)
def test_left_never_becomes_right(label):
    other = {"left": "right", "right": "left"}[label.laterality]
    for text in (*_six_ways(label), label.text + "x", label.text.replace("e", "", 1) if "e" in label.text[6:] else ""):
        answer = anatomy.resolve(text, label.modality)
        if isinstance(answer, anatomy.Resolved | anatomy.Composite):
            assert not any(f"{other} " in found for found in _texts(answer)), text


ENTRIES = [entry for entry in load_lexicon().entries if entry.side in ("left", "right")]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(ENTRIES), st.sampled_from(["ct", "mri", "pet"]), st.randoms())
def test_no_order_of_words_flips_or_invents_a_side(entry, modality, random):
    words = [*entry.tokens, entry.side]
    random.shuffle(words)
    answer = anatomy.resolve(" ".join(words), modality)
    other = {"left": "right", "right": "left"}[entry.side]
    if isinstance(answer, anatomy.Resolved | anatomy.Composite):
        assert not any(f"{other} " in text for text in _texts(answer))


VOCABULARY = sorted(set(itertools.chain.from_iterable(entry.tokens for entry in load_lexicon().entries)))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=4), st.sampled_from(["ct", "mri"]))
def test_only_names_of_the_tables_resolve_to_one_label(tokens, modality):
    """Whatever known words are put together: a silent answer has a row in the tables that says exactly this."""
    text = " ".join(tokens)
    answer = anatomy.resolve(text, modality)
    if isinstance(answer, anatomy.Resolved) and not any(reading.certain for reading in read(text)):
        words = read_words(text)
        sides = ("", "left", "right") if words.side == "both" else (words.side,)
        entries = [entry for side in sides for entry in load_lexicon().find(words, side)]
        assert answer.prompt.text in {entry.structure.name for entry in entries if entry.kind != "near"}


def test_the_tables_hold_no_target_that_is_no_label():
    names = {re.sub(r"\b(left|right) ", "", label.text) for label in LABELS} | {label.text for label in LABELS}
    for structure in load_lexicon().structures.values():
        assert set(structure.nearest) <= names, structure.name
        for modality, members in structure.members.items():
            for text in members:
                assert anatomy.find_label(modality, text), (structure.name, text)
    assert load_lexicon().bilateral <= names


def test_no_certain_name_means_two_structures():
    """Two rows may share a name only where the resolver then asks."""
    for entry in load_lexicon().entries:
        for modality in entry.structure.modalities:
            if entry.kind == "near" or entry.modality not in ("", modality):
                continue
            answer = anatomy.resolve(entry.text, modality)  # type: ignore[arg-type]
            assert not isinstance(answer, anatomy.Unknown), entry.text
            if isinstance(answer, anatomy.Resolved) and entry.structure.what == "label":
                same = {re.sub(r"\b(left|right) ", "", name) for name in (answer.prompt.text, entry.structure.name)}
                assert len(same) == 1, (entry.text, answer.prompt.text, entry.structure.name)


def test_at_least_300_names_are_curated():
    labels = {label.text for label in LABELS}
    assert sum(entry.kind != "name" and entry.text not in labels for entry in load_lexicon().entries) >= 300
