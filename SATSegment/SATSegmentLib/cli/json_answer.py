"""`--json` of every command: one JSON document on standard output, and nothing else."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from typing import Any

from SATSegmentLib.errors import SATSegmentError

# These talk until they are told to end; what they say is no document.
_ENDLESS = ("serve", "mcp")


def add_json(parser: argparse.ArgumentParser, command: str) -> None:
    """Give a command its `--json`, where it does not print its own document."""
    has_own = "--json" in parser._option_string_actions  # argparse has no public way to ask
    if not has_own and command not in _ENDLESS:
        parser.add_argument(
            "--json", action="store_true", help="print one JSON document (see `satsegment schema`) instead of text"
        )
    parser.set_defaults(prints_own_json=has_own, answer={})


@contextlib.contextmanager
def answering(arguments: argparse.Namespace) -> Iterator[None]:
    """Keep standard output for the document: what a command prints for people goes to standard error."""
    if not _wanted(arguments) or arguments.prints_own_json:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


def print_answer(arguments: argparse.Namespace, code: int) -> None:
    """Print what a command has answered (`arguments.answer`), with its exit code."""
    if _wanted(arguments) and not arguments.prints_own_json:
        _print({"command": arguments.command, "exit_code": code, **arguments.answer})


def print_error(arguments: argparse.Namespace, error: BaseException) -> None:
    """Print why a command has no answer."""
    if not _wanted(arguments):
        return
    if isinstance(error, SATSegmentError):
        _print({"error": error.as_dict()})
        return
    kind = "OSError" if isinstance(error, OSError) else "Cancelled" if isinstance(error, KeyboardInterrupt) else "Bug"
    _print({"error": {"kind": kind, "message": str(error), "remedy": "", "details": {}}})


def _wanted(arguments: argparse.Namespace) -> bool:
    return bool(getattr(arguments, "json", False))


def _print(document: dict[str, Any]) -> None:
    # A full disk behind standard output is said elsewhere.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(json.dumps(document, indent=2, ensure_ascii=False, default=str), flush=True)
