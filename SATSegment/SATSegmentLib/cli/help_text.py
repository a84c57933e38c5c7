"""What `--help` of every command ends with: notes, examples to paste, and its exit codes."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from collections.abc import Mapping, Sequence

from SATSegmentLib.cli.exit_codes import CANCELLED, OF_ALL


def describe(
    parser: argparse.ArgumentParser,
    *examples: str,
    notes: Sequence[str] = (),
    codes: Mapping[int, str] | None = None,
) -> None:
    """Write a command's epilog, and keep what a cancel means (`arguments.cancelled`) for whoever says that it was one.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The command's own.
    *examples : str
        Command lines that can be pasted; what follows "  # " is a comment.
    notes : Sequence[str], optional
        Paragraphs before the examples. One with line breaks is kept as it is, any other is wrapped.
    codes : Mapping[int, str], optional
        Exit codes that mean something else than `exit_codes.OF_ALL` says, or are not in it.
    """
    width = max(shutil.get_terminal_size().columns - 2, 40)

    def wrapped(text: str, indent: str = "") -> str:
        return text if "\n" in text else textwrap.fill(text, width, subsequent_indent=indent, break_on_hyphens=False)

    meanings = {**OF_ALL, **(codes or {})}
    listed = code_lines(meanings)
    blocks = [wrapped(note) for note in notes]
    blocks.append("\n".join(("Examples:" if len(examples) > 1 else "Example:", *(f"  {line}" for line in examples))))
    blocks.append("\n".join(("Exit codes:", *(wrapped(line, " " * 5) for line in listed))))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = wrapped(parser.description or "")
    parser.epilog = "\n\n".join(blocks)
    parser.set_defaults(cancelled=meanings[CANCELLED])


def code_lines(codes: Mapping[int, str]) -> list[str]:
    """Exit codes and their meanings, a line each."""
    return [f"  {code}  {meaning}" for code, meaning in sorted(codes.items())]
