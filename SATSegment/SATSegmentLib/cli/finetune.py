"""`satsegment finetune`: a network trained further on records of one's own."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from SATSegmentLib.cli.help_text import describe
from SATSegmentLib.cli.train import STOPPED, add_run_arguments, follow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment finetune site.yaml --from sat-nano --part decoder --out site",
        "satsegment finetune site.yaml --from sat-nano --out site --resume  # after an interruption",
        notes=(
            "START is only read. A model folder brings its window, spacing and text encoder; a .pth file needs the "
            "text encoder in CONFIG. CONFIG needs a name and may not choose an architecture. --part decoder leaves the "
            "backbone as it is, which is faster. Docs/training.md goes through it step by step.",
        ),
        codes=STOPPED,
    )
    add_run_arguments(parser)
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        required=True,
        metavar="START",
        help="installed model's name, model folder, released checkpoint, or a training's own last.pth or best.pth",
    )
    parser.add_argument(
        "--part",
        choices=("all", "decoder"),
        help="what is trained: all, or everything but the backbone (default: CONFIG's)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Fine-tune; returns the exit code."""
    from SATSegmentLib.learning.segmentation.config import read_config
    from SATSegmentLib.learning.segmentation.run import finetune, read_origin

    config = read_config(arguments.config)
    if arguments.part:
        config = dataclasses.replace(config, training=dataclasses.replace(config.training, part=arguments.part))
    origin = read_origin(arguments.start)
    return follow(arguments, lambda out, team, bar: finetune(config, origin, out, arguments.resume, team, bar))
