"""`satsegment segment`: structures of a scan by their names, as a segmentation that Slicer opens."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from SATSegmentLib.anatomy.languages.display import TITLES, local_name
from SATSegmentLib.anatomy.vocabulary.labels import label_of
from SATSegmentLib.cli.engine import add_server, engine_of
from SATSegmentLib.cli.exit_codes import DONE, FLAGGED, UNKNOWN_STRUCTURES
from SATSegmentLib.cli.help_text import describe
from SATSegmentLib.cli.inspect import add_choice
from SATSegmentLib.cli.modality import add_modality
from SATSegmentLib.cli.run_options import add_run_options, run_options
from SATSegmentLib.cli.warning_lines import warning_lines
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.tilt import slice_tilt
from SATSegmentLib.scans.read import is_dicom_path
from SATSegmentLib.storage.formats import FORMATS, format_of
from SATSegmentLib.storage.write import DicomSource, check_source
from SATSegmentLib.types import Modality, Prompt, SegmentResult

if TYPE_CHECKING:
    from SATSegmentLib.engine.api import SegmentAnswer
    from SATSegmentLib.inference.run_plan import RunPlan
    from SATSegmentLib.types import Image


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment segment chest.nii.gz --modality ct --model sat-nano --prompt liver --prompt IVC --out c.seg.nrrd",
        "satsegment segment head.nii.gz --modality mri --prompt 'left putamen; brainstem' --out head.seg.nrrd",
        "satsegment segment head.nii.gz --modality mri --prompt brain --plan  # its time and memory; nothing is run",
        codes={
            UNKNOWN_STRUCTURES: "done, but the model does not know some structures: they are listed as 'unknown'",
            FLAGGED: "done, but a result has a flag and --strict was given; it is written, too",
        },
    )
    parser.add_argument("scan", type=Path, help="NIfTI, NRRD or MetaImage file, a DICOM folder or multi-frame file")
    parser.add_argument(
        "--prompt",
        action="append",
        required=True,
        metavar="NAME",
        help="structure to segment; give it several times, or several names divided by semicolons",
    )
    parser.add_argument(
        "--language",
        choices=tuple(TITLES),
        default="en",
        help="show the structures' names in this language as well; --prompt understands all of them (default: en)",
    )
    add_modality(parser, "modality of the scan (ultrasound and microscopy: see `satsegment challenge`)", required=True)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="segmentation to write: .seg.nrrd, or .dcm for DICOM; needed without --plan",
    )
    parser.add_argument(
        "--plan",
        action="store_true",
        help="print what the run would take (windows, seconds, memory) and end; --out may be left out",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="file format of --out (default: by its ending; .dcm is dicomseg, a DICOM SEG with one bit per voxel and "
        "structure; "
        "dicomseg-labelmap is smaller and newer, dicomseg-fractional holds probabilities, rtstruct contours)",
    )
    parser.add_argument(
        "--dicom-source",
        type=Path,
        metavar="FOLDER",
        help="the DICOM series that a scan of another format was made from, for DICOM results",
    )
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="also write what was found as JSON")
    parser.add_argument(
        "--table", type=Path, metavar="FILE.csv", help="write volumes, intensities, places and flags as a table, too"
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with code 5 where a result has a plausibility flag (Docs/flags.md)"
    )
    add_server(parser)
    add_run_options(parser)
    parser.add_argument("--free-text", action="store_true", help="run unknown names as free text")
    add_choice(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")


def run(arguments: argparse.Namespace) -> int:
    """Segment; returns the exit code."""
    from SATSegmentLib.errors import OutputError

    if arguments.out is None and not arguments.plan:
        raise OutputError("There is no file to write.", "Give --out FILE; or --plan, to see what the run would take.")
    dicom_source = _dicom_source(arguments)
    if arguments.out is not None:
        _check_targets(arguments, dicom_source)
    prompts = resolve_prompts(arguments.prompt, arguments.modality, arguments.free_text, arguments.model)
    if arguments.plan:
        with warning_lines():
            _plan(arguments, prompts)
        return DONE
    with warning_lines():
        results = _segment(arguments, prompts, dicom_source)
    if arguments.strict and any(one.flags for one in results):
        return FLAGGED
    return UNKNOWN_STRUCTURES if any(one.status == "unknown" for one in results) else DONE


def _check_targets(arguments: argparse.Namespace, dicom_source: DicomSource | None) -> None:
    """Asked before the work, because nobody wants to hear it after it."""
    from SATSegmentLib.errors import OutputError
    from SATSegmentLib.files import check_target

    # Whether the format can be written is asked first.
    check_source(format_of(arguments.out, arguments.format), dicom_source)
    targets = [target.expanduser() for target in _targets(arguments)]
    for target in targets:
        check_target(target, overwrite=arguments.overwrite)
    if len({target.resolve() for target in targets}) < len(targets):
        raise OutputError("--out, --report and --table must be different files.", "Choose other names.")
    scan = arguments.scan.expanduser().resolve()
    if any(target.resolve() == scan for target in targets):
        raise OutputError("A result would replace the scan itself.", "Choose another name.")


def _targets(arguments: argparse.Namespace) -> list[Path]:
    return [one for one in (arguments.out, arguments.report, arguments.table) if one is not None]


def resolve_prompts(texts: Sequence[str], modality: Modality, free_text: bool, model: str) -> list[Prompt]:
    """What the words mean to a model, each structure once; says on standard error where that is not what was written.

    Raises
    ------
    PromptError
        As `anatomy.resolver.names.prompts_for`.
    """
    from SATSegmentLib.anatomy.resolver.names import prompts_for
    from SATSegmentLib.models.catalog import checksum_of

    def tell(text: str, meant: Sequence[Prompt]) -> None:
        names = ", ".join(prompt.text for prompt in meant)
        if names != text:
            print(f"{text}: {names}", file=sys.stderr)

    prompts = prompts_for(texts, modality, free_text, tell, checksum_of(model))
    return list({prompt.text: prompt for prompt in prompts}.values())


def _plan(arguments: argparse.Namespace, prompts: list[Prompt]) -> None:
    """Print what the run would take."""
    from SATSegmentLib.engine.api import SegmentRequest
    from SATSegmentLib.scans import read_scan

    image = read_scan(arguments.scan, arguments.frame, arguments.series, arguments.volume)
    with engine_of(arguments) as engine:
        plan = engine.plan(SegmentRequest.of(image, prompts, run_options(arguments)))
    arguments.answer = {"plan": {**dataclasses.asdict(plan), "text": str(plan)}}
    print(f"Plan: {plan}")


def _segment(
    arguments: argparse.Namespace, prompts: list[Prompt], dicom_source: DicomSource | None
) -> Sequence[SegmentResult]:
    """Segment and write; returns the results."""
    from SATSegmentLib import __version__
    from SATSegmentLib.cli.progress import progress_bar
    from SATSegmentLib.engine.api import RunListener, SegmentRequest
    from SATSegmentLib.errors import Cancelled
    from SATSegmentLib.scans import read_scan
    from SATSegmentLib.storage import Algorithm, find_source, write_results

    image = read_scan(arguments.scan, arguments.frame, arguments.series, arguments.volume)
    source = find_source(arguments.out, image, dicom_source, arguments.format)
    options = run_options(arguments)
    plans: list[RunPlan] = []

    def tell(plan: RunPlan) -> None:
        plans.append(plan)
        print(f"Plan: {plan}", file=sys.stderr)

    with engine_of(arguments) as engine, progress_bar("Segmenting") as progress:
        started = time.perf_counter()
        listener = RunListener(progress=progress, on_plan=tell)
        answer = engine.segment(SegmentRequest.of(image, prompts, options), listener)
        took = time.perf_counter() - started
    written = write_results(
        arguments.out,
        image,
        answer.results,
        Algorithm(answer.model.name, __version__, answer.model.sha256),
        format_name=arguments.format,
        source=source,
        overwrite=arguments.overwrite,
    )
    try:
        # The last plan is the one that was carried out.
        _tell_more(arguments, image, answer, written.not_found, plans[-1], took)
    except KeyboardInterrupt:
        raise Cancelled(f"{arguments.out} is whole; what comes with it may be missing.") from None
    return answer.results


def _tell_more(
    arguments: argparse.Namespace,
    image: Image,
    answer: SegmentAnswer,
    not_found: Sequence[str],
    plan: RunPlan,
    took: float,
) -> None:
    """Report, table, and what is printed, once the masks are written."""
    from SATSegmentLib.files import write_report
    from SATSegmentLib.quality.table import row_of, write_table

    if not_found:
        print(f"Not found, so not in the file: {', '.join(not_found)}", file=sys.stderr)
    report = _report(answer, arguments.threshold)
    tilt = slice_tilt(Grid.of(image))
    report |= {"windows": arguments.windows, "overlap": arguments.overlap}
    report |= {"grid": arguments.grid, "slice_tilt_degrees": round(tilt.degrees, 2) if tilt else 0.0}
    report["doubts"] = [doubt.as_dict() for doubt in image.doubts]
    report |= {"plan": dataclasses.asdict(plan), "seconds": round(took, 3)}
    arguments.answer = {**report, "out": str(arguments.out)}
    if arguments.report is not None:
        write_report(arguments.report, report, overwrite=arguments.overwrite)
    if arguments.table is not None:
        rows = (row_of(result, image.doubts) for result in answer.results)
        write_table(arguments.table, rows, overwrite=arguments.overwrite)
    print_results(answer.results, arguments.language)
    for doubt in image.doubts:
        # Once more beside the numbers: a warning that scrolled by is no warning.
        print(f"Doubt ({doubt.kind}): {doubt.text}")
    print(f"{arguments.out}: {answer.model.name} on {plan.device}, {plan.precision}{_windows(answer.results)}")
    print("Research use only. Not a medical device.")


def _windows(results: Sequence[SegmentResult]) -> str:
    """How many windows were looked at, where that is not all of them."""
    looked_at = [one.windows.looked_at for one in results if one.windows is not None and one.windows.rule == "adaptive"]
    if not looked_at:
        return ""
    total = next(one.windows.total for one in results if one.windows is not None)
    least, most = min(looked_at), max(looked_at)
    return f", {least if least == most else f'{least} to {most}'} of {total} windows looked at per structure"


def _dicom_source(arguments: argparse.Namespace) -> DicomSource | None:
    """Where the scan's DICOM images are; None where they are not known."""
    if arguments.dicom_source is not None:
        return DicomSource(arguments.dicom_source)
    if arguments.scan.expanduser().exists() and is_dicom_path(arguments.scan.expanduser()):
        return DicomSource(arguments.scan, arguments.series, arguments.volume)
    return None


def print_results(results: Sequence[SegmentResult], language: str = "en") -> None:
    """A table of what was found, with the names in a language behind it."""
    width = max(len(name) for name in ("structure", *(result.prompt.text for result in results)))
    print(f"{'structure':<{width}}  status       mL  probability")
    for result in results:
        local = local_name(result.prompt.text, language) if label_of(result.prompt) else ""
        notes = [local] if local else []
        notes += [f"cut by the scan's border: {' '.join(result.cut_by)}"] if result.cut_by else []
        notes += [] if result.prompt.trained else [_untrained(result.prompt)]
        notes += ["not known to this model: choose another one"] if result.status == "unknown" else []
        notes += [f"(!) {', '.join(flag.kind.value for flag in result.flags)}"] if result.flags else []
        numbers = f"{result.volume_ml:7.1f}  {result.mean_probability:11.2f}"
        if result.status == "unknown":  # it was not looked for
            numbers = f"{'-':>7}  {'-':>11}"
        print(f"{result.prompt.text:<{width}}  {result.status:<7} {numbers}  {'; '.join(notes)}".rstrip())
    for result in results:
        for flag in result.flags:
            print(f"(!) {result.prompt.text}: {flag.text} ({flag.reason})")


def _untrained(prompt: Prompt) -> str:
    from SATSegmentLib.anatomy.personal.user_words import is_taught

    if is_taught(prompt):
        return "taught from examples"
    if label_of(prompt):
        return "a label of SAT; whether this model was trained on it is not known"
    return "free text: no name that the model is known to have been trained on"


def _report(answer: SegmentAnswer, threshold: float) -> dict[str, object]:
    from SATSegmentLib import __version__
    from SATSegmentLib.quality.table import as_json

    first = answer.results[0]
    return {
        "software": f"SATSegment {__version__}",
        "model": answer.model.name,
        "network_sha256": answer.model.sha256,
        "text_sha256": answer.model.text_sha256,
        "device": first.device,
        "precision": first.precision,
        "feature_storage": first.feature_storage,
        "threshold": threshold,
        "results": [as_json(result) for result in answer.results],
    }
