"""`satsegment challenge`: the CVPR 2025 challenge's models on its cases (`.npz` in and out), or on scans."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from SATSegmentLib.challenge.intensities import RULES
from SATSegmentLib.cli.help_text import describe
from SATSegmentLib.cli.inspect import add_choice
from SATSegmentLib.cli.warning_lines import warning_lines
from SATSegmentLib.types import CHALLENGE_MODALITIES

if TYPE_CHECKING:
    from SATSegmentLib.challenge.segmenter import ChallengeSegmenter

DEFAULT_MODEL = "sat-nano-cvpr25"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment challenge inputs --out outputs  # all cases of a folder, as in the challenge's container",
        "satsegment challenge leg.nii.gz --modality us --intensities percentiles --prompt muscle --out found",
        notes=(
            "A case is an .npz with imgs (0 to 255), spacing and text_prompts; its result has its name, and holds "
            "segs.",
            "Any other scan becomes an image of 0 to 255 only by the rule that --intensities names; its result is a "
            ".seg.nrrd. These models see a scan as it is stored, neither turned nor cropped: check left and right. "
            "Docs/released-models.md says what each rule does.",
        ),
        codes={1: "cancelled; results that are finished stay"},
    )
    parser.add_argument("inputs", type=Path, nargs="+", metavar="PATH", help="cases (.npz), folders of cases, or scans")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="model folder or name (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder for the results")
    parser.add_argument(
        "--modality",
        choices=CHALLENGE_MODALITIES,
        help="modality of all inputs (for cases it is read from their names: CT, MR, US, PET, Microscopy)",
    )
    parser.add_argument(
        "--prompt", action="append", default=[], metavar="TEXT", help="what to find in scans; several times for several"
    )
    parser.add_argument("--intensities", choices=RULES, help="how a scan becomes an image of 0 to 255")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (default: auto)")
    add_choice(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace results that are there")


def run(arguments: argparse.Namespace) -> int:
    """Segment; returns the exit code."""
    from SATSegmentLib.challenge.container import cases_in, read_case
    from SATSegmentLib.challenge.segmenter import ChallengeSegmenter

    # All of them before the model is loaded: what cannot be read or written is told at once.
    cases = [case for path in arguments.inputs for case in cases_in(path.expanduser())]
    scans = [path for path in arguments.inputs if not cases_in(path.expanduser())]
    _check_scans(arguments, scans)
    targets = {path: arguments.out.expanduser() / path.name for path in cases}
    targets |= {path: arguments.out.expanduser() / f"{_stem(path)}.seg.nrrd" for path in scans}
    _check_targets(targets, arguments)
    with warning_lines():
        for path in cases:
            read_case(path, arguments.modality)
    segmenter = ChallengeSegmenter.load(arguments.model, arguments.device)
    for path in cases:
        _segment_case(segmenter, path, targets[path], arguments)
    for path in scans:
        _segment_scan(segmenter, path, targets[path], arguments)
    arguments.answer = {"model": segmenter.description.name, "device": str(segmenter.device)}
    arguments.answer["files"] = list(map(str, targets.values()))
    print(f"{arguments.out}: {segmenter.description.name} on {segmenter.device}")
    print("Research use only. Not a medical device.")
    return 0


def _check_scans(arguments: argparse.Namespace, scans: list[Path]) -> None:
    from SATSegmentLib.errors import PromptError, ScanError

    if not scans:
        if arguments.prompt or arguments.intensities:
            raise PromptError(
                "--prompt and --intensities are for scans: a case holds its own phrases, and is 0 to 255.",
                "Leave them out.",
            )
        return
    lacking = {"--modality": arguments.modality, "--prompt": arguments.prompt, "--intensities": arguments.intensities}
    absent = [name for name, value in lacking.items() if not value]
    if absent:
        raise ScanError(
            f"{scans[0].name} is no case of the challenge (.npz), so it needs {', '.join(absent)}.",
            f"Rules for --intensities: {', '.join(RULES)}.",
        )


def _check_targets(targets: dict[Path, Path], arguments: argparse.Namespace) -> None:
    from SATSegmentLib.errors import OutputError
    from SATSegmentLib.files import check_target

    if len(set(targets.values())) < len(targets):
        raise OutputError("Two inputs have the same name, so that their results would be one file.", "Run them apart.")
    arguments.out.expanduser().mkdir(parents=True, exist_ok=True)
    for path, target in targets.items():
        if target.resolve() == path.expanduser().resolve():
            raise OutputError("A result would replace the case itself.", "Choose another folder for --out.")
        check_target(target, overwrite=arguments.overwrite)


def _segment_case(segmenter: ChallengeSegmenter, path: Path, target: Path, arguments: argparse.Namespace) -> None:
    from SATSegmentLib.challenge.container import read_case, write_segmentation
    from SATSegmentLib.cli.progress import progress_bar

    with warnings.catch_warnings(action="ignore"):  # They were told before the model was loaded.
        case = read_case(path, arguments.modality)
    with progress_bar(path.name) as progress:
        labels = segmenter.segment(case, progress)
    write_segmentation(labels, target, arguments.overwrite)
    found = sum(bool((labels == value).any()) for value in case.phrases)
    print(f"{path.name}: {found} of {len(case.phrases)} phrases found")


def _segment_scan(segmenter: ChallengeSegmenter, path: Path, target: Path, arguments: argparse.Namespace) -> None:
    from SATSegmentLib import __version__
    from SATSegmentLib.challenge.scan import case_of_scan, segment_scan
    from SATSegmentLib.cli.progress import progress_bar
    from SATSegmentLib.cli.segment import print_results
    from SATSegmentLib.inference.checks import check_image
    from SATSegmentLib.scans import read_scan
    from SATSegmentLib.storage import Algorithm, write_results

    with warning_lines():
        image = read_scan(path, arguments.frame, arguments.series, arguments.volume)
        check_image(image)
        case = case_of_scan(image, arguments.prompt, arguments.modality, arguments.intensities)
        with progress_bar(path.name) as progress:
            results = segment_scan(segmenter, image, case, progress)
    model = segmenter.description
    algorithm = Algorithm(f"{model.name}, intensities: {arguments.intensities}", __version__, model.network_sha256)
    write_results(target, image, results, algorithm, overwrite=arguments.overwrite)
    print_results(results)


def _stem(path: Path) -> str:
    name = path.expanduser().resolve().name
    for suffix in (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name
