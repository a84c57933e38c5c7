"""What a segment is called, and how it looks and is coded, in Slicer's terms."""

from __future__ import annotations

import colorsys
import hashlib
import re
from dataclasses import dataclass

from SATSegmentLib.anatomy.vocabulary.labels import CodedConcept, Terminology, label_of
from SATSegmentLib.types import Prompt

_CONTEXT = "Segmentation category and type - 3D Slicer General Anatomy list"
_REGION_CONTEXT = "Anatomic codes - DICOM master list"


@dataclass(frozen=True)
class SegmentStyle:
    """How a segment is shown and coded.

    Attributes
    ----------
    color : tuple[int, int, int]
        Red, green, blue, 0..255.
    terminology : str
        Slicer's terminology entry (seven fields divided by `~`); empty where there is none.
    """

    color: tuple[int, int, int]
    terminology: str = ""


def segment_id(prompt: Prompt) -> str:
    """The id under which a prompt's segment is always found again: `SAT_mri_left_hippocampus`.

    Ids hold ASCII letters, digits and underscores only, because they end up in file headers and DICOM.
    Free text gets a digest as well: two texts may differ only in characters that an id cannot hold.
    """
    words = re.sub(r"[^A-Za-z0-9]+", "_", prompt.text).strip("_")
    if not prompt.trained and label_of(prompt) is None:
        digest = hashlib.sha256(prompt.text.encode()).hexdigest()[:8]
        words = f"{words}_{digest}" if words else digest
    return f"SAT_{prompt.modality}_{words}"


def style_of(prompt: Prompt) -> SegmentStyle:
    """Colour and codes of a label; free text gets a colour of its own and no code."""
    label = label_of(prompt)
    if label is None:
        return SegmentStyle(_color_from_text(prompt.text))
    return SegmentStyle(label.color, terminology_entry(label.terminology))


def terminology_entry(terminology: Terminology) -> str:
    """Slicer's terminology entry string.

    Context, category, type, type modifier, region context, region, region modifier, divided by `~`
    (Slicer developer guide, Segmentations, TerminologyEntry tag).
    """
    fields = (terminology.category, terminology.type, terminology.type_modifier)
    region = (terminology.region, terminology.region_modifier)
    return "~".join([_CONTEXT, *map(_code, fields), _REGION_CONTEXT, *map(_code, region)])


def _code(code: CodedConcept | None) -> str:
    return f"{code.scheme}^{code.value}^{code.meaning}" if code else "^^"


def _color_from_text(text: str) -> tuple[int, int, int]:
    # From the text, not from its place in a list: the same words look the same in every run.
    digest = hashlib.sha256(text.encode()).digest()
    red, green, blue = colorsys.hsv_to_rgb(digest[0] / 256, 0.55 + digest[1] / 640, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)
