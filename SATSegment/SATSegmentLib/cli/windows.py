"""The options `--windows` and `--overlap`, for all commands that segment."""

from __future__ import annotations

import argparse
from typing import get_args

from SATSegmentLib.types import DEFAULT_OVERLAP, MOST_OVERLAP, WindowRule


def add_windows(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument(
        "--windows",
        default="all",
        choices=get_args(WindowRule),
        help="of the scan's overlapping windows look at all, or (adaptive) first at as few as cover it, then at those "
        "around what is found: faster for single organs in large scans (default: all)",
    )
    parser.add_argument(
        "--overlap",
        type=_overlap,
        default=DEFAULT_OVERLAP,
        metavar="SHARE",
        help="share of a window's side that it shares with the next one; 0.25 takes fewer windows than SAT's own 0.5, "
        "and masks differ (default: %(default)s)",
    )


def _overlap(text: str) -> float:
    value = float(text)
    if not 0 <= value <= MOST_OVERLAP:
        raise argparse.ArgumentTypeError(f"must lie between 0 and {MOST_OVERLAP:g}")
    return value
