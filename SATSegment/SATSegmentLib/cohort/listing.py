"""Which scans a cohort has, and what is asked of each: from a folder, a BIDS tree, or a CSV or JSON-lines list."""

from __future__ import annotations

import csv
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.types import MODALITIES, modality_named

_IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")
_SEGMENTATION = ".seg.nrrd"
_BIDS_MARK = "dataset_description.json"
# A BIDS file's suffix or folder says its modality; what is not here (func, dwi, fmap) is no single volume to segment.
_BIDS_SUFFIXES = {"T1w": "mri", "T2w": "mri", "FLAIR": "mri", "PDw": "mri", "T2star": "mri", "pet": "pet", "ct": "ct"}
_COLUMNS = ("scan", "name", "modality", "prompts", "preset", "report", "frame", "series", "volume", "dicom_source")


@dataclass(frozen=True)
class ScanTask:
    """One scan of a cohort and what is asked of it.

    Attributes
    ----------
    name : str
        Of its folder among the results; no other scan of the cohort has it.
    path : str
        File or DICOM folder.
    modality : str
        "ct", "mri" or "pet"; empty where nobody said.
    prompts : tuple of str
        Names as the prompt line takes them.
    preset, report : str
        Id of a preset, path of a report in plain text; may be empty.
    frame, series, volume : int, str or None
        As `read_scan`.
    dicom_source : str
        Folder of the DICOM series that a scan of another format was made from, for DICOM results; may be empty.
    problem : str
        Why it cannot be run; empty where it can.
    """

    name: str
    path: str
    modality: str = ""
    prompts: tuple[str, ...] = ()
    preset: str = ""
    report: str = ""
    frame: int | None = None
    series: str | None = None
    volume: int | None = None
    dicom_source: str = ""
    problem: str = ""


def find_tasks(source: str | os.PathLike[str], without: Path | None = None) -> list[ScanTask]:
    """The scans of a cohort, by name.

    Parameters
    ----------
    source : path
        A CSV or JSON-lines file with a column `scan`, a BIDS data set, or a folder that is searched for scans.
    without : Path, optional
        A folder that is left out: that of the results.

    Raises
    ------
    SATSegmentError
        There is nothing, or the list cannot be read.
    """
    path = Path(source).expanduser()
    if path.is_file():
        tasks = list(_listed(path))
    elif path.is_dir():
        found = _bids(path) if (path / _BIDS_MARK).is_file() else _folder(path, without)
        tasks = _named(found, path)
    else:
        raise SATSegmentError(
            f"There is no file or folder {path}.", "Check the name; put it in quotes if it has spaces."
        )
    if not tasks:
        raise SATSegmentError(
            f"{path} holds no scans.", f"Give files ending in {', '.join(_IMAGE_SUFFIXES)}, or DICOM."
        )
    return _unique(tasks)


def _listed(path: Path) -> Iterator[ScanTask]:
    if path.name.lower().endswith(_IMAGE_SUFFIXES):
        raise SATSegmentError(
            f"{path} is a scan, not a list.", "Give the folder that it is in, or use `satsegment segment`."
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = _rows(path, text)
    except (OSError, ValueError, csv.Error) as error:
        raise SATSegmentError(f"{path} is no list: {error}.", "Give a CSV file, or JSON lines.") from error
    for number, row in enumerate(rows, start=1):
        if unknown := set(row) - set(_COLUMNS):
            raise SATSegmentError(f"{path} has a column {min(unknown)!r}.", f"Columns are {', '.join(_COLUMNS)}.")
        if not row.get("scan"):
            raise SATSegmentError(f"Row {number} of {path} names no scan.", "Fill in its column `scan`.")
        yield _task(row, path.parent)


def _rows(path: Path, text: str) -> list[dict[str, str]]:
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError('each line must be an object, like {"scan": "head.nii.gz"}')
        return [{str(key): _cell(value) for key, value in row.items()} for row in rows]
    return [
        {key: (value or "").strip() for key, value in row.items() if key} for row in csv.DictReader(text.splitlines())
    ]


def _cell(value: object) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def _task(row: Mapping[str, str], folder: Path) -> ScanTask:
    scan = folder / Path(row["scan"]).expanduser()
    task = ScanTask(
        name=_safe(row.get("name") or _stem(scan)),
        path=str(scan),
        modality=modality_named(row.get("modality", "")) or row.get("modality", ""),
        prompts=tuple(part.strip() for part in row.get("prompts", "").split(";") if part.strip()),
        preset=row.get("preset", ""),
        report=_beside(row.get("report", ""), folder),
        dicom_source=_beside(row.get("dicom_source", ""), folder),
        series=row.get("series") or None,
    )
    try:
        numbers = {key: int(row[key]) for key in ("frame", "volume") if row.get(key)}
    except ValueError:
        return replace(task, problem="Its frame or volume is not a whole number.")
    if task.modality and task.modality not in MODALITIES:
        return replace(task, problem=f"{task.modality!r} is not a modality: use {', '.join(MODALITIES)}.")
    return replace(task, frame=numbers.get("frame"), volume=numbers.get("volume"))


def _beside(name: str, folder: Path) -> str:
    """A path of a row, which counts from the list's folder."""
    return str(folder / Path(name).expanduser()) if name else ""


def _bids(root: Path) -> list[ScanTask]:
    tasks = []
    for path in sorted(root.glob("sub-*/**/*.nii*")):
        suffix = _stem(path).rsplit("_", 1)[-1]
        if suffix in _BIDS_SUFFIXES and path.name.endswith((".nii", ".nii.gz")):
            tasks.append(ScanTask(_safe(_stem(path)), str(path), _BIDS_SUFFIXES[suffix]))
    return tasks


def _folder(root: Path, without: Path | None) -> list[ScanTask]:
    from SATSegmentLib.scans.dicom.signature import is_dicom

    tasks = []
    for folder, inner, files in os.walk(root):
        inner[:] = sorted(one for one in inner if not one.startswith("."))
        here = Path(folder)
        if without is not None and here.resolve() == without.resolve():
            inner.clear()
            continue
        names = sorted(one for one in files if not one.startswith("."))
        images = [here / one for one in names if _is_image(one)]
        tasks += [ScanTask("", str(image)) for image in images]
        # A folder of DICOM files is one scan; whether it holds several series is seen when it is read.
        if not images and any(is_dicom(here / one) for one in names[:5]):
            tasks.append(ScanTask("", str(here)))
    return tasks


def _is_image(name: str) -> bool:
    return name.lower().endswith(_IMAGE_SUFFIXES) and not name.lower().endswith(_SEGMENTATION)


def _named(tasks: Iterable[ScanTask], root: Path) -> list[ScanTask]:
    """By their names; by their places where two files have one name, and by their endings where that is not enough."""
    tasks = list(tasks)
    for name_of in (_stem, lambda path: _stem(path, root), lambda path: str(path.relative_to(root))):
        names = [_safe(name_of(Path(task.path))) for task in tasks]
        if len(set(map(str.casefold, names))) == len(names):
            break
    return [replace(task, name=name) for task, name in zip(tasks, names, strict=True)]


def _unique(tasks: list[ScanTask]) -> list[ScanTask]:
    """Of several scans of one name the first keeps it, and the others become rows with a reason."""
    seen: Counter[str] = Counter()
    result = []
    for task in tasks:
        # Some file systems do not tell upper case from lower.
        seen[task.name.casefold()] += 1
        count = seen[task.name.casefold()]
        if count > 1:
            problem = (
                f"Another scan of the list is called {task.name}. Give one of them another name in the column `name`."
            )
            task = replace(task, name=f"{task.name}~{count}", problem=problem)
        result.append(task)
    return result


def _stem(path: Path, root: Path | None = None) -> str:
    text = path.name if root is None else str(path.relative_to(root))
    ending = next((one for one in _IMAGE_SUFFIXES if text.lower().endswith(one)), "")
    return text[: len(text) - len(ending)]


def _safe(name: str) -> str:
    """A name that can be a folder's on any system."""
    text = re.sub(r"[^\w.+-]+", "_", name.replace(os.sep, "__")).strip("._")
    return text[:150] or "scan"
