"""`satsegment inspect`: what a scan is, before anything is run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from SATSegmentLib.cli.help_text import describe

if TYPE_CHECKING:
    from SATSegmentLib.scans.inspect import Inspection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment inspect dicom-folder",
        "satsegment inspect scan.nii.gz --json",
        codes={
            0: "done; the scan can be segmented as it is given",
            2: "the scan cannot be segmented as it is given; the reason is printed",
        },
    )
    parser.add_argument("scan", type=Path, help="NIfTI, NRRD or MetaImage file, a DICOM folder or multi-frame file")
    add_choice(parser)
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that say which volume of a scan is meant."""
    parser.add_argument("--frame", type=int, help="frame of a 4-D file, counted from 0")
    parser.add_argument("--series", type=_series, help="series of a DICOM folder with several: its number, or its UID")
    parser.add_argument(
        "--volume", type=int, metavar="N", help="volume of a DICOM series with several (see `satsegment inspect`)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Inspect; returns the exit code."""
    from SATSegmentLib.scans.inspect import inspect_scan

    found = inspect_scan(arguments.scan, arguments.frame, arguments.series, arguments.volume)
    if arguments.json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        print("\n".join(_lines(found)))
    return 2 if found.problem else 0


def _lines(found: Inspection) -> list[str]:
    lines = [f"{found.path}: {found.format}"]
    if found.size_ijk:
        lines += _grid_lines(found)
    if found.value_range:
        unit = f" {found.unit}" if found.unit else ""
        lines.append(f"  values      {found.value_range[0]:g} to {found.value_range[1]:g}{unit}")
        lines.append(f"  modality    {found.modality or 'unknown'}: {found.modality_reason}")
    if found.suv:
        lines.append(f"  SUV         {found.suv}")
    if len(found.choices) > 1 or any(choice.problem for choice in found.choices):
        lines.append("  volumes")
        for choice in found.choices:
            how = [f"--series {choice.series}"] if choice.series else []
            how += [f"--volume {choice.volume}"] if choice.volume else []
            lines.append(f"    {' '.join(how) or '(the only one)'}: {choice.text}")
            lines += [f"      cannot be segmented: {choice.problem}"] if choice.problem else []
    lines += [f"  passed over {name}" for name in found.others]
    lines += [f"  doubt       {doubt.kind}: {doubt.text}" for doubt in found.doubts]
    if found.problem:
        lines.append(f"  Not ready to be segmented: {found.problem} {found.remedy}".rstrip())
    return lines


def _grid_lines(found: Inspection) -> list[str]:
    def times(numbers: tuple[float, ...]) -> str:
        return " x ".join(f"{n:.5g}" for n in numbers)

    frames = f", {found.frames} frames" if found.frames > 1 else ""
    lines = [
        f"  size        {times(found.size_ijk)} voxels{frames}",
        f"  spacing     {times(found.spacing_mm)} mm",
        f"  extent      {times(found.extent_mm)} mm",
        f"  axes        {found.axes} (the sides of the patient that I, J, K run towards)",
    ]
    if found.tilt_degrees is not None:
        lines.append(f"  tilt        {found.tilt_degrees:g} degrees between the stack and the normal of its slices")
    return lines


def _series(text: str) -> str | int:
    return int(text) if text.isdecimal() else text
