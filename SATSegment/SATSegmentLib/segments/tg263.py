"""Names of AAPM Task Group 263, as radiotherapy systems expect them."""

from __future__ import annotations

import csv
from functools import cache

from SATSegmentLib.anatomy.vocabulary.labels import label_of
from SATSegmentLib.resources import resource_path
from SATSegmentLib.types import Prompt


def tg263_name(prompt: Prompt) -> str:
    """The primary TG-263 name of a label ("Kidney_L"); empty where there is none."""
    return _names().get(prompt.text.lower(), "") if prompt.trained or label_of(prompt) else ""


@cache
def _names() -> dict[str, str]:
    with resource_path("Anatomy/tg263.tsv").open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader((line for line in stream if not line.startswith("#")), delimiter="\t")
        return {row["name"]: row["tg263"] for row in rows}
