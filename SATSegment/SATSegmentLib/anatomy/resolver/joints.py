"""Where a text joins several names: "liver, spleen and pancreas"."""

from __future__ import annotations

import re

from SATSegmentLib.anatomy.text.words import MAX_CHARACTERS, read_words

_JOINTS = re.compile(r"\s*(?:[,;+&\n]|\band\b|\bplus\b|\bas well as\b|/)\s*", re.IGNORECASE)
# "b/l", "w/o" and "L4/5" are one word each.
_NAME_JOINTS = re.compile(
    r"\s*(?:[,;+&\n]|\band\b|\bplus\b|\bas well as\b|(?<=[^\W\d]{2})\s*/\s*(?=[^\W\d]{2}))\s*", re.IGNORECASE
)
# Two levels with a slash are what lies between them, or a range; never just the two vertebrae.
LEVEL_PAIR = re.compile(r"(?<![^\W_])(?:th|[ctdls])\s?\d{1,2}\s*/\s*(?:th|[ctdls])?\s?\d{1,2}(?![^\W_])", re.IGNORECASE)


def parts_of(text: str) -> list[str]:
    return [part.strip() for part in _JOINTS.split(text) if part.strip()]


def is_joined(text: str) -> bool:
    """Whether the text joins words that name something; "kidney, right" and "L1 and L2 disc" do not."""
    parts = _NAME_JOINTS.split(text[:MAX_CHARACTERS])
    if len(parts) < 2:
        return False
    words = [read_words(part) for part in parts]
    return sum(w.name_something and any(t.isalpha() and len(t) > 1 for t in w.tokens) for w in words) > 1
