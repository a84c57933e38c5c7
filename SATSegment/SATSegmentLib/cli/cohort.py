"""`satsegment cohort`: many scans to masks, one table and one page."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from SATSegmentLib.cli.engine import add_server, engine_of
from SATSegmentLib.cli.exit_codes import FLAGGED, SOME_FAILED
from SATSegmentLib.cli.help_text import describe
from SATSegmentLib.cli.modality import add_modality
from SATSegmentLib.cli.run_options import add_run_options, as_words, run_options
from SATSegmentLib.cli.warning_lines import warning_lines
from SATSegmentLib.cohort.jobs import CLUSTERS
from SATSegmentLib.storage.formats import FORMATS
from SATSegmentLib.storage.write import DicomSource, check_source

if TYPE_CHECKING:
    from SATSegmentLib.cohort.asked import Asked
    from SATSegmentLib.cohort.run import ScanEvent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment cohort scans/ --modality mri --prompt 'both hippocampi' --out results",
        "satsegment cohort scans.csv --prompt liver --modality ct --model sat-nano --out results --resume",
        notes=(
            "Each scan has a folder of its own in OUT/scans, written whole or not at all. OUT/cohort.csv (and .parquet "
            "with pyarrow) is the table, OUT/cohort.html the page. After an interruption, --resume does only what is "
            "missing. Exit codes are about all scans of the list, also those done before.",
        ),
        codes={
            1: "cancelled; finished scans stay, and --resume continues",
            FLAGGED: "done, but a result has a flag and --strict was given",
            SOME_FAILED: "done, but a scan has no results; its row says why",
        },
    )
    parser.add_argument(
        "scans", type=Path, help="folder, BIDS data set, or list (CSV or JSON lines with columns scan, name, modality, "
        "prompts, preset, report, frame, series, volume, dicom_source; all but the first may be missing)"
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder for the results")
    parser.add_argument(
        "--prompt", action="append", default=[], metavar="NAME", help="structure to segment, as in segment"
    )
    parser.add_argument("--preset", action="append", default=[], metavar="ID", help="a preset's structures")
    parser.add_argument(
        "--reports", action="store_true", help="also what the scan's own report mentions: NAME.txt beside NAME.nii.gz"
    )
    add_modality(parser, "modality of scans that do not state one")
    parser.add_argument("--free-text", action="store_true", help="run unknown names as free text")
    parser.add_argument(
        "--format", choices=FORMATS, default="seg.nrrd",
        help="of the masks, as in segment (default: seg.nrrd); the others refer to DICOM images: scans are DICOM, or "
        "their rows name a dicom_source",
    )  # fmt: skip
    add_server(parser)
    add_run_options(parser)
    parser.add_argument(
        "--resume", action="store_true", help="continue: do only scans that have no results, or have changed since"
    )
    parser.add_argument(
        "--overwrite", action="store_true",
        help="like --resume, and do scans again whose results were made with other options; each scan's old results "
        "stay until its new ones are whole",
    )  # fmt: skip
    parser.add_argument("--strict", action="store_true", help="exit with code 5 where a result has a plausibility flag")
    parser.add_argument(
        "--shard", type=_shard, default=(1, 1), metavar="K/N", help="do only the K-th of N shares; `collect` joins them"
    )
    jobs = parser.add_argument_group("jobs of a cluster (pip install 'satsegment[cohort]')")
    jobs.add_argument("--slurm", type=_count, metavar="N", help="submit N shards as an array of SLURM jobs")
    jobs.add_argument("--cluster", choices=CLUSTERS, default="slurm", help="local or debug try it on this computer")
    jobs.add_argument(
        "--job", action="append", default=[], metavar="KEY=VALUE",
        help="submitit's parameters: timeout_min=600, slurm_partition=gpu, gpus_per_node=1, cpus_per_task=8, mem_gb=32",
    )  # fmt: skip
    jobs.add_argument("--wait", action="store_true", help="wait for the jobs, then collect")


def run(arguments: argparse.Namespace) -> int:
    """Run the cohort, or submit it; returns the exit code."""
    from SATSegmentLib.errors import OutputError
    from SATSegmentLib.models.catalog import find_model

    out = arguments.out.expanduser()
    goes_on = arguments.resume or arguments.overwrite or arguments.shard[1] > 1
    if not goes_on and (out / "scans").is_dir() and any((out / "scans").iterdir()):
        raise OutputError(
            f"The folder {out} holds results already.",
            "Go on with --resume, make them again with --overwrite, or choose another folder.",
        )
    # What is missing for all scans is no scan's fault, and nothing that jobs should wait in a queue for.
    if arguments.server is None:
        find_model(arguments.model)
    check_source(arguments.format, DicomSource(arguments.scans))
    with warning_lines():
        return _run_here(arguments, out) if arguments.slurm is None else _submitted(arguments, out)


def _run_here(arguments: argparse.Namespace, out: Path) -> int:
    from SATSegmentLib.cli.progress import progress_bar
    from SATSegmentLib.cohort.collect import collect
    from SATSegmentLib.cohort.listing import find_tasks
    from SATSegmentLib.cohort.run import CohortRun
    from SATSegmentLib.engine.api import RunListener
    from SATSegmentLib.errors import Cancelled

    tasks = find_tasks(arguments.scans, without=out)
    asked = _asked(arguments)
    more = {"format_": arguments.format, "shard": arguments.shard, "overwrite": arguments.overwrite}
    with engine_of(arguments) as engine, progress_bar("This scan") as progress:
        run = CohortRun(out, asked, run_options(arguments), engine, **more)
        try:
            summary = run.run(tasks, _tell, RunListener(progress=progress))
        except (KeyboardInterrupt, Cancelled):
            state = run.state(tasks)
            raise Cancelled(
                f"{state.done} of {state.done + state.failed} scans are whole in {out / 'scans'}. "
                "The same command with --resume goes on."
            ) from None
    # One shard of several may end before the others have begun: `collect` is for the last one.
    written = collect([out], out).files if arguments.shard[1] == 1 else ()
    arguments.answer = {"out": str(out), **dataclasses.asdict(summary), "files": list(map(str, written))}
    print(
        f"{summary.done} of {summary.done + summary.failed} scans have results ({summary.skipped} done before), "
        f"{summary.failed} without results, {summary.flagged} with flags."
    )
    print("\n".join(map(str, written)) or f"Join the shards with: satsegment collect {out}")
    print("Research use only. Not a medical device.")
    if arguments.strict and summary.flagged:
        return FLAGGED
    return SOME_FAILED if summary.failed else 0


def _asked(arguments: argparse.Namespace) -> Asked:
    from SATSegmentLib.cohort.asked import Asked, check_presets
    from SATSegmentLib.models.catalog import checksum_of

    check_presets(arguments.preset)
    return Asked(
        arguments.modality or "",
        tuple(arguments.prompt),
        tuple(arguments.preset),
        arguments.reports,
        arguments.free_text,
        checksum_of(arguments.model),
    )


def _tell(event: ScanEvent) -> None:
    state = f"no results: {event.error}" if event.error else f"{event.flagged} flags" if event.flagged else "done"
    left = f", about {_duration(event.seconds_left)} left" if event.number < event.count else ""
    print(f"[{event.number}/{event.count}{left}] {event.task.name}: {state}", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class ShardFailed(RuntimeError):
    """A shard's command ended with an error; submitit marks its job as failed."""


def run_shard(words: Sequence[str]) -> int:
    """Run `satsegment` with these words in this process: a job's whole work.

    Raises
    ------
    ShardFailed
        It ended with an error. Scans without results and flags are no errors of the job.
    """
    from SATSegmentLib.cli.main import main

    code = main(list(words))
    if code in (1, 2, 3):
        raise ShardFailed(f"satsegment ended with exit code {code}; its log says why")
    return code


def _submitted(arguments: argparse.Namespace, out: Path) -> int:
    from SATSegmentLib.cohort.collect import collect
    from SATSegmentLib.cohort.jobs import submit
    from SATSegmentLib.cohort.listing import find_tasks
    from SATSegmentLib.cohort.settings import refuse_other_settings, settings_of

    if not arguments.overwrite:
        # Each job would refuse it, too, but hours later.
        settings = settings_of(_asked(arguments), run_options(arguments), arguments.format)
        refuse_other_settings(out, find_tasks(arguments.scans, without=out), (), settings)
    words, parameters = _shard_words(arguments, out), _parameters(arguments.job)
    jobs = submit(run_shard, words, arguments.slurm, out.resolve() / "jobs", arguments.cluster, parameters)
    print(f"Submitted {len(jobs)} jobs: {', '.join(job.job_id for job in jobs)}. Logs: {out / 'jobs'}")
    arguments.answer = {"out": str(out), "jobs": [job.job_id for job in jobs], "files": []}
    if not arguments.wait:
        print(f"When they are done: satsegment collect {out}")
        return 0
    codes = [job.result() for job in jobs]
    made = collect([out], out)
    arguments.answer["files"] = list(map(str, made.files))
    print("\n".join([made.text(), *arguments.answer["files"]]))
    if made.failed:
        print("Rows of the table say why a scan has no results.")
    print("Research use only. Not a medical device.")
    if arguments.strict and FLAGGED in codes:
        return FLAGGED
    return SOME_FAILED if SOME_FAILED in codes else 0


def _shard_words(arguments: argparse.Namespace, out: Path) -> list[str]:
    """The command of a shard: what was given, without what submits; a job runs in another folder."""
    words = ["cohort", str(arguments.scans.expanduser().resolve()), "--out", str(out.resolve()), "--resume"]
    for name in ("prompt", "preset"):
        words += [word for value in getattr(arguments, name) for word in (f"--{name}", value)]
    words += as_words(arguments)
    given = {"modality": arguments.modality, "format": arguments.format, "server": arguments.server}
    given |= {name: _absolute(getattr(arguments, name.replace("-", "_"))) for name in ("token-file", "ca-file")}
    words += [word for name, value in given.items() if value for word in (f"--{name}", value)]
    flags = [one for one in ("reports", "overwrite", "free_text", "strict") if getattr(arguments, one)]
    return words + [f"--{one.replace('_', '-')}" for one in flags]


def _absolute(path: Path | None) -> str:
    return str(path.expanduser().resolve()) if path is not None else ""


def _parameters(texts: list[str]) -> dict[str, str | int]:
    from SATSegmentLib.errors import PromptError

    found: dict[str, str | int] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise PromptError(f"--job {text} has no value.", "Write KEY=VALUE.")
        found[key] = int(value) if value.isdigit() else value
    return found


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a number of shards, 1 or more")
    return int(text)


def _shard(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise argparse.ArgumentTypeError("must be like 3/40, the third of forty")
    return int(number), int(count)
