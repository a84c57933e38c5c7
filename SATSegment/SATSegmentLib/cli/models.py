"""`satsegment models`: what is installed, and what could be."""

from __future__ import annotations

import argparse
import json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print as JSON")


def run(arguments: argparse.Namespace) -> int:
    """List models; returns the exit code."""
    from SATSegmentLib.models.catalog import catalog, installed_models, models_home
    from SATSegmentLib.models.folder import read_description

    known = {entry.folder: entry for entry in catalog()}
    rows = [
        {"name": entry.name, "installed": entry.installed, "title": entry.title, "about": entry.about}
        for entry in known.values()
    ]
    rows += [
        {"name": folder.name, "installed": True, "title": read_description(folder).name, "about": "converted here"}
        for folder in installed_models()
        if folder not in known
    ]
    if arguments.json:
        print(json.dumps({"home": str(models_home()), "models": rows}, indent=2))
        return 0
    for row in rows:
        print(f"{row['name']:<12} {'installed' if row['installed'] else 'not installed':<14} {row['title']}")
        print(f"{'':<27} {row['about']}")
    print(f"\nConverted models belong in {models_home()}; SATSEGMENT_MODELS names another folder.")
    return 0
