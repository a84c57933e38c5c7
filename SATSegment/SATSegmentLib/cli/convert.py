"""`satsegment convert`: a released checkpoint becomes a model folder, once."""

from __future__ import annotations

import argparse
from pathlib import Path

from SATSegmentLib.types import RELEASED_SPACING, RELEASED_WINDOW


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = (
        "Example: satsegment convert nano.pth --text nano_text_encoder.pth --language-model BioLORD-2023-C "
        "--out sat-nano. SAT's weights carry no licence: ask its authors before you pass them on."
    )
    parser.add_argument("network", type=Path, help="checkpoint of the segmentation network (.pth or .safetensors)")
    parser.add_argument("--text", type=Path, metavar="FILE", help="checkpoint of the text encoder released with it")
    parser.add_argument(
        "--language-model",
        type=Path,
        metavar="FOLDER",
        help="folder with config.json and the tokenizer files of the text encoder's language model",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="model folder to make")
    parser.add_argument("--name", help="name of the model (default: the folder's)")
    parser.add_argument(
        "--window",
        type=int,
        nargs=3,
        default=RELEASED_WINDOW,
        metavar=("X", "Y", "Z"),
        help="voxels of a window (default: 288 288 96, as all released models)",
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
    from SATSegmentLib.anatomy.vocabulary.labels import load_labels
    from SATSegmentLib.cli.progress import progress_bar
    from SATSegmentLib.errors import SATSegmentError
    from SATSegmentLib.models.folder import ModelDescription
    from SATSegmentLib.sat.checkpoint.convert import convert

    if (arguments.text is None) != (arguments.language_model is None):
        raise SATSegmentError(
            "A text encoder needs its language model's files, and the other way round.",
            "Give both --text and --language-model, or neither.",
        )
    description = ModelDescription(
        name=arguments.name or arguments.out.name,
        window=tuple(arguments.window),
        spacing=tuple(arguments.spacing),
    )
    with progress_bar("Converting") as progress:
        written = convert(
            arguments.network,
            arguments.out,
            description,
            text_encoder=arguments.text,
            language_model=arguments.language_model,
            labels=[(label.text, label.modality) for label in load_labels()],
            overwrite=arguments.overwrite,
            progress=progress,
        )
    print(f"{arguments.out}: {written.name}, network {written.network_sha256[:12]}")
    if not written.text_sha256:
        print("Without a text encoder the model takes query vectors only, no words.")
    return 0
