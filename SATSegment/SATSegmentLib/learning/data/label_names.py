"""Names of labels: one spelling for each, which of them SAT knows, and what each becomes in a mirror."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from SATSegmentLib.anatomy import find_label, load_labels
from SATSegmentLib.evaluation.names import match
from SATSegmentLib.learning.sides import other_side
from SATSegmentLib.types import Modality, Orientation

_PUNCTUATION = str.maketrans({"‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "−": "-", "’": "'", "‘": "'"})
# Left and right of these are no mirror images of each other: a mirrored left ventricle is no right ventricle, and
# a mirrored left upper lobe has no middle lobe below it.
_NO_MIRROR_IMAGE = re.compile(r"\b(heart|liver|lung .*lobe|brachiocephalic|subclavian|common carotid)\b")


def normalise_label(text: str) -> str:
    """One spelling of a name: Unicode NFKC, lower case, plain hyphens, single blanks.

    SAT's own names are unchanged by this; underscores stay, because they may be part of a site's own name.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    text = text.translate(_PUNCTUATION)
    visible = (c for c in text if unicodedata.category(c) != "Cf")  # such as soft hyphens and zero-width blanks
    return unicodedata.normalize("NFC", " ".join("".join(visible).split()))


def training_orientation(text: str, modality: Modality) -> Orientation:
    """The axis order in which the engine looks for this label: that of SAT's training; RAS for new words."""
    label = find_label(modality, text)
    return label.orientation if label else "RAS"


def about_new_word(text: str, modality: Modality) -> str:
    """What to tell the user about a name that SAT was not trained on in this modality; empty for trained ones."""
    if find_label(modality, text):
        return ""
    meant = match(text, modality)
    if meant.label:
        return f'"{text}" is a new word for {modality.upper()}; SAT\'s name for it is "{meant.label}"'
    return f'"{text}" is a new word for {modality.upper()} ({meant.reason})'


@cache
def mirrored(text: str, modality: Modality) -> str | None:
    """The name of what a structure becomes when the scan is mirrored left to right; None where that is not known.

    `mirrored("left kidney", "ct") == "right kidney"`, `mirrored("aorta", "ct") == "aorta"`. None for names outside
    the vocabulary (a new word may hide a side), for those without a partner there ("left auricle of heart"), and for
    pairs that are no mirror images of each other (heart chambers, lobes of lung and liver, branches of the arch).
    Applied twice it gives the name back.
    """
    names = _vocabulary()[modality]
    if text not in names:
        return None
    partner = other_side(text)
    if partner == text:
        return text
    return partner if partner in names and not _NO_MIRROR_IMAGE.search(text) else None


@cache
def _vocabulary() -> dict[str, frozenset[str]]:
    modalities = {label.modality for label in load_labels()}
    return {m: frozenset(label.text for label in load_labels() if label.modality == m) for m in modalities}
