"""What an operation took: the whole organ, a part of it, or nothing yet."""

from __future__ import annotations

from collections.abc import Sequence

from SATSegmentLib.anatomy.report.rules import words
from SATSegmentLib.anatomy.vocabulary.labels import find_label

_PARTLY = words("operations_in_part")
_IN_PART = words("in_part")
_IN_FULL = words("in_full")
_PLANNED = words("planned")


def took_all(operation: str, said: Sequence[str], labels: Sequence[str], side: str, modality: str) -> bool:
    """Whether the labels' structures are gone after the operation.

    Parameters
    ----------
    operation : str
        Its word in one spelling ("nephrectomy").
    said : sequence of str
        The words in front of it.
    labels : sequence of str
        What it was on.
    side : str
        The side that was said.
    modality : str
        The scan's.
    """
    if any(word in _IN_PART for word in said):
        return False
    if operation in _PARTLY and not any(word in _IN_FULL for word in said):
        return False
    # Of "status post nephrectomy" nobody knows which kidney; and the label of both gonads outlives one of them.
    return not any(has_sides_unsaid(label, side, modality) for label in labels)


def has_sides_unsaid(label: str, side: str, modality: str) -> bool:
    """Whether a label is of both sides where nobody said which one: "status post nephrectomy"."""
    if label.startswith(("left ", "right ")):
        return False
    return find_label(modality, f"left {label}") is not None or (side in ("left", "right") and label == "gonad")


def is_planned(said: Sequence[str]) -> bool:
    """Whether the words in front of an operation say that it has not been done: "scheduled for nephrectomy"."""
    return any(word in _PLANNED for word in said)


def lobes(said: Sequence[str], side: str) -> tuple[str, ...]:
    """What a lobectomy took, from the words in front of it."""
    if "hepatic" in said or "liver" in said:
        return (f"{side} lobe of liver",)
    if "thyroid" in said:
        return (f"{side} thyroid",)
    return tuple(f"{side} lung {word} lobe" for word in said if word in ("upper", "middle", "lower"))
