"""`satsegment convert`: a released checkpoint becomes a model folder, once."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from SATSegmentLib.cli.help_text import describe
from SATSegmentLib.models.releases import RELEASE_NAMES
from SATSegmentLib.types import RELEASED_SPACING, RELEASED_WINDOW

if TYPE_CHECKING:
    from SATSegmentLib.errors import ReleaseQuestion
    from SATSegmentLib.models.folder import ModelDescription


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment convert nano.pth --text nano_text_encoder.pth --language-model BioLORD-2023-C --out sat-nano",
        notes=(
            "SAT's weights carry no licence: ask their authors before you pass them on. Docs/released-models.md has an "
            "example for each released model, and says where its language model is found.",
        ),
    )
    parser.add_argument("network", type=Path, help="checkpoint of the segmentation network (.pth or .safetensors)")
    parser.add_argument("--text", type=Path, metavar="FILE", help="checkpoint of the text encoder released with it")
    parser.add_argument(
        "--language-model",
        type=Path,
        metavar="FOLDER",
        help="folder with config.json and the tokenizer files of the text encoder's language model",
    )
    parser.add_argument(
        "--release",
        choices=RELEASE_NAMES,
        help="which released model the network is, where its name does not say: five of them have the same shape "
        "(default: recognised by name, shape and text encoder, or asked)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="model folder to make")
    parser.add_argument("--name", help="name of the model (default: the folder's)")
    parser.add_argument(
        "--window",
        type=int,
        nargs=3,
        default=RELEASED_WINDOW,
        metavar=("X", "Y", "Z"),
        help="voxels of a window (default: 288 288 96, as all released models have)",
    )
    parser.add_argument(
        "--spacing",
        type=float,
        nargs=3,
        default=RELEASED_SPACING,
        metavar=("X", "Y", "Z"),
        help="millimetres of a voxel (default: 1 1 3, as all released models)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the folder if it is there")


def run(arguments: argparse.Namespace) -> int:
    """Convert; returns the exit code."""
    from SATSegmentLib.errors import ReleaseQuestion
    from SATSegmentLib.models.folder import FAMILY, ModelDescription

    description = ModelDescription(
        name=arguments.name or arguments.out.name,
        window=tuple(arguments.window),
        spacing=tuple(arguments.spacing),
    )
    doubts: list[str] = []
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: doubts.append(str(message))
        try:
            written = _convert(arguments, description, arguments.release)
        except ReleaseQuestion as question:
            written = _convert(arguments, description, _ask(question))
    arguments.answer = {
        "folder": str(arguments.out),
        "name": written.name,
        "network_sha256": written.network_sha256,
        "text_sha256": written.text_sha256,
        "knows_labels": written.knows_labels,
        "warnings": doubts,
    }
    for doubt in doubts:
        print(f"Warning: {doubt}", file=sys.stderr)
    print(f"{arguments.out}: model {written.name!r}, network {written.network_sha256[:12]}")
    if not written.text_sha256:
        print("Without a text encoder the model takes query vectors only, no words.")
    elif written.family != FAMILY:
        print("It is segmented with by `satsegment challenge`.")
    elif not written.knows_labels:
        print("It is not known which labels it was trained on: none of its results is marked as a trained label.")
    return 0


def _convert(arguments: argparse.Namespace, description: ModelDescription, release: str | None) -> ModelDescription:
    from SATSegmentLib.anatomy.vocabulary.labels import load_labels
    from SATSegmentLib.cli.progress import progress_bar
    from SATSegmentLib.sat.checkpoint.convert import convert

    with progress_bar("Converting") as progress:
        return convert(
            arguments.network,
            arguments.out,
            description,
            text_encoder=arguments.text,
            language_model=arguments.language_model,
            labels=[(label.text, label.modality) for label in load_labels()],
            overwrite=arguments.overwrite,
            release=release,
            progress=progress,
        )


def _ask(question: ReleaseQuestion) -> str:
    """Which of the candidates it is, from whoever sits at the terminal; in a script the question is an error."""
    if not (sys.stdin is not None and sys.stdin.isatty()):
        raise question
    print(question.message, file=sys.stderr)
    for number, name in enumerate(question.candidates, 1):
        print(f"  {number}  {name}", file=sys.stderr)
    print("Its number (nothing to stop): ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip()
    if not answer.isdecimal() or not 1 <= int(answer) <= len(question.candidates):
        raise question
    return question.candidates[int(answer) - 1]
