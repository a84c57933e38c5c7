"""`satsegment download`: a released model, fetched and converted, or taken in from a folder that was carried here."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from SATSegmentLib.cli.help_text import describe

if TYPE_CHECKING:
    from SATSegmentLib.models.catalog import CatalogEntry
    from SATSegmentLib.models.install import Installer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment download sat-nano",
        "satsegment download sat-nano --from /media/stick  # no network: released files, or a converted model",
        notes=(
            "Nothing is downloaded before you have agreed to the notice: at the terminal, or with --accept in a "
            "script. SATSEGMENT_MODELS names the folder of models; `satsegment models` shows it.",
        ),
        codes={1: "cancelled; what was downloaded is kept, and the same command continues"},
    )
    parser.add_argument("name", metavar="NAME", help="of the model (see `satsegment models`)")
    parser.add_argument("--accept", action="store_true", help="I have read the notice and want to download these files")
    parser.add_argument("--from", dest="source", type=Path, metavar="FOLDER", help="import from a folder; no network")
    parser.add_argument("--overwrite", action="store_true", help="replace a model that is installed")


def run(arguments: argparse.Namespace) -> int:
    """Download or import; returns the exit code."""
    from SATSegmentLib.engine import tasks
    from SATSegmentLib.engine.offline import download_environment
    from SATSegmentLib.errors import ModelNotFound, OutputError
    from SATSegmentLib.models.catalog import find_entry
    from SATSegmentLib.models.install import Installer

    entry = find_entry(arguments.name)
    if entry.installed and not entry.embedded and not arguments.overwrite:
        raise OutputError(f"{entry.title} is already installed in {entry.folder}.", "Add --overwrite to replace it.")
    _need_libraries()
    # Read when huggingface_hub is imported, so it is set before.
    os.environ.update(download_environment())
    installer = Installer(tasks.in_this_process)
    if arguments.source is not None:
        source = arguments.source.expanduser()
        if not source.is_dir():
            raise ModelNotFound(f"{source} is not a folder.", "Give the folder that holds the files.")
        folder = _import(installer, entry, source)
    else:
        folder = _download(installer, entry, arguments.accept)
    arguments.answer = {"model": entry.name, "folder": str(folder)}
    print(f"{entry.title} is installed in {folder}")
    print("Research use only. Not a medical device.")
    return 0


def _download(installer: Installer, entry: CatalogEntry, accepted: bool) -> Path:
    from SATSegmentLib.cli.progress import progress_bar
    from SATSegmentLib.models.download import human_bytes
    from SATSegmentLib.models.install import started_bytes

    agreed = _consent(entry, accepted)
    if there := started_bytes(entry):
        print(f"{human_bytes(there)} already downloaded.", file=sys.stderr)
    try:
        with progress_bar(f"Downloading {entry.title}") as progress:
            return installer.download(entry, consent=agreed, progress=progress)
    except KeyboardInterrupt:
        print("What was downloaded is kept: the same command continues from there.", file=sys.stderr)
        raise


def _import(installer: Installer, entry: CatalogEntry, source: Path) -> Path:
    from SATSegmentLib.cli.progress import progress_bar

    with progress_bar(f"Importing {entry.title}") as progress:
        return installer.import_folder(entry, source, progress=progress)


def _consent(entry: CatalogEntry, accepted: bool) -> bool:
    """Show the notice; whether the user agrees to it."""
    from SATSegmentLib.models.install import ConsentError, notice

    if entry.embedded:
        return True  # The installer says that there is nothing to download.
    print(notice(entry), end="\n\n", file=sys.stderr)
    if accepted:
        return True
    if not (sys.stdin is not None and sys.stdin.isatty()):
        raise ConsentError(
            f"{entry.title} was not downloaded: the notice above was not accepted.",
            "Read it, then add --accept, or give the command at a terminal.",
        )
    print("Download these files? Type yes to agree: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("yes", "y")


def _need_libraries() -> None:
    from SATSegmentLib.engine.packages import missing
    from SATSegmentLib.errors import SATSegmentError

    lacking = missing(("huggingface_hub", "transformers"))
    if lacking:
        raise SATSegmentError(
            f"Downloading and converting needs {', '.join(lacking)}, which this installation lacks.",
            "Install it with: pip install 'satsegment[weights]'",
        )
