"""Where a report's sentences and sections begin and end."""

from __future__ import annotations

import pytest

from SATSegmentLib.anatomy.report.text import sentences


def cut(text: str) -> list[str]:
    return [" ".join(text[sentence.start : sentence.end].split()) for sentence in sentences(text)]


@pytest.mark.parametrize(
    "text",
    [
        "A lesion of 1.5 cm at 14.30 h.",
        "Seen by Dr. Smith, measures approx. 3 cm, i.e. it is small.",
        "Lt. kidney and rt. kidney vs. prior.",
        "Nodule in rib no. 5.",
        "The gallbladder is contracted and there is no\nevidence of a tumor in the liver or the\npancreas.",
    ],
)
def test_one_sentence_stays_one(text: str) -> None:
    assert cut(text) == [" ".join(text.split())]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Liver normal. Spleen normal.", ["Liver normal.", "Spleen normal."]),
        ("Measures 3 cm. The spleen is normal.", ["Measures 3 cm.", "The spleen is normal."]),
        ("Liver: normal\nSpleen: normal", ["Liver: normal", "Spleen: normal"]),
        ("1. No embolism\n2. Effusion", ["1. No embolism", "2. Effusion"]),
        ("- no embolism\n- effusion", ["- no embolism", "- effusion"]),
        ("Liver normal\n\nspleen normal", ["Liver normal", "spleen normal"]),
        ("Normal liver.The spleen is large.", ["Normal liver.", "The spleen is large."]),
    ],
)
def test_sentences_lines_and_items_are_taken_apart(text: str, parts: list[str]) -> None:
    assert cut(text) == parts


def test_headings_give_their_section_and_are_no_sentence() -> None:
    text = "CLINICAL HISTORY: Cough.\nIndication: embolism?\nCOMPARISON: None.\n\nFindings\nNormal.\n"
    text += "IMPRESSION: Normal."
    assert [(sentence.section, text[sentence.start : sentence.end]) for sentence in sentences(text)] == [
        ("history", "Cough."),
        ("question", "embolism?"),
        ("comparison", "None."),
        ("findings", "Normal."),
        ("findings", "Normal."),
    ]


def test_a_text_without_any_stop_is_cut_between_words() -> None:
    text = "kidney " * 1_000
    parts = sentences(text)
    assert len(parts) > 5
    assert all(text[part.start : part.end].startswith("kidney") for part in parts)
