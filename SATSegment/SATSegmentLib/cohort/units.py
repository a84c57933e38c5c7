"""One scan's results on disk: a folder that is there whole, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from SATSegmentLib.cohort.listing import ScanTask
from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.files import atomic_path
from SATSegmentLib.storage.formats import Format, suffix_of

SCANS, RESULT, PICTURE = "scans", "result.json", "picture.png"
# What RESULT said of masks that stay although a later run of their scan failed.
EARLIER = "earlier.json"


def unit_folder(out: Path, task: ScanTask) -> Path:
    """Where a scan's results are."""
    return out / SCANS / task.name


def masks_name(format_: Format) -> str:
    """The name of a scan's masks among its results."""
    return f"masks{suffix_of(format_)}"


def masks_in(folder: Path) -> Path | None:
    """A scan's masks, in whatever format; None where it has none."""
    return next(iter(folder.glob("masks.*")), None)


def key_of(task: ScanTask, settings: dict[str, Any]) -> str:
    """Changes with whatever would change a scan's results: the file, its row, the settings of the cohort."""
    path = Path(task.path)
    stats = [path.stat()] if path.is_file() else [one.stat() for one in sorted(path.glob("*")) if one.is_file()]
    files = [(one.st_size, one.st_mtime_ns) for one in stats]
    asked = {**asdict(task), "settings": settings, "files": files}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def is_done(out: Path, task: ScanTask, key: str, settings: dict[str, Any]) -> bool:
    """Whether a scan has its results, made as they would be made now.

    Those of a scan that is away (its disk is not mounted) count if the same was asked: nothing says that it changed.
    """
    found = read_unit(unit_folder(out, task))
    if found is None or "error" in found:
        return False
    if found.get("key") == key:
        return True
    asked = (found.get("row"), found.get("settings"))
    return not os.path.exists(task.path) and asked == (row_of_list(task), settings)


def row_of_list(task: ScanTask) -> dict[str, Any]:
    """A scan and what its row asks, as JSON reads it back."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(task).items()}


def read_unit(folder: Path) -> dict[str, Any] | None:
    """What a scan's folder says; None where there is none, or it cannot be understood."""
    try:
        found = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if _is_of_a_scan(found) else None


def _is_of_a_scan(found: Any) -> bool:
    """Whether it has what every reader of a scan's results counts on; a file may be damaged, or edited by hand."""
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in ("scan", "path")):
        return False
    error, doubts, rows = found.get("error"), found.get("doubts", []), found.get("rows")
    if not isinstance(rows, list) or not isinstance(doubts, list):
        return False
    told = [*rows, *doubts, *([] if error is None else [error])]
    return all(isinstance(one, dict) for one in told) and (error is None or isinstance(error.get("message"), str))


def units(out: Path) -> list[tuple[Path, dict[str, Any] | None]]:
    """All scans' folders of a cohort, by name, with what they say; None where that cannot be understood."""
    folder = out / SCANS
    names = sorted(one.name for one in folder.iterdir() if not one.name.startswith(".")) if folder.is_dir() else []
    return [(folder / name, read_unit(folder / name)) for name in names if (folder / name).is_dir()]


def write_failure(out: Path, task: ScanTask, key: str, error: SATSegmentError, doubts: list[dict[str, str]]) -> None:
    """Keep why a scan has no results; masks that an earlier run made stay beside it.

    Raises
    ------
    OutputError
        As `files.atomic_path`.
    """
    content = {"scan": task.name, "path": task.path, "key": key, "error": error.as_dict(), "doubts": doubts, "rows": []}
    text = json.dumps(content, indent=1, ensure_ascii=False)
    unit = unit_folder(out, task)
    if masks_in(unit) is None:
        with atomic_path(unit, overwrite=True, folder=True) as folder:
            (folder / RESULT).write_text(text, encoding="utf-8")
        return
    earlier = read_unit(unit)
    if earlier is not None and "error" not in earlier:
        with atomic_path(unit / EARLIER, overwrite=True) as temporary:
            shutil.copyfile(unit / RESULT, temporary)
    with atomic_path(unit / RESULT, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")
