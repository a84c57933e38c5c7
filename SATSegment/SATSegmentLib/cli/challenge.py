"""`satsegment challenge`: cases of the CVPR 2025 text-guided segmentation challenge, `.npz` in and out."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = (
        "Example: satsegment challenge inputs/CT_case.npz --network nano_cvpr25_v0.pth "
        "--text text_encoder_cvpr25_v0.pth --language-model BioLORD-2023-C --out outputs. "
        "The network cannot be told from SAT-Nano's by its tensors: you say here that it is the challenge's."
    )
    parser.add_argument("cases", type=Path, nargs="+", help="cases (.npz with imgs, spacing and text_prompts)")
    parser.add_argument("--network", type=Path, required=True, metavar="FILE", help="the challenge's network")
    parser.add_argument("--text", type=Path, required=True, metavar="FILE", help="the challenge's text encoder")
    parser.add_argument(
        "--language-model",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="folder with config.json and the tokenizer files of the text encoder's language model",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder for the results")
    parser.add_argument(
        "--modality",
        choices=("ct", "mri", "us", "pet", "microscopy"),
        help="of all cases (default: each file's name tells: CT, MR, US, PET, Microscopy)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")
    parser.add_argument("--overwrite", action="store_true", help="replace results that are there")


def run(arguments: argparse.Namespace) -> int:
    """Segment the cases; returns the exit code."""
    from SATSegmentLib.challenge.container import read_case, write_segmentation
    from SATSegmentLib.challenge.segmenter import ChallengeSegmenter
    from SATSegmentLib.cli.progress import progress_bar
    from SATSegmentLib.inference.device import choose_device

    # All of them before the network is loaded: what cannot be read is told at once.
    cases = [read_case(path, arguments.modality) for path in arguments.cases]
    device = choose_device(arguments.device)
    segmenter = ChallengeSegmenter.load(arguments.network, arguments.text, arguments.language_model, device)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for path, case in zip(arguments.cases, cases, strict=True):
        with progress_bar(path.name) as progress:
            labels = segmenter.segment(case, progress)
        write_segmentation(labels, arguments.out / path.name, arguments.overwrite)
        found = sum(bool((labels == value).any()) for value in case.phrases)
        print(f"{path.name}: {found} of {len(case.phrases)} phrases found")
    return 0
