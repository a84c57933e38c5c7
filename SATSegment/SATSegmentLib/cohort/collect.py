"""One table and one page from all scans' folders, whatever runs or shards wrote them."""

from __future__ import annotations

import html
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from SATSegmentLib.cohort.settings import differences
from SATSegmentLib.cohort.units import PICTURE, masks_in, units
from SATSegmentLib.errors import OutputError, SATSegmentError, SATSegmentWarning
from SATSegmentLib.files import atomic_path
from SATSegmentLib.quality.table import COLUMNS, write_table

TABLE, PARQUET, PAGE = "cohort.csv", "cohort.parquet", "cohort.html"
SCAN_COLUMNS = ("scan", "path", "scan_status", "reason")
ALL_COLUMNS = (*SCAN_COLUMNS, *COLUMNS)
_STRUCTURE_TEXTS = ("structure", "status", "flags", "flag_reasons", "doubts", "doubt_reasons", "cut_by", "unit")
_TEXT_COLUMNS = {*SCAN_COLUMNS, *_STRUCTURE_TEXTS, "modality", "trained"}

# Columns of a scan's table on the page.
_SHOWN = ("structure", "status", "volume_ml", "mean", "flags")

Unit = tuple[Path, dict[str, Any]]


@dataclass(frozen=True)
class Collected:
    """What was put together.

    Attributes
    ----------
    files : tuple of Path
        Table and page.
    done, failed, flagged : int
        Scans with results, without results, and with flags, which have results, too.
    """

    files: tuple[Path, ...]
    done: int
    failed: int
    flagged: int

    def text(self) -> str:
        """For people."""
        counts = f"{self.done} of {self.done + self.failed} scans have results"
        return f"{counts}, {self.failed} without results, {self.flagged} with flags."


def collect(folders: Sequence[Path], out: Path) -> Collected:
    """Write the table (CSV, and Parquet where pyarrow is there) and the page of all scans in one or more folders.

    Parameters
    ----------
    folders : sequence of Path
        Results of `satsegment cohort`: of shards on one disk it is one folder, else one each.
    out : Path
        Folder of table and page; older ones are replaced.

    Returns
    -------
    Collected
        What was written, and of how many scans.

    Raises
    ------
    SATSegmentError
        A folder has no results.
    OutputError
        As `files.atomic_path`.
    """
    found: list[Unit] = []
    damaged: list[str] = []
    for folder in {one.resolve(): one for one in folders}.values():
        all_here = units(folder)
        here = [(path, content) for path, content in all_here if content is not None]
        damaged += [path.name for path, content in all_here if content is None]
        if not here:
            raise SATSegmentError(f"{folder} has no results of a cohort.", "Give the --out of `satsegment cohort`.")
        found += here
    for text in (*_about_damaged(damaged), *_doubts_of(found)):
        warnings.warn(text, SATSegmentWarning, stacklevel=2)
    rows = [row for _, content in found for row in rows_of(content)]
    out.mkdir(parents=True, exist_ok=True)
    write_table(out / TABLE, rows, ALL_COLUMNS, overwrite=True)
    written = [out / TABLE]
    if _write_parquet(out / PARQUET, rows):
        written.append(out / PARQUET)
    with atomic_path(out / PAGE, overwrite=True) as temporary:
        temporary.write_text(page(found, out), encoding="utf-8")
    flagged, failed = _counts(found)
    return Collected((*written, out / PAGE), len(found) - failed, failed, flagged)


def _about_damaged(names: Sequence[str]) -> Iterator[str]:
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield (
            f"The results of {names[0]}{more} are damaged, and not in the table. "
            "`satsegment cohort ... --resume` makes them again."
        )


def _doubts_of(found: Sequence[Unit]) -> Iterator[str]:
    """What makes rows of one table no table of one cohort."""
    counts = Counter((content["scan"], content["path"]) for _, content in found)
    twice = sorted(name for (name, _), count in counts.items() if count > 1)
    if twice:
        more = f" and {len(twice) - 1} more" if len(twice) > 1 else ""
        yield f"More than one of these folders has results of {twice[0]}{more}: the table has rows of each."
    made = [content for _, content in found if "error" not in content]
    unlike = {text for one in made for text in differences(made[0].get("settings") or {}, one.get("settings") or {})}
    if unlike:
        yield f"These results were made with different options ({'; '.join(sorted(unlike))}): do not compare them."
    elif len({one.get("network_sha256") for one in made}) > 1:
        yield "These results were made with different weights under one name of a model: do not compare them."


def rows_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    """A scan's rows of the table: one a structure, or one with the reason why it has none."""
    error = content.get("error")
    doubts = content.get("doubts", ())
    head = {
        "scan": content["scan"],
        "path": content["path"],
        "scan_status": "failed" if error else "done",
        "reason": f"{error['message']} {error.get('remedy', '')}".strip() if error else "",
        "doubts": "; ".join(str(one.get("kind", "")) for one in doubts),
        "doubt_reasons": " ".join(str(one.get("text", "")) for one in doubts),
    }
    return [{**head, **row} for row in content["rows"]] or [head]


def _write_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> bool:
    """Whether it could be: without pyarrow there is the CSV alone."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        return False
    columns = {}
    for name in ALL_COLUMNS:
        values = [row.get(name, "") for row in rows]
        if name in _TEXT_COLUMNS:
            columns[name] = pyarrow.array([str(value) for value in values], pyarrow.string())
        else:
            numbers = [None if value == "" else float(value) for value in values]
            columns[name] = pyarrow.array(numbers, pyarrow.float64())
    with atomic_path(path, overwrite=True) as temporary:
        try:
            pyarrow.parquet.write_table(pyarrow.table(columns), str(temporary))
        except pyarrow.ArrowException as error:
            raise OutputError(f"{path} could not be written: {error}.", "Choose another place.") from error
    return True


def page(found: Sequence[Unit], out: Path) -> str:
    """The page: a card a scan, flagged ones first, then those without results, then all others."""
    ordered = sorted(found, key=lambda unit: (_rank(unit[1]), unit[1]["scan"]))
    flagged, failed = _counts(found)
    cards = "\n".join(_card(folder, content, out) for folder, content in ordered)
    return _PAGE.format(scans=len(found), flagged=flagged, failed=failed, cards=cards)


def _counts(found: Sequence[Unit]) -> tuple[int, int]:
    """How many have flags, and how many no results."""
    ranks = Counter(_rank(content) for _, content in found)
    return ranks[0], ranks[1]


def _rank(content: dict[str, Any]) -> int:
    if any(row.get("flags") for row in content["rows"]):
        return 0
    return 1 if "error" in content else 2


def _card(folder: Path, content: dict[str, Any], out: Path) -> str:
    name = html.escape(str(content["scan"]))
    link = quote(Path(os.path.relpath(folder, out)).as_posix())
    rank = _rank(content)
    lines = [f"<p class=bad>\u2716 {html.escape(rows_of(content)[0]['reason'])}</p>"] if rank == 1 else []
    for row in content["rows"]:
        if row.get("flags"):
            text = f"{row.get('structure', '')}: {row.get('flag_reasons', '')}"
            lines.append(f"<p class=flag>\u26a0 {html.escape(text)}</p>")
    lines += [f"<p class=doubt>? {html.escape(str(one.get('text', '')))}</p>" for one in content.get("doubts", ())]
    picture = f'<img src="{link}/{PICTURE}" alt="Slice through {name} with its structures" loading=lazy>'
    masks = masks_in(folder)
    # Masks of an earlier run may lie beside a failure; they are not this scan's results.
    title = f'<a href="{link}/{masks.name}">{name}</a>' if masks is not None and rank != 1 else name
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(row.get(name, '')))}" for name in _SHOWN) for row in content["rows"]
    )
    table = f"<table><tr><th>structure<th>result<th>mL<th>mean<th>flags{rows}</table>" if rows else ""
    state = ("flagged", "no result", "done")[rank]
    body = "\n".join(lines)
    shown = picture if rank != 1 else ""
    return f"<section class=r{rank}>{shown}<div><h2>{title} <small>{state}</small></h2>{body}{table}</div></section>"


_PAGE = """<!doctype html>
<html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width"><title>Cohort</title>
<style>
body {{font: 15px system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; color: #1a1d21}}
section {{display: flex; gap: 1em; border-top: 1px solid #bbb; padding: 1em 0}}
img {{width: 256px; height: auto; align-self: start; background: #000}}
h2 {{font-size: 1.1em; margin: 0}} small {{font-weight: normal; color: #555}} p {{margin: .4em 0}}
.flag, .bad {{color: #8a2500}} .doubt {{color: #555}}
table {{border-collapse: collapse; font-size: .9em}} td, th {{padding: .1em .8em .1em 0; text-align: left}}
</style>
<h1>Cohort</h1>
<p>{scans} scans: {flagged} with flags (\u26a0, first), {failed} without results (\u2716). Slices show the patient's
right on the left. A flag says what to look at; the absence of a flag proves nothing.
Research use only. Not a medical device.</p>
{cards}
</html>
"""
