"""Where a record's masks are.

A record's "mask" and "label" together say it, in one of these ways:

* a label map and a list of labels: the first label is value 1, the second value 2 (SAT-DS);
* a label map and an object: {"left kidney": 2, "kidney": [2, 3]};
* a label map and the name of a table (.tsv, .csv, .json) of values and names;
* a 4-D NIfTI, or a .npy with axes (N, I, J, K), and a list: one channel for each label;
* a list of files and a list of labels: one mask for each;
* a .seg.nrrd, DICOM SEG or RTSTRUCT, and a list of its segments' names, or an object {"liver": "Leber"}.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from SATSegmentLib.errors import SATSegmentError, ScanError
from SATSegmentLib.learning.data.label_names import normalise_label
from SATSegmentLib.learning.data.scan_files import header_grid
from SATSegmentLib.masks.cases import IGNORE, read_table
from SATSegmentLib.masks.open import is_dicom, is_segmentation, open_masks

Kind = Literal["file", "values", "channel", "segment"]


@dataclass(frozen=True)
class MaskSource:
    """Where the mask of one label is.

    Attributes
    ----------
    label : str
        Normalised name.
    path : Path
        The file.
    kind : Kind
        A file of its own, values of a label map, a channel, or a segment.
    values : tuple[int, ...]
        The label map's values that are this label, or the one number of the channel.
    allowed : int
        For a label map whose labels were counted, how many there are: no value may be higher; 0: any.
    segment : str
        The segment's name in the file.
    """

    label: str
    path: Path
    kind: Kind
    values: tuple[int, ...] = ()
    allowed: int = 0
    segment: str = ""


def find_masks(mask: Any, label: Any, folder: Path) -> tuple[tuple[MaskSource, ...], list[str]]:
    """Where each label's mask is, and everything that is wrong with it; reads headers and tables only."""
    try:
        sources = _sources(mask, label, folder)
    except SATSegmentError as error:
        return (), [f"mask: {error.message}"]
    names = [source.label for source in sources]
    reasons = [f'names the label "{name}" more than once' for name in dict.fromkeys(names) if names.count(name) > 1]
    if not all(names):
        reasons.append("has a label without a name")
    if "background" in names:
        reasons.append('lists "background" as a label; leave it out, and value 0 with it')
    if IGNORE in names:
        reasons.append(
            'lists "ignore" as a label, which nnU-Net reserves for voxels nobody annotated; training cannot leave '
            "single voxels out, so annotate them, or leave the case out"
        )
    return sources, reasons


def _sources(mask: Any, label: Any, folder: Path) -> tuple[MaskSource, ...]:
    if isinstance(mask, list):
        return _one_file_each(mask, label, folder)
    if not isinstance(mask, str) or not mask.strip():
        raise ScanError('"mask" must be a file name, or a list of them.')
    path = (folder / Path(mask).expanduser()).resolve()
    if not path.is_file():
        raise ScanError(f"There is no file {path}.")
    if is_segmentation(path) or is_dicom(path):
        return _segments(path, label)
    if isinstance(label, str | dict):
        if _channels(path):
            raise ScanError(f"{path.name} holds several masks, so it has no values; list one label for each of them.")
        if isinstance(label, str):
            table = read_value_table((folder / Path(label).expanduser()).resolve())
        else:
            table = {name: _values(name, value) for name, value in label.items()}
        return tuple(MaskSource(normalise_label(name), path, "values", values) for name, values in table.items())
    names = _names(label)
    channels = _channels(path)
    if channels and channels != len(names):
        raise ScanError(f"{path.name} holds {channels} masks for {len(names)} labels.")
    if not channels:
        if len(names) == 1:
            return (MaskSource(names[0], path, "file"),)
        return tuple(
            MaskSource(name, path, "values", (value,), allowed=len(names)) for value, name in enumerate(names, start=1)
        )
    return tuple(MaskSource(name, path, "channel", (number,)) for number, name in enumerate(names))


def _one_file_each(masks: list[Any], label: Any, folder: Path) -> tuple[MaskSource, ...]:
    names = _names(label)
    if not all(isinstance(mask, str) and mask.strip() for mask in masks):
        raise ScanError('"mask" must be a file name, or a list of them.')
    if len(masks) != len(names):
        raise ScanError(f"There are {len(masks)} masks for {len(names)} labels.")
    paths = [(folder / Path(mask).expanduser()).resolve() for mask in masks]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise ScanError(f"There is no file {', '.join(missing)}.")
    if len(set(paths)) < len(paths):
        raise ScanError("One mask file is given for two labels; write it once, with the values of each label.")
    return tuple(MaskSource(name, path, "file") for name, path in zip(names, paths, strict=True))


def _segments(path: Path, label: Any) -> tuple[MaskSource, ...]:
    header = open_masks(path)
    there = {normalise_label(name): name for name in (*header.names, *header.not_found)}
    if isinstance(label, dict):
        wanted = [(normalise_label(name), segment) for name, segment in label.items()]
    else:
        wanted = [(name, name) for name in _names(label)]
    sources = []
    for name, segment in wanted:
        found = there.get(normalise_label(segment)) if isinstance(segment, str) else None
        if found is None:
            raise ScanError(f'{path.name} has no segment "{segment}"; it has {", ".join(there.values())}.')
        sources.append(MaskSource(name, path, "segment", segment=found))
    return tuple(sources)


def _names(label: Any) -> list[str]:
    if not isinstance(label, list) or not label or not all(isinstance(name, str) for name in label):
        raise ScanError('"label" must be a list of names, an object of names and values, or the name of a table.')
    return [normalise_label(name) for name in label]


def _values(name: str, value: Any) -> tuple[int, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(v, int) and not isinstance(v, bool) and v > 0 for v in values):
        raise ScanError(f'The value of "{name}" must be a whole number above 0, or a list of them.')
    return tuple(sorted(set(values)))


def _channels(path: Path) -> int:
    """Number of channels, 0 for one 3-D array."""
    if path.suffix.lower() == ".npy":
        shape = open_npy(path).shape
        if len(shape) not in (3, 4):
            raise ScanError(f"{path.name} has {len(shape)} axes; it needs (N, I, J, K) or (I, J, K).")
        return shape[0] if len(shape) == 4 else 0
    frames = header_grid(path)[1]
    return frames if frames > 1 else 0


def read_value_table(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and values of a label map: value, then name in a .tsv; otherwise what `satsegment evaluate` reads.

    Raises
    ------
    SATSegmentError
        It cannot be read or understood.
    """
    if path.suffix.lower() != ".tsv":
        return read_table(path)
    table: dict[str, set[int]] = {}
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        if rows and not rows[0][0].strip().isdigit():  # a header line
            rows = rows[1:]
        for row in rows:
            if int(row[0]) and row[1].strip():
                table.setdefault(row[1].strip(), set()).add(int(row[0]))
    except (OSError, ValueError, IndexError) as error:
        raise ScanError(
            f"{path} is not a table of values and names.", "Write value, tab, name on each line."
        ) from error
    if not table:
        raise ScanError(f"{path} names no structure.")
    return {name: tuple(sorted(values)) for name, values in table.items()}


def open_npy(path: Path) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ScanError(
            f"{path.name} cannot be read as an array of numbers.", "Save it again with numpy.save."
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "buif":
        raise ScanError(f"{path.name} does not hold one array of numbers.", "Save it again with numpy.save.")
    return array
