"""`satsegment schema`: the JSON schema of what a command prints with `--json`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from SATSegmentLib.cli.help_text import describe
from SATSegmentLib.resources import resource_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment schema segment",
        notes=("An error is the same for all commands: see `satsegment schema error`.",),
        codes={1: "cancelled"},
    )
    parser.add_argument("name", nargs="?", metavar="COMMAND", help="all of them by default")


def run(arguments: argparse.Namespace) -> int:
    """Print; returns the exit code."""
    from SATSegmentLib.errors import PromptError

    schemas = load_schemas()
    if arguments.name is not None and arguments.name not in schemas:
        raise PromptError(f"There is no command {arguments.name!r} with --json.", f"It is one of {', '.join(schemas)}.")
    found = schemas if arguments.name is None else schemas[arguments.name]
    arguments.answer = {"schema": found}
    print(json.dumps(found, indent=2))
    return 0


def load_schemas() -> dict[str, Any]:
    """The schemas by command."""
    schemas: dict[str, Any] = json.loads(resource_path("Schemas/cli.json").read_text(encoding="utf-8"))
    return schemas
