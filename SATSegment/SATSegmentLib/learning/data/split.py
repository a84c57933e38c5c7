"""Dividing records into parts so that no patient is in two of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from SATSegmentLib.learning.data.errors import SplitError
from SATSegmentLib.learning.data.records import Record

# In SAT-DS's split files: where in a path the patient's id was found. It names no part.
_NO_PART = "id_loc"


def split(records: Sequence[Record], fractions: Mapping[str, float], seed: int = 0) -> dict[str, tuple[Record, ...]]:
    """Divide records by patient: `split(records, {"train": 0.8, "val": 0.2})`.

    A patient's part is decided by a hash of the id and the seed alone, so it stays when records are added, taken away
    or put in another order; the fractions are met on average. Records that share a patient id, in any data set, or an
    image are kept together.

    Parameters
    ----------
    fractions : Mapping[str, float]
        Of the patients, above 0, together 1.

    Raises
    ------
    SplitError
        The fractions do not add up, or a part would be empty.
    """
    if not fractions or any(f <= 0 for f in fractions.values()) or abs(sum(fractions.values()) - 1) > 1e-6:
        raise SplitError(f"The fractions {dict(fractions)} are not above 0 and together 1.", "Correct them.")
    parts: dict[str, list[Record]] = {part: [] for part in fractions}
    for record, group in zip(records, _groups(records), strict=True):
        parts[_part(group, fractions, seed)].append(record)
    empty = [part for part, chosen in parts.items() if not chosen]
    if empty:
        patients = len(set(_groups(records)))
        raise SplitError(
            f"No patient falls into {', '.join(empty)}: there are only {patients}.",
            "Take another seed or other fractions, or say in a split file who belongs where.",
        )
    return {part: tuple(chosen) for part, chosen in parts.items()}


def split_by_file(records: Sequence[Record], path: str | os.PathLike[str]) -> dict[str, tuple[Record, ...]]:
    """Divide records as a JSON file says: {"train": ["017", ...], "val": [...]}.

    An id may be given as "dataset/017" where data sets use the same ids for different patients; that goes before "017".
    SAT-DS's split files have this form.

    Raises
    ------
    SplitError
        The file cannot be read, has a patient in two parts, or leaves one out.
    """
    path = Path(path).expanduser()
    parts = _read_split(path)
    part_of = {patient: part for part, patients in parts.items() for patient in patients}
    chosen: dict[str, list[Record]] = {part: [] for part in parts}
    part_of_group: dict[str, str] = {}
    missing = []
    for record, group in zip(records, _groups(records, by_dataset=True), strict=True):
        part = part_of.get(f"{record.dataset}/{record.patient_id}") or part_of.get(record.patient_id)
        if part is None:
            missing.append(record.place)
        elif part_of_group.setdefault(group, part) != part:
            raise SplitError(
                f"{path.name} puts records of one scan or patient into {part_of_group[group]} and {part} "
                f"(the second is {record.place}).",
                "Put all of a patient's records into one part.",
            )
        else:
            chosen[part].append(record)
    if missing:
        listed = ", ".join(missing[:8]) + (", ..." if len(missing) > 8 else "")
        raise SplitError(
            f"{path.name} does not say where the patients of {len(missing)} records belong: {listed}.",
            'Add their patient_id to a part; a part of its own (such as "unused") leaves them out of training.',
        )
    return {part: tuple(one) for part, one in chosen.items()}


def _read_split(path: Path) -> dict[str, list[str]]:
    remedy = 'Write {"train": ["patient_id", ...], "val": [...]}.'
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise SplitError(f"{path} cannot be read as JSON.", remedy) from error
    if not isinstance(content, dict):
        raise SplitError(f"{path} is not an object of parts.", remedy)
    part_of: dict[str, str] = {}
    parts: dict[str, list[str]] = {}
    for part, patients in content.items():
        if part == _NO_PART:
            continue
        if not isinstance(patients, list) or not all(isinstance(patient, str | int) for patient in patients):
            raise SplitError(f'"{part}" in {path} is not a list of patient ids.', remedy)
        parts[part] = list(map(str, patients))
        for position, patient in enumerate(parts[part], start=1):
            if part_of.setdefault(patient, part) != part:
                raise SplitError(
                    f'In {path} entry {position} of "{part}" is in "{part_of[patient]}" too.',
                    "Keep each patient in one part.",
                )
    return parts


def _part(group: str, fractions: Mapping[str, float], seed: int) -> str:
    digest = hashlib.sha256(f"{seed}:{group}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    for part, fraction in fractions.items():
        place -= fraction
        if place < 0:
            return part
    return list(fractions)[-1]  # the fractions' rounding


def _groups(records: Sequence[Record], by_dataset: bool = False) -> list[str]:
    """For each record the smallest patient id of those it is tied to by a shared patient or image."""
    leader: dict[str, str] = {}

    def find(key: str) -> str:
        while leader.setdefault(key, key) != key:
            leader[key] = leader[leader[key]]
            key = leader[key]
        return key

    patients = [f"p{record.dataset if by_dataset else ''}/{record.patient_id}" for record in records]
    for record, patient in zip(records, patients, strict=True):
        a, b = find(patient), find(f"i{record.image}")
        leader[a] = leader[b] = min(a, b)
    members: dict[str, list[str]] = {}
    for patient in patients:
        members.setdefault(find(patient), []).append(patient)
    # Named by a patient, never by an image: where the files lie is not to decide who is tested on.
    return [min(members[find(patient)]) for patient in patients]
