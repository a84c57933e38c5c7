"""Finding the cases and structures in what other tools wrote.

A case is one scan's masks, in one of these shapes: a folder with a file per structure (TotalSegmentator, VoxTell), one
label map with a table of names (nnU-Net, MedSAM), a .seg.nrrd (3D Slicer, SATSegment), a DICOM SEG or an RTSTRUCT.
Several cases lie in a folder: a sub-folder or a file each. Nothing is read here but names.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from SATSegmentLib.errors import SATSegmentError, ScanError
from SATSegmentLib.masks.open import IMAGE_SUFFIXES, ReadMask, is_dicom, is_segmentation, mask_files, open_masks, stem

# Where a folder's table of names is looked for; the last is nnU-Net's own.
_TABLES = ("labels.json", "labels.csv", "dataset.json")
# TotalSegmentator's data sets keep a case's masks one level down.
_INNER_FOLDER = "segmentations"
_BACKGROUND = "background"
# nnU-Net's reserved name for voxels that nobody annotated: they are no structure, and are not judged.
IGNORE = "ignore"

Table = dict[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Case:
    """One scan's masks, not read yet.

    Attributes
    ----------
    name : str
        Of the file or folder, without its ending.
    names : tuple[str, ...]
        Structures as the files call them, with those that a file says were looked for and not found.
    open : Callable[[], ReadMask]
        Reads what the structures share, and returns the reader of a single one by its name, on a grid where it is a
        DICOM object (see `open_masks`).
    needs_grid : bool
        Whether the masks are contours, which have no voxels without a scan's grid.
    ignores : bool
        Whether the reader also knows the name `IGNORE`: voxels that nobody annotated.
    """

    name: str
    names: tuple[str, ...]
    open: Callable[[], ReadMask]
    needs_grid: bool = False
    ignores: bool = False


def find_cases(path: str | os.PathLike[str], table: str | os.PathLike[str] | None = None) -> list[Case]:
    """The cases at a path, by name.

    Parameters
    ----------
    path : str | os.PathLike[str]
        A file or folder; see the module.
    table : str | os.PathLike[str] | None, optional
        Names of a label map's values, JSON or CSV; where None, `labels.json`, `labels.csv` or nnU-Net's
        `dataset.json` is taken from the folder.

    Raises
    ------
    SATSegmentError
        Nothing there, or it cannot be told what the files are.
    """
    path = Path(path).expanduser()
    names = read_table(Path(table).expanduser()) if table is not None else None
    if path.is_file():
        return [_file_case(path, names or _table_beside(path))]
    if not path.is_dir():
        raise SATSegmentError(
            f"There is no file or folder {path}.", "Check the name; put it in quotes if it has spaces."
        )
    folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    images = mask_files(path)
    if [folder.name for folder in folders] == [_INNER_FOLDER]:
        return [_folder_case(path, names)]
    if folders and images:
        raise SATSegmentError(
            f"{path} holds both files and folders, so it cannot be told what a case is.",
            "Keep one folder per case, or one file per case, and nothing else beside them.",
        )
    if folders:
        inherited = names or _table_in(path)
        return [_folder_case(folder, names or _table_in(folder) or inherited) for folder in folders]
    names = names or _table_in(path)
    if names is None and not any(_names_itself(p) for p in images):
        return [_folder_case(path, None)]
    if not images:
        raise _nothing(path)
    return [_file_case(image, names) for image in images]


def read_table(path: Path) -> Table:
    """Names and values of a label map: {"liver": 1}, {"1": "liver"}, nnU-Net's dataset.json, or CSV value,name.

    A structure may have several values ({"kidney": [2, 3]}). Value 0 and "background" are left out; "ignore" is kept
    under the name `IGNORE`.

    Raises
    ------
    SATSegmentError
        The file cannot be read or understood.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = _json_rows(json.loads(text)) if path.suffix.lower() == ".json" else _csv_rows(text)
        table: dict[str, set[int]] = {}
        for name, value in rows:
            if value and name.strip().lower() != _BACKGROUND:
                named = IGNORE if name.strip().lower() == IGNORE else name.strip()
                table.setdefault(named, set()).add(value)
    except OSError as error:
        raise SATSegmentError(f"{path} cannot be read: {error.strerror or error}.", "Give a table of names.") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise SATSegmentError(
            f"{path} is not a table of names and values.",
            'Write JSON such as {"liver": 1, "spleen": 2}, or CSV lines such as 1,liver.',
        ) from error
    if not table.keys() - {IGNORE}:
        raise SATSegmentError(f"{path} names no structure.", "Give each value of the label map a name.")
    return {name: tuple(sorted(values)) for name, values in table.items()}


def _json_rows(content: Any) -> list[tuple[str, int]]:
    content = content.get("labels", content)
    rows: list[tuple[str, int]] = []
    for key, value in content.items():
        if isinstance(value, str):
            rows.append((value, int(key)))
        else:
            rows += [(key, int(v)) for v in (value if isinstance(value, list) else [value])]
    return rows


def _csv_rows(text: str) -> list[tuple[str, int]]:
    rows = [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]
    if rows and not rows[0][0].strip().isdigit():  # a header line
        rows = rows[1:]
    # A name may itself hold a comma that nobody put in quotes.
    return [(",".join(row[1:]), int(row[0])) for row in rows]


def _file_case(path: Path, table: Table | None) -> Case:
    name = stem(path)
    if _names_itself(path):
        masks = open_masks(path)
        return Case(name, (*masks.names, *masks.not_found), lambda: open_masks(path).read, masks.needs_grid)
    if table is None:
        raise SATSegmentError(
            f"{path} is a label map, and nothing says what its values mean.",
            "Give a table of names (value,name as CSV, or JSON), or put labels.csv or labels.json beside it.",
        )
    names = tuple(one for one in table if one != IGNORE)
    return Case(name, names, lambda: open_masks(path, table).read, ignores=IGNORE in table)


def _folder_case(folder: Path, table: Table | None) -> Case:
    inner = folder / _INNER_FOLDER
    images = mask_files(inner if inner.is_dir() else folder)
    if not images:
        raise _nothing(folder)
    if len(images) == 1 and (table is not None or _names_itself(images[0])):
        return replace(_file_case(images[0], table), name=folder.name)
    if table is not None or any(_names_itself(image) for image in images):
        raise SATSegmentError(
            f"The case {folder} holds {len(images)} files, of which only one can be its label map or segmentation.",
            "Keep one label map (or .seg.nrrd) per case, or one mask per structure and no table of names.",
        )
    files = {stem(image): image for image in images}
    if len(files) < len(images):
        raise SATSegmentError(f"{folder} holds one structure in two formats.", "Keep one of the files.")
    return Case(folder.name, tuple(files), lambda: open_masks(inner if inner.is_dir() else folder).read)


def _names_itself(path: Path) -> bool:
    """Whether the file says what its masks are called."""
    return is_segmentation(path) or is_dicom(path)


def _table_in(folder: Path) -> Table | None:
    found = next((folder / name for name in _TABLES if (folder / name).is_file()), None)
    return read_table(found) if found else None


def _table_beside(path: Path) -> Table | None:
    return None if _names_itself(path) else _table_in(path.parent)


def _nothing(path: Path) -> ScanError:
    return ScanError(
        f"{path} holds no masks.",
        f"Give NIfTI, NRRD or MHA files ({', '.join(IMAGE_SUFFIXES)}), .seg.nrrd, or .dcm files (SEG, RTSTRUCT).",
    )
