"""The `satsegment` command: finds the sub-command, runs it, turns errors into exit codes."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from SATSegmentLib import __version__
from SATSegmentLib.cli import exit_codes
from SATSegmentLib.cli.engine import lacking
from SATSegmentLib.cli.help_text import code_lines
from SATSegmentLib.cli.json_answer import add_json, answering, print_answer, print_error
from SATSegmentLib.engine.packages import OF_MODELS
from SATSegmentLib.errors import Cancelled, SATSegmentError
from SATSegmentLib.scratch import ended_by_signals

# Each name is a module beside this one with add_arguments(parser), which calls `help_text.describe`, and
# run(arguments) -> exit code.
# Modules are imported only for the command that is called, so that `--help` does not wait for torch.
_COMMANDS = {
    "segment": "segment structures in a scan by their names",
    "inspect": "tell what a scan is: its grid, modality, doubts, the series and volumes of a folder",
    "cohort": "segment many scans: a folder, a BIDS data set or a list, to masks, one table and one page",
    "collect": "join the results of a cohort's shards into one table and one page",
    "demo": "segment a real head scan with the embedded demonstration model, and draw it",
    "challenge": "segment cases (.npz) of the CVPR 2025 challenge, ultrasound or microscopy with SAT's models for it",
    "convert": "turn a released SAT checkpoint into a model folder, once",
    "download": "get a released model, from its authors or from a folder",
    "models": "list the models that are installed and those that could be, or delete one",
    "doctor": "print versions, devices, models and folders, for a bug report",
    "terms": "search the anatomy vocabulary, or resolve words to prompts",
    "report": "find the anatomy that a radiology report mentions",
    "train": "train a network on scans of one's own",
    "finetune": "train a network further on scans of one's own",
    "teach": "teach a model a new word from a scan and a mask of the structure",
    "pretrain": "teach a text encoder the knowledge tree",
    "evaluate": "compare masks with a reference, and two methods with each other",
    "mcp": "offer search, segmentation and statistics as tools to an agent (MCP)",
    "serve": "let others use this computer's models and GPUs over HTTP",
    "schema": "print the JSON schema of what a command prints with --json",
}


class _Parser(argparse.ArgumentParser):
    """One line for a wrong option: the usage of a command is longer than a terminal is high, and hides it."""

    def error(self, message: str) -> NoReturn:
        self.exit(exit_codes.ERROR, f"{self.prog}: {message}. `{self.prog} --help` lists all options.\n")


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The whole parser; only `command`'s own arguments are filled in."""
    parser = _Parser(
        prog="satsegment",
        description="Text-prompted segmentation of CT, MRI and PET. Research use only; not a medical device.",
        epilog="\n".join(
            (
                "Exit codes of all commands, and 128 + N where signal N ended them:",
                *code_lines(exit_codes.OF_ALL),
                "The --help of a command lists its own, with examples.",
            )
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"satsegment {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in _COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == command:
            module = importlib.import_module(f"SATSegmentLib.cli.{name}")
            module.add_arguments(sub)
            add_json(sub, name)
            sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run `satsegment`; returns one of `exit_codes`."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in words if word in _COMMANDS), None)
    try:
        arguments = build_parser(command).parse_args(words)
    except KeyboardInterrupt:
        # A command's own modules take a while to be imported.
        print("satsegment: cancelled; nothing was written.", file=sys.stderr)
        return exit_codes.CANCELLED
    try:
        with ended_by_signals(), answering(arguments):
            code = int(arguments.run(arguments))
        print_answer(arguments, code)
        # A full disk behind standard output shows itself here, and not on Python's way out.
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except (KeyboardInterrupt, Cancelled) as error:
        print_error(arguments, error)
        kept = error.kept if isinstance(error, Cancelled) else ""
        print(f"satsegment: {f'cancelled; {kept}' if kept else f'{arguments.cancelled}.'}", file=sys.stderr)
        return exit_codes.CANCELLED
    except BrokenPipeError:
        # Whoever read the output has seen enough (`| head`). Python would complain once more on the way out.
        _forget_output()
        return exit_codes.DONE
    except SATSegmentError as error:
        print_error(arguments, error)
        print(f"satsegment: {error}", file=sys.stderr)
        return exit_codes.ERROR
    except OSError as error:
        print_error(arguments, error)
        print(
            f"satsegment: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", file=sys.stderr
        )
        _forget_output()
        return exit_codes.ERROR
    except EOFError:
        print("satsegment: the input ended before the question was answered.", file=sys.stderr)
        return exit_codes.ERROR
    except ModuleNotFoundError as error:
        if error.name not in OF_MODELS:
            return _bug(arguments, error)
        known = lacking(error.name)
        print_error(arguments, known)
        print(f"satsegment: {known}", file=sys.stderr)
        return exit_codes.ERROR
    except Exception as error:  # what nobody foresaw is not to look like a cancelled run
        return _bug(arguments, error)


def _bug(arguments: argparse.Namespace, error: Exception) -> int:
    print_error(arguments, error)
    traceback.print_exception(error)
    print(f"satsegment {__version__}: this is a bug. Please report it with the lines above.", file=sys.stderr)
    return exit_codes.BUG


def _forget_output() -> None:
    """What could not be written stays unwritten; Python would try once more on the way out, and fail loudly."""
    if sys.stdout is not None:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
