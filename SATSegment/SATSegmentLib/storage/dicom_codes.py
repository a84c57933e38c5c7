"""What a segment is, in DICOM's codes: its label's own, or plain "Tissue" for words without a code."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from SATSegmentLib.anatomy.vocabulary.labels import CodedConcept, Terminology, label_of
from SATSegmentLib.types import Prompt

# What Slicer gives a segment that nobody coded (its terminologies' default).
_TISSUE = CodedConcept("SCT", "85756007", "Tissue")
_UNCODED = Terminology(_TISSUE, _TISSUE)


def terminology_of(prompt: Prompt) -> Terminology:
    """Codes of a label; free and taught words have none of their own."""
    label = label_of(prompt)
    return label.terminology if label else _UNCODED


def code_sequence(*codes: CodedConcept | None) -> Sequence:
    """A sequence of code items; None is left out."""
    return Sequence([_item(code) for code in codes if code is not None])


def _item(code: CodedConcept) -> Dataset:
    item = Dataset()
    # A code longer than 16 characters belongs into another attribute (PS3.3, 8.1).
    if len(code.value) > 16:
        item.LongCodeValue = code.value
    else:
        item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = code.meaning[:64]
    return item
