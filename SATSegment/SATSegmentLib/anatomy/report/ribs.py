"""Ribs by their numbers: "left 5th through 7th ribs", "ribs 8-10 on the right", "left 2nd and right 4th ribs"."""

from __future__ import annotations

from collections.abc import Sequence

from SATSegmentLib.anatomy.report.numbers import SIDES, Counted, is_measure, number_list, side_behind
from SATSegmentLib.anatomy.report.rules import words
from SATSegmentLib.anatomy.report.text import Token

RIB_ADJECTIVES = words("rib_adjectives")
_NEVER_FIRST = words("rib_not_first")

_INJURIES = frozenset(("fracture", "fractures", "fx", "fxs", "lesion", "metastasis", "deformity"))


def read_ribs(tokens: Sequence[Token], index: int) -> Counted | None:
    """The ribs that are counted from a token on, or None."""
    if tokens[index].word in _NEVER_FIRST:
        return None
    position, side = index, ""
    while position < len(tokens) and (tokens[position].word in SIDES or tokens[position].word in RIB_ADJECTIVES):
        side = SIDES.get(tokens[position].word, side)
        position += 1
    if position >= len(tokens) or (position == index + 1 and tokens[index].word == "and"):
        return None
    if tokens[position].word in ("rib", "ribs"):  # "left ribs 8-10", "rib 5 on the left"
        start = position + 1
        while start < len(tokens) and tokens[start].word in ("number", "numbers", "no", "nos", "nr", "#", ".", "("):
            start += 1
        items, after = number_list(tokens, start, side, 12, cardinals=True)
        if not items or is_measure(tokens, after):
            return None
    else:  # "left 5th through 7th ribs"
        items, after = number_list(tokens, position, side, 12, levels=True)
        while items and after < len(tokens) and tokens[after].word in RIB_ADJECTIVES:
            after += 1
        if not items or after >= len(tokens) or tokens[after].word not in ("rib", "ribs"):
            return None
        after += 1
    if not any(item_side for item_side, _ in items):
        # "T12 rib fracture on the left": the fracture's side is the rib's, and its words are not.
        injured = after < len(tokens) and tokens[after].word in _INJURIES
        side_after, behind = side_behind(tokens, after + injured)
        after = after if injured else behind
        items = [(side_after, number) for _, number in items]
    sides = {item_side for item_side, _ in items}
    labels = [label for item in items for label in _rib_labels(*item)]
    return Counted(index, after - 1, tuple(dict.fromkeys(labels)), sides.pop() if len(sides) == 1 else "both")


def _rib_labels(side: str, number: int) -> list[str]:
    if side == "both":
        return [f"left rib {number}", f"right rib {number}"]
    return [f"{side} rib {number}".strip()]
