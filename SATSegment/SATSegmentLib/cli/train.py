"""`satsegment train`: a new network from training records."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from SATSegmentLib.cli.help_text import describe

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from SATSegmentLib.learning.segmentation.run import Bar
    from SATSegmentLib.learning.segmentation.team import Team
    from SATSegmentLib.learning.segmentation.trainer import Outcome
    from SATSegmentLib.types import Progress


# What exit codes mean that are not those of all commands.
STOPPED = {1: "stopped; last.pth holds the state, and --resume continues"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment train brain.yaml --out brain",
        "torchrun --nproc-per-node 8 --no-python satsegment train nano.yaml --out nano",
        notes=(
            "Writes into FOLDER: last.pth and best.pth (released checkpoint layout), log.jsonl, tensorboard/ and, at "
            "the end, model/, which `satsegment segment --model FOLDER/model` takes. Docs/training.md describes "
            "CONFIG.",
        ),
        codes=STOPPED,
    )
    add_run_arguments(parser)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that training and fine-tuning share."""
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml", help="what to train on, and how")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="folder for results (default: named as CONFIG)")
    parser.add_argument("--resume", action="store_true", help="continue where the training in FOLDER stopped")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1 (default: auto)")


def run(arguments: argparse.Namespace) -> int:
    """Train; returns the exit code."""
    from SATSegmentLib.learning.segmentation.config import read_config
    from SATSegmentLib.learning.segmentation.run import train

    config = read_config(arguments.config)
    return follow(arguments, lambda out, team, bar: train(config, out, arguments.resume, team, bar))


def follow(arguments: argparse.Namespace, run: Callable[[Path, Team, Bar], Outcome]) -> int:
    """Run a training with progress bars and say what came of it; returns the exit code."""
    from SATSegmentLib.cli.progress import progress_bar
    from SATSegmentLib.inference.device import choose_device
    from SATSegmentLib.learning.segmentation.run import MODEL_FOLDER
    from SATSegmentLib.learning.segmentation.team import joined

    if arguments.device != "auto":
        choose_device(arguments.device)
    out = (arguments.out or Path(arguments.config.stem)).expanduser()
    with joined(arguments.device) as team:
        outcome = run(out, team, progress_bar if team.is_main_process else _no_bar)
    arguments.answer = {"folder": str(out), "steps": outcome.step, "finished": outcome.finished}
    arguments.answer["best_dice"] = outcome.best_dice
    if not team.is_main_process:
        return 0 if outcome.finished else 1
    best = "" if outcome.best_dice is None else f", best validation Dice {outcome.best_dice:.3f}"
    if not outcome.finished:
        print(f"Stopped after step {outcome.step}{best}. Continue with --resume.", file=sys.stderr)
        return 1
    print(f"{out / MODEL_FOLDER}: {outcome.step} steps{best}")
    return 0


def _no_bar(title: str) -> AbstractContextManager[Callable[[Progress], None]]:
    return nullcontext(lambda progress: None)
