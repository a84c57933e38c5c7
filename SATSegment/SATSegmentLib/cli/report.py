"""`satsegment report`: what a radiology report mentions, as trained labels."""

from __future__ import annotations

import argparse
import codecs
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from SATSegmentLib.anatomy.report.reader import Mention, read_report
from SATSegmentLib.cli.help_text import describe
from SATSegmentLib.cli.modality import add_modality
from SATSegmentLib.errors import SATSegmentError

_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NOT_PLAIN_TEXT = ((b"%PDF", "a PDF"), (b"PK\x03\x04", "an office document"), (b"{\\rtf", "an RTF document"))
_SHOWN_LABELS = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment report findings.txt --modality ct",
        notes=("Rules only; nothing leaves this computer.",),
        codes={0: "done, also where nothing is mentioned", 1: "cancelled"},
    )
    parser.add_argument("file", metavar="FILE", help="the report as plain text, or - for standard input")
    add_modality(parser, "modality of the scan; only labels trained in it are listed", required=True)
    parser.add_argument("--json", action="store_true", help="print the mentions as JSON, with places in characters")


def run(arguments: argparse.Namespace) -> int:
    """Print the report's mentions."""
    mentions = read_report(_read_text(arguments.file), arguments.modality)
    if arguments.json:
        answer = {"modality": arguments.modality, "mentions": [mention.as_dict() for mention in mentions]}
        print(json.dumps(answer, indent=2))
    else:
        print(_table(mentions, arguments.modality))
    return 0


def _read_text(file: str) -> str:
    """The file's text, in UTF-8, UTF-16 with its mark, or Windows' Western letters."""
    if file == "-" and sys.stdin is None:
        raise SATSegmentError("Standard input is closed.", "Give the name of a text file.")
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise SATSegmentError(
            f"{file} cannot be read: {error.strerror or error}.", "Give a text file, or - to read standard input."
        ) from error
    for start, kind in _NOT_PLAIN_TEXT:
        if data.startswith(start):
            raise SATSegmentError(f"{file} is {kind}, not plain text.", "Save the report as a .txt file first.")
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _table(mentions: Sequence[Mention], modality: str) -> str:
    if not mentions:
        return f"No structure or finding that SAT was trained on in {modality.upper()} is mentioned."
    rows = [("PLACE", "STATUS", "WORDS", "LABELS"), *map(_row, mentions)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join("  ".join((*map(str.ljust, row[:3], widths), row[3])) for row in rows)


def _row(mention: Mention) -> tuple[str, str, str, str]:
    labels = ", ".join(mention.labels[:_SHOWN_LABELS])
    if more := len(mention.labels) - _SHOWN_LABELS:
        labels += f", and {more} more" if more > 0 else ""
    return (
        f"{mention.start}-{mention.end}",
        mention.certainty,
        " ".join(mention.text.split()),
        labels if mention.exact else f"{labels} (nearest)",
    )
