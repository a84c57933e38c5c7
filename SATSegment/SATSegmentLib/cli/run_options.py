"""How a run is done, as every command that segments takes it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, get_args

from SATSegmentLib.cli.numbers import number_where
from SATSegmentLib.grid.network_grid import GRID_RULES
from SATSegmentLib.models.catalog import absolute_name
from SATSegmentLib.types import DEFAULT_OVERLAP, DEFAULT_THRESHOLD, MOST_OVERLAP, FeatureStorage, WindowRule

if TYPE_CHECKING:
    from SATSegmentLib.engine.api import RunOptions

_NAMES = ("device", "precision", "feature_storage", "threshold", "grid", "windows", "overlap")
_PROBABILITY = number_where(float, lambda value: 0 < value < 1, "must be a number between 0 and 1")
_OVERLAP = number_where(float, lambda value: 0 <= value <= MOST_OVERLAP, f"must be a number from 0 to {MOST_OVERLAP:g}")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that `run_options` reads."""
    parser.add_argument("--model", default="demo", help="model folder or name (see `satsegment models`; default: demo)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (default: auto)")
    parser.add_argument(
        "--precision",
        default="auto",
        help="auto, float32, bfloat16 or float16, of the image encoder (default: auto)",
    )
    parser.add_argument(
        "--feature-storage",
        default="native",
        choices=get_args(FeatureStorage),
        help="uint8 keeps image features in half the memory; masks then differ a little (default: native)",
    )
    parser.add_argument(
        "--threshold",
        type=_PROBABILITY,
        default=DEFAULT_THRESHOLD,
        help="probability a voxel needs (default: %(default)s)",
    )
    parser.add_argument(
        "--grid",
        default="own",
        choices=GRID_RULES,
        help="own: the network's grid keeps the scan's first voxel; sat: the grid of SAT's own preprocessing, to "
        "reproduce its results (default: own)",
    )
    parser.add_argument(
        "--windows",
        default="all",
        choices=get_args(WindowRule),
        help="all: look at every overlapping window of the scan; adaptive: first at as few as cover it, then at those "
        "around what is found, which is faster for single organs in large scans (default: all)",
    )
    parser.add_argument(
        "--overlap",
        type=_OVERLAP,
        default=DEFAULT_OVERLAP,
        metavar="SHARE",
        help="share of a window's side that it shares with the next one; 0.25 takes fewer windows than SAT's own 0.5, "
        "and masks differ (default: %(default)s)",
    )


def run_options(arguments: argparse.Namespace) -> RunOptions:
    """What was chosen; where results are to hold probabilities, they are kept."""
    from SATSegmentLib.engine.api import RunOptions

    chosen = {name: getattr(arguments, name) for name in _NAMES}
    return RunOptions(arguments.model, keep_probabilities=arguments.format == "dicomseg-fractional", **chosen)


def as_words(arguments: argparse.Namespace) -> list[str]:
    """The same as words of a command line that is run in another folder."""
    given = {"model": absolute_name(arguments.model)}
    given |= {name.replace("_", "-"): str(getattr(arguments, name)) for name in _NAMES}
    return [word for name, value in given.items() for word in (f"--{name}", value)]
