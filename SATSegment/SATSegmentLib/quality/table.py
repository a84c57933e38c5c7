"""Results as rows of a table and as JSON: one way for the command line, cohorts and programs."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
from collections.abc import Iterable, Mapping, Sequence

from SATSegmentLib.anatomy.personal.user_words import is_taught
from SATSegmentLib.files import atomic_path
from SATSegmentLib.types import Doubt, SegmentResult, Statistics

# Name of a column: what it holds. "flags" first after the status: they are what a reader should not miss.
COLUMNS: dict[str, str] = {
    "structure": "prompt's text",
    "status": "found, empty or unknown (to the model)",
    "flags": "kinds of its flags, with semicolons between them",
    "flag_reasons": "sentence and numbers of each flag",
    "doubts": "kinds of what the scan's file leaves open, with semicolons between them",
    "doubt_reasons": "sentence of each doubt",
    "volume_ml": "volume",
    "mean_probability": "mean of the network's probability over the mask",
    "max_probability": "highest probability of any window",
    "cut_by": "sides of the scan that the mask touches",
    "unit": "of the intensities",
    "mean": "intensity",
    "sd": "standard deviation of the intensity",
    "minimum": "intensity",
    "p05": "5th percentile of the intensity",
    "median": "intensity",
    "p95": "95th percentile of the intensity",
    "maximum": "intensity",
    "centroid_r_mm": "centre of mass, RAS",
    "centroid_a_mm": "centre of mass, RAS",
    "centroid_s_mm": "centre of mass, RAS",
    "extent_r_mm": "width of the box around it, left to right",
    "extent_a_mm": "back to front",
    "extent_s_mm": "feet to head",
    "surface_cm2": "surface",
    "pieces": "connected pieces",
    "largest_share": "share of the voxels in the largest piece",
    "modality": "of the prompt",
    "trained": "whether the model is known to have been trained on it",
    "seconds": "spent on this prompt alone",
    "windows_looked_at": "windows of the scan that were looked at for it",
    "windows": "windows that cover the scan",
}


def row_of(result: SegmentResult, doubts: Sequence[Doubt] = ()) -> dict[str, str | float | int]:
    """A result as a row of `COLUMNS`, with the doubts about its scan; what is not known is an empty text."""
    row: dict[str, str | float | int] = dict.fromkeys(COLUMNS, "")
    row |= {
        "structure": result.prompt.text,
        "status": result.status,
        "flags": "; ".join(flag.kind.value for flag in result.flags),
        "flag_reasons": " ".join(f"{flag.text} ({flag.reason})" for flag in result.flags),
        "doubts": "; ".join(doubt.kind.value for doubt in doubts),
        "doubt_reasons": " ".join(doubt.text for doubt in doubts),
        "volume_ml": round(result.volume_ml, 4),
        "mean_probability": round(result.mean_probability, 4),
        "max_probability": round(result.max_probability, 4),
        "cut_by": " ".join(result.cut_by),
        "modality": result.prompt.modality,
        "trained": "yes" if result.prompt.trained else "no",
        "seconds": round(result.seconds, 3),
    }
    if result.windows is not None:
        row |= {"windows_looked_at": result.windows.looked_at, "windows": result.windows.total}
    return row | (_columns(result.statistics) if result.statistics is not None else {})


def _columns(one: Statistics) -> dict[str, str | float | int]:
    numbers = ("mean", "sd", "minimum", "p05", "median", "p95", "maximum", "surface_cm2")
    row: dict[str, str | float | int] = {name: round(getattr(one, name), 4) for name in numbers}
    for axis, centre, extent in zip("ras", one.centroid_ras, one.extent_mm, strict=True):
        row |= {f"centroid_{axis}_mm": round(centre, 2), f"extent_{axis}_mm": round(extent, 2)}
    return row | {"unit": one.unit, "pieces": one.pieces, "largest_share": round(one.largest_share, 4)}


def as_json(result: SegmentResult) -> dict[str, object]:
    """A result as JSON values: with its statistics and flags, without its mask."""
    return {
        "structure": result.prompt.text,
        "modality": result.prompt.modality,
        "trained": result.prompt.trained,
        "taught": is_taught(result.prompt),
        "status": result.status,
        "voxels": result.voxels,
        "volume_ml": round(result.volume_ml, 4),
        "mean_probability": round(result.mean_probability, 4),
        "max_probability": round(result.max_probability, 4),
        "cut_by": list(result.cut_by),
        "orientation": result.orientation,
        "seconds": round(result.seconds, 3),
        "windows": dataclasses.asdict(result.windows) if result.windows is not None else None,
        "statistics": _statistics_json(result.statistics),
        "flags": [flag.as_dict() for flag in result.flags],
    }


def _statistics_json(statistics: Statistics | None) -> dict[str, object] | None:
    if statistics is None:
        return None
    values = dataclasses.asdict(statistics)
    return {key: _rounded(value) for key, value in values.items()} | {"extent_mm": _rounded(statistics.extent_mm)}


def _rounded(value: object) -> object:
    if isinstance(value, tuple):
        return [_rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def as_csv(rows: Iterable[Mapping[str, object]], columns: Sequence[str] = tuple(COLUMNS)) -> str:
    """Rows as CSV with a header line (RFC 4180); cells that a spreadsheet would run as a formula are quoted."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, columns, extrasaction="ignore", restval="")
    writer.writeheader()
    writer.writerows({key: _plain_cell(value) for key, value in row.items()} for row in rows)
    return buffer.getvalue()


def _plain_cell(value: object) -> object:
    # A file's name may begin so, and a spreadsheet would compute it.
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


def write_table(
    path: str | os.PathLike[str],
    rows: Iterable[Mapping[str, object]],
    columns: Sequence[str] = tuple(COLUMNS),
    *,
    overwrite: bool = False,
) -> None:
    """Write rows as a CSV file, whole or not at all.

    Raises
    ------
    OutputError
        See `files.atomic_path`.
    """
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(as_csv(rows, columns).encode("utf-8"))
