"""`satsegment collect`: one table and one page from the results of a cohort's shards."""

from __future__ import annotations

import argparse
from pathlib import Path

from SATSegmentLib.cli.help_text import describe
from SATSegmentLib.cli.warning_lines import warning_lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment collect results",
        "satsegment collect results-1 results-2 --out all",
    )
    parser.add_argument(
        "folders", type=Path, nargs="+", metavar="FOLDER", help="--out of `satsegment cohort`, one or more"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where table and page go (default: the first folder)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Collect; returns the exit code."""
    from SATSegmentLib.cohort.collect import collect

    folders = [folder.expanduser() for folder in arguments.folders]
    with warning_lines():
        made = collect(folders, (arguments.out or folders[0]).expanduser())
    files = list(map(str, made.files))
    arguments.answer = {"done": made.done, "failed": made.failed, "flagged": made.flagged, "files": files}
    print("\n".join([made.text(), *files]))
    return 0
