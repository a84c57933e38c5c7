"""Training records: one line of JSON for each scan, as SAT-DS writes them. Docs/training-data.md describes them.

    {"image": "ct/a.nii.gz", "mask": "seg/a.nii.gz", "label": ["liver", "spleen"], "modality": "CT",
     "dataset": "ours", "patient_id": "017"}

Reading is strict: every problem of every line is collected, and raised together.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from SATSegmentLib.errors import SATSegmentError, SATSegmentWarning
from SATSegmentLib.learning.data.errors import Problem, RecordError
from SATSegmentLib.learning.data.label_names import about_new_word
from SATSegmentLib.learning.data.mask_files import MaskSource, find_masks
from SATSegmentLib.learning.data.mask_voxels import check_on_grid
from SATSegmentLib.learning.data.scan_files import image_grid
from SATSegmentLib.types import Modality

_REQUIRED = ("image", "mask", "label", "modality", "dataset", "patient_id")
# Written by SAT-DS's own tools; nothing of it is needed here.
_IGNORED = {
    "official_split",
    "renorm_image",
    "renorm_segmentation_dir",
    "renorm_y1x1z1_y2x2z2",
    "roi_y1x1z1_y2x2z2",
    "chwd",
}
_OPTIONAL = {"sample_id"}

# The first word decides; what follows it ("MRI T1", "CT arterial") is for people.
_MODALITY_WORDS: dict[str, Modality] = {
    "ct": "ct",
    "mr": "mri",
    "mri": "mri",
    "t1": "mri",
    "t1w": "mri",
    "t2": "mri",
    "t2w": "mri",
    "flair": "mri",
    "dwi": "mri",
    "adc": "mri",
    "pet": "pet",
    "pt": "pet",
}


@dataclass(frozen=True)
class Record:
    """One annotated scan, checked as far as headers tell.

    Attributes
    ----------
    image : Path
        The scan's file or DICOM folder.
    masks : tuple[MaskSource, ...]
        Where each label's mask is; their labels are normalised, and each occurs once.
    modality : Modality
        "ct", "mri" or "pet".
    dataset, patient_id, sample_id : str
        As in the record; `sample_id` is empty where it gave none.
    place : str
        File and line.
    """

    image: Path
    masks: tuple[MaskSource, ...]
    modality: Modality
    dataset: str
    patient_id: str
    sample_id: str
    place: str

    @property
    def labels(self) -> tuple[str, ...]:
        """What was annotated, present or not."""
        return tuple(mask.label for mask in self.masks)


@dataclass(frozen=True)
class RecordList:
    """Records that can be used, what was skipped, and what to look at.

    Attributes
    ----------
    records : tuple[Record, ...]
        In the order of the files.
    skipped : tuple[Problem, ...]
        Problems of the records that were left out; empty unless skipping was asked for.
    new_words : tuple[Problem, ...]
        Labels that SAT was not trained on, each once, with where it first occurs.
    """

    records: tuple[Record, ...]
    skipped: tuple[Problem, ...] = ()
    new_words: tuple[Problem, ...] = ()


def read_records(paths: Iterable[str | os.PathLike[str]], *, skip_bad: bool = False) -> RecordList:
    """Read .jsonl files and check each record against the files it names.

    Parameters
    ----------
    paths : Iterable[str | os.PathLike[str]]
        The .jsonl files; paths inside them are relative to the file they are in.
    skip_bad : bool, optional
        Leave bad records out, with a warning, rather than refuse them all.

    Raises
    ------
    RecordError
        Lists every problem by file and line. A file that cannot be read or is empty is a problem that cannot
        be skipped.
    """
    records: list[Record] = []
    problems: list[Problem] = []
    seen: dict[tuple[str, str], str] = {}
    for path in paths:
        for place, folder, line in _lines(Path(path).expanduser()):
            found = _read_record(line, folder, place)
            if isinstance(found, Record):
                earlier = seen.setdefault(_identity(found), found.place)
                if earlier == found.place:
                    records.append(found)
                else:
                    problems.append(Problem(place, _twice(found, earlier)))
            else:
                problems += found
    if problems and (not skip_bad or not records):
        raise RecordError(problems)
    result = RecordList(tuple(records), tuple(problems), tuple(_new_words(records)))
    _warn(result)
    return result


def parse_modality(text: str) -> Modality | None:
    """The modality that a record's words mean ("MRI T1" is "mri"); None where that is not certain ("PET/CT")."""
    words = re.split(r"[\s_-]+", text.strip().lower())
    modality = _MODALITY_WORDS.get(words[0])
    others = {_MODALITY_WORDS[word] for word in words[1:] if word in _MODALITY_WORDS}
    return modality if others <= {modality} else None


def _lines(path: Path) -> Iterator[tuple[str, Path, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise RecordError([Problem(str(path), f"cannot be read: {reason}")], "Give .jsonl files.") from error
    # Not splitlines, which also breaks at characters that JSON allows inside a string.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise RecordError([Problem(str(path), "holds no record")], "Give .jsonl files with one record a line.")
    for number, line in lines:
        yield f"{path}:{number}", path.parent, line


def _read_record(line: str, folder: Path, place: str) -> Record | list[Problem]:
    try:
        content = json.loads(line, object_pairs_hook=_object)
    except ValueError as error:
        return [Problem(place, f"is not valid JSON ({error})")]
    if not isinstance(content, dict):
        return [Problem(place, "is not a JSON object with keys and values")]
    reasons = _check_keys(content)
    if reasons:
        return [Problem(place, reason) for reason in reasons]
    modality = parse_modality(content["modality"])
    if modality is None:
        reasons.append(f'does not know the modality "{content["modality"]}"; write CT, MRI or PET')
    image = _resolved(folder, content["image"])
    grid = None
    try:
        grid = image_grid(image)
    except SATSegmentError as error:
        reasons.append(f"image: {error.message}")
    masks, about_masks = find_masks(content["mask"], content["label"], folder)
    reasons += about_masks
    if grid is not None:
        reasons += check_on_grid(masks, grid)
    if reasons or modality is None:
        return [Problem(place, reason) for reason in reasons]
    sample_id = str(content.get("sample_id", ""))
    return Record(image, masks, modality, content["dataset"], str(content["patient_id"]), sample_id, place)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; Python's own reader would keep the last of two equal keys, and not tell."""
    keys = [key for key, _ in pairs]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise ValueError(f'the key "{twice}" occurs twice')
    return dict(pairs)


def _check_keys(content: dict[str, Any]) -> list[str]:
    reasons = [f'lacks "{key}"' for key in _REQUIRED if key not in content]
    unknown = sorted(content.keys() - {*_REQUIRED, *_OPTIONAL, *_IGNORED})
    reasons += [f'has an unknown key "{key}"' for key in unknown]
    for key in ("image", "modality", "dataset"):
        if key in content and not (isinstance(content[key], str) and content[key].strip()):
            reasons.append(f'"{key}" must be text')
    for key in ("patient_id", "sample_id"):
        if key in content and (not isinstance(content[key], str | int) or not str(content[key]).strip()):
            reasons.append(f'"{key}" must be text or a number')
    return reasons


def _identity(record: Record) -> tuple[str, str]:
    return record.dataset, record.sample_id or str(record.image)


def _twice(record: Record, earlier: str) -> str:
    return f"is the same sample as {earlier} (same dataset and {'sample_id' if record.sample_id else 'image'})"


def _resolved(folder: Path, text: str) -> Path:
    return (folder / Path(text).expanduser()).resolve()


def _new_words(records: list[Record]) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for record in records:
        for label in record.labels:
            if (label, record.modality) not in seen:
                seen.add((label, record.modality))
                if reason := about_new_word(label, record.modality):
                    yield Problem(record.place, reason)


def _warn(result: RecordList) -> None:
    for what, problems in (
        ("records were skipped", result.skipped),
        ("labels are new to SAT: right for a structure it never saw, wrong for one it knows", result.new_words),
    ):
        if problems:
            listed = "\n".join(map(str, problems))
            warnings.warn(f"Some {what}:\n{listed}", SATSegmentWarning, stacklevel=3)
