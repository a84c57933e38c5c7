"""The results as files: tables that a spreadsheet opens, and one JSON with everything."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from SATSegmentLib import __version__
from SATSegmentLib.evaluation.comparison import OVERALL, Difference, Interval, Scope, label_scope
from SATSegmentLib.evaluation.protocol import METRICS, CaseScore, Mean, Merged, region_of
from SATSegmentLib.evaluation.run import MethodScores, Settings
from SATSegmentLib.files import atomic_path, write_report

TABLES = ("cases.csv", "datasets.csv", "labels.csv", "regions.csv")
COMPARISON = "comparison.csv"
JSON = "evaluation.json"
_WITH_INTERVAL = ("dsc", "nsd")


@dataclass(frozen=True)
class Judged:
    """One method with all that was worked out about it."""

    scores: MethodScores
    merged: Merged
    intervals: Mapping[tuple[Scope, str], Interval]


def write_tables(
    folder: Path, methods: Sequence[Judged], differences: Sequence[Difference], settings: Settings, overwrite: bool
) -> None:
    """Write the CSV tables and the JSON into a folder that is there.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    tables = dict(zip(TABLES, (_cases(methods), _datasets(methods), _labels(methods), _regions(methods)), strict=True))
    if len(methods) > 1:
        tables[COMPARISON] = [_difference(one) for one in differences]
    for name, rows in tables.items():
        _write_csv(folder / name, rows, overwrite)
    write_report(folder / JSON, as_dict(methods, differences, settings), overwrite=overwrite)


def as_dict(methods: Sequence[Judged], differences: Sequence[Difference], settings: Settings) -> dict[str, Any]:
    """Everything as plain data."""
    return {
        "software": f"SATSegment {__version__}",
        "settings": asdict(settings),
        "methods": [
            {
                "method": judged.scores.method,
                "unmatched": asdict(judged.scores.unmatched),
                "regions": _regions([judged]),
                "labels": _labels([judged]),
                "datasets": _datasets([judged]),
                "cases": _cases([judged]),
            }
            for judged in methods
        ],
        "comparison": [_difference(one) for one in differences],
    }


def _cases(methods: Iterable[Judged]) -> list[dict[str, Any]]:
    return [_case(judged.scores.method, row) for judged in methods for row in judged.scores.rows]


def _case(method: str, row: CaseScore) -> dict[str, Any]:
    return {
        "method": method,
        "dataset": row.dataset,
        "case": row.case,
        "modality": row.key.modality,
        "label": row.key.label,
        "region": region_of(row.key.label),
        **{name: row.metric(name) for name in METRICS},
        "reference_ml": row.scores.reference_ml,
        "prediction_ml": row.scores.prediction_ml,
        "name_in_reference": row.given_reference,
        "name_in_prediction": row.given_prediction,
        "missing_counted_as_empty": row.missing,
        "resampled": row.resampled,
        "share_outside_reference_grid": row.outside,
    }


def _datasets(methods: Iterable[Judged]) -> list[dict[str, Any]]:
    return [
        {
            "method": judged.scores.method,
            "dataset": dataset,
            "modality": key.modality,
            "label": key.label,
            "cases": mean.cases,
            **mean.means,
        }
        for judged in methods
        for (dataset, key), mean in judged.merged.datasets.items()
    ]


def _labels(methods: Iterable[Judged]) -> list[dict[str, Any]]:
    return [
        {
            "method": judged.scores.method,
            "modality": key.modality,
            "label": key.label,
            "region": region_of(key.label),
            "cases": mean.cases,
            **_means(judged, mean, label_scope(key)),
        }
        for judged in methods
        for key, mean in judged.merged.labels.items()
    ]


def _regions(methods: Iterable[Judged]) -> list[dict[str, Any]]:
    rows = []
    for judged in methods:
        scopes = [(Scope("region", region), mean) for region, mean in judged.merged.regions.items()]
        for scope, mean in [*scopes, (Scope("overall", OVERALL), judged.merged.overall)]:
            counts = {"labels": mean.labels, "scores": mean.cases}
            rows.append({"method": judged.scores.method, "region": scope.name, **counts, **_means(judged, mean, scope)})
    return rows


def _means(judged: Judged, mean: Mean, scope: Scope) -> dict[str, float | None]:
    """The means, DSC and NSD each followed by its interval."""
    found: dict[str, float | None] = {}
    for name, value in mean.means.items():
        found[name] = value
        if name in _WITH_INTERVAL:
            interval = judged.intervals.get((scope, name))
            found[f"{name}_low"] = interval.low if interval else None
            found[f"{name}_high"] = interval.high if interval else None
    return found


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "level": one.scope.level,
        "name": one.scope.name,
        "metric": one.metric,
        "cases": one.interval.cases,
        "first": one.first,
        "second": one.second,
        "difference": one.interval.mean,
        "low": one.interval.low,
        "high": one.interval.high,
        "p": one.p,
        "p_adjusted": one.p_adjusted,
    }


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]], overwrite: bool) -> None:
    with atomic_path(path, overwrite=overwrite) as temporary, temporary.open("w", encoding="utf-8", newline="") as out:
        if rows:
            writer = csv.DictWriter(out, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
