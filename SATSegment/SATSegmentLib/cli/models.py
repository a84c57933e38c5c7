"""`satsegment models`: what is installed, what could be, and the way to delete one."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys

from SATSegmentLib.cli.help_text import describe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment models",
        "satsegment models --delete sat-nano",
        codes={1: "cancelled; nothing was deleted"},
    )
    parser.add_argument("--json", action="store_true", help="print as JSON")
    parser.add_argument("--delete", metavar="NAME", help="remove a downloaded model from this computer")
    parser.add_argument("--yes", action="store_true", help="delete without asking")


def run(arguments: argparse.Namespace) -> int:
    """List models, or delete one; returns the exit code."""
    if arguments.delete is not None:
        with contextlib.redirect_stdout(sys.stderr if arguments.json else sys.stdout):
            code = _delete(arguments.delete, arguments.yes)
        if arguments.json:
            print(json.dumps({"deleted": [arguments.delete] if code == 0 else []}))
        return code
    rows = _rows()
    if arguments.json:
        from SATSegmentLib.models.catalog import models_home

        print(json.dumps({"home": str(models_home()), "models": rows}, indent=2))
        return 0
    _print(rows)
    return 0


def _rows() -> list[dict[str, object]]:
    from SATSegmentLib.errors import SATSegmentError
    from SATSegmentLib.models.catalog import catalog, installed_models
    from SATSegmentLib.models.folder import read_description

    known = {entry.folder: entry for entry in catalog()}
    rows: list[dict[str, object]] = [
        {"name": entry.name, "installed": entry.installed, "title": entry.title, "about": entry.about}
        for entry in known.values()
    ]
    for folder in installed_models():
        if folder in known:
            continue
        try:
            title, about = read_description(folder, family=None).name, "converted here"
        except SATSegmentError as error:
            title, about = "damaged", error.message
        rows.append({"name": folder.name, "installed": True, "title": title, "about": about})
    return rows


def _print(rows: list[dict[str, object]]) -> None:
    from SATSegmentLib.models.catalog import models_home

    for row in rows:
        print(f"{row['name']:<16} {'installed' if row['installed'] else 'not installed':<14} {row['title']}")
        print(f"{'':<31} {row['about']}")
    print(f"\nConverted models belong in {models_home()}; SATSEGMENT_MODELS names another folder.")


def _delete(name: str, sure: bool) -> int:
    from SATSegmentLib.errors import ModelNotFound, OutputError
    from SATSegmentLib.models.catalog import find_entry
    from SATSegmentLib.models.install import delete, started_bytes

    entry = find_entry(name)
    if not entry.embedded and not entry.folder.exists() and not started_bytes(entry):
        raise ModelNotFound(f"{entry.title} is not installed.", "See `satsegment models`.")
    if not entry.embedded and not sure:
        if not (sys.stdin is not None and sys.stdin.isatty()):
            raise OutputError(f"{entry.title} was not deleted: it was not confirmed.", "Add --yes.")
        print(
            f"{entry.title} is removed from this computer. To use it again, it must be downloaded or imported again.\n"
            "Delete it? Type yes to agree: ",
            end="",
            file=sys.stderr,
            flush=True,
        )
        if sys.stdin.readline().strip().lower() not in ("yes", "y"):
            print("Nothing was deleted.", file=sys.stderr)
            return 1
    delete(entry)
    print(f"{entry.title} was deleted.")
    return 0
