"""`satsegment evaluate`: masks against a reference, and two methods against each other."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from SATSegmentLib.cli.help_text import describe
from SATSegmentLib.cli.modality import add_modality
from SATSegmentLib.cli.numbers import number_where

if TYPE_CHECKING:
    from SATSegmentLib.evaluation.comparison import Difference
    from SATSegmentLib.evaluation.report import Judged
    from SATSegmentLib.evaluation.run import MethodScores, Settings

_SHOWN = 12

_TOLERANCE = number_where(float, lambda value: 0 <= value < 1000, "must be a distance in mm, from 0 to below 1000")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment evaluate references sat --modality ct --out scores",
        "satsegment evaluate references totalsegmentator --modality ct --against sat --out judged",
        notes=(
            "REFERENCE, PREDICTION and OTHER are each one of:\n"
            "  a .seg.nrrd, or a label map with a table of its names (labels.csv, labels.json or "
            "dataset.json beside it);\n"
            "  a folder with one mask per structure (liver.nii.gz, kidney_left.nii.gz, ...): one case;\n"
            "  a folder of cases: a sub-folder or a file for each, named the same on all sides.",
            "Names are matched to SAT's labels only where there is no doubt; the rest is listed and not scored. "
            "Writes cases.csv, datasets.csv, labels.csv, regions.csv, comparison.csv, evaluation.json and pictures.",
        ),
        codes={1: "cancelled; files that are finished stay"},
    )
    parser.add_argument("reference", type=Path, metavar="REFERENCE", help="reference masks")
    parser.add_argument("prediction", type=Path, metavar="PREDICTION", help="masks to evaluate")
    add_modality(parser, "modality of the scans; it decides what names mean", required=True)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="folder for results; created if missing"
    )
    parser.add_argument("--against", type=Path, metavar="OTHER", help="another method's masks, to compare with")
    parser.add_argument(
        "--tolerance", type=_TOLERANCE, default=1.0, metavar="MM", help="tolerance of the NSD (default: 1.0, as SAT's)"
    )
    parser.add_argument(
        "--grid",
        choices=("own", "sat"),
        default="own",
        help="compare on the scan's own grid, or on SAT's 1 x 1 x 3 mm for numbers like the paper's (default: own)",
    )
    parser.add_argument(
        "--dataset",
        metavar="NAME|TABLE.csv",
        help="the cases' dataset, or a table with the columns case, dataset and, where they differ, modality",
    )
    for side, place in (("reference", "REFERENCE"), ("prediction", "PREDICTION"), ("against", "OTHER")):
        parser.add_argument(
            f"--{side}-names",
            type=Path,
            metavar="FILE",
            help=f"JSON or CSV: names in {place}'s label maps",
        )
    parser.add_argument(
        "--resample", action="store_true", help="bring masks on another grid onto the reference's (nearest voxel)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results that are in FOLDER")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate; returns the exit code."""
    from SATSegmentLib.evaluation.comparison import compare, intervals
    from SATSegmentLib.evaluation.plots import draw
    from SATSegmentLib.evaluation.protocol import merge
    from SATSegmentLib.evaluation.report import Judged, write_tables
    from SATSegmentLib.evaluation.run import Settings

    _need_libraries()
    folder = arguments.out.expanduser()
    _check_folder(folder, arguments.overwrite)
    settings = Settings(arguments.grid, arguments.tolerance, arguments.resample)
    scored = _score(arguments, settings)
    methods = [Judged(scores, merge(scores.rows), intervals(scores.rows)) for scores in scored]
    differences = compare(*(scores.rows for scores in scored)) if len(scored) > 1 else []
    _make_folder(folder)
    write_tables(folder, methods, differences, settings, arguments.overwrite)
    draw(folder, methods, arguments.overwrite)
    for judged in methods:
        _warn(judged.scores)
        _print_regions(judged)
    _print_comparison(methods, differences)
    arguments.answer = {"folder": str(folder)}
    print(f"\n{folder}: tables, evaluation.json and pictures")
    return 0


def _score(arguments: argparse.Namespace, settings: Settings) -> list[MethodScores]:
    from SATSegmentLib.cli.progress import progress_bar
    from SATSegmentLib.evaluation.datasets import read_datasets
    from SATSegmentLib.evaluation.run import evaluate, method_names
    from SATSegmentLib.masks.cases import find_cases

    datasets = read_datasets(arguments.dataset, arguments.modality)
    reference = find_cases(arguments.reference, arguments.reference_names)
    sides = [(arguments.prediction, arguments.prediction_names)]
    if arguments.against is not None:
        sides.append((arguments.against, arguments.against_names))
    # All are found before any is read: a wrong name shall not be told after the work.
    found = [find_cases(path, names) for path, names in sides]
    scored = []
    for name, cases in zip(method_names([path for path, _ in sides]), found, strict=True):
        with progress_bar(f"Evaluating {name}") as progress:
            scored.append(evaluate(reference, cases, datasets, settings, method=name, progress=progress))
    return scored


def _need_libraries() -> None:
    from SATSegmentLib.engine.packages import missing
    from SATSegmentLib.errors import SATSegmentError

    lacking = missing(("surface_distance", "scipy", "matplotlib"))
    if lacking:
        raise SATSegmentError(
            f"Evaluating needs {', '.join(lacking)}, which this installation lacks.",
            "Install it with: pip install 'satsegment[evaluation]'",
        )


def _check_folder(folder: Path, overwrite: bool) -> None:
    """Asked before the work, because nobody wants to hear it after it."""
    from SATSegmentLib.errors import OutputError
    from SATSegmentLib.evaluation.plots import PLOTS
    from SATSegmentLib.evaluation.report import COMPARISON, JSON, TABLES

    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file.", "Give the name of a folder with --out.")
    there = [name for name in (*TABLES, COMPARISON, JSON, *PLOTS) if (folder / name).exists()]
    if there and not overwrite:
        raise OutputError(f"{folder} already holds results ({there[0]}).", "Choose another folder, or add --overwrite.")


def _make_folder(folder: Path) -> None:
    from SATSegmentLib.errors import OutputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.", "Choose another one.") from error


def _warn(scores: MethodScores) -> None:
    """Everything that was not scored as the user may think, on standard error."""
    left = scores.unmatched
    missing = [row for row in scores.rows if row.missing]
    resampled = [row for row in scores.rows if row.resampled]
    outside = [row for row in scores.rows if row.outside > 0]
    notes = [
        ("cases without a prediction, not scored", left.cases_without_prediction),
        ("cases without a reference, not scored", left.cases_without_reference),
        ("names", [f"{side}: {name}: {reason}" for side, name, reason in left.names]),
        ("masks missing in single cases, counted as empty", [f"{row.case}: {row.key.label}" for row in missing]),
        ("masks resampled to the reference's grid (nearest voxel)", [f"{r.case}: {r.key.label}" for r in resampled]),
        (
            "masks partly outside the reference's grid; that part is not judged",
            [f"{row.case}: {row.key.label} ({row.outside:.0%})" for row in outside],
        ),
    ]
    for title, members in notes:
        if members:
            print(f"Warning: {scores.method}: {title} ({len(members)}):", file=sys.stderr)
            for member in members[:_SHOWN]:
                print(f"  {member}", file=sys.stderr)
            if len(members) > _SHOWN:
                print(f"  and {len(members) - _SHOWN} more; all are in evaluation.json and cases.csv", file=sys.stderr)


def _print_regions(judged: Judged) -> None:
    rows = {**judged.merged.regions, "all labels": judged.merged.overall}
    width = max(map(len, rows))
    print(f"\n{judged.scores.method}: {len(judged.scores.rows)} masks")
    print(f"{'region':<{width}}  labels    DSC    NSD  HD95 mm")
    for name, mean in rows.items():
        dsc, nsd, hd95 = (mean.means[metric] for metric in ("dsc", "nsd", "hd95_mm"))
        print(f"{name:<{width}}  {mean.labels:6}  {_number(dsc, 5, 3)}  {_number(nsd, 5, 3)}  {_number(hd95, 7, 2)}")


def _print_comparison(methods: Sequence[Judged], differences: Sequence[Difference]) -> None:
    overall = [one for one in differences if one.scope.level == "overall" and one.metric in ("dsc", "nsd")]
    if not overall:
        return
    first, second = (judged.scores.method for judged in methods)
    print(f"\n{first} minus {second}, same cases and labels:")
    for one in overall:
        text = f"  {one.metric.upper()} {one.interval.mean:+.3f}"
        if one.interval.low is not None and one.interval.high is not None:
            text += f" (95 % interval {one.interval.low:+.3f} to {one.interval.high:+.3f})"
        text += f", {one.interval.cases} cases"
        print(text + (f", p = {one.p:.2g} (Wilcoxon)" if one.p is not None else ", too few cases for a test"))


def _number(value: float | None, width: int, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"
