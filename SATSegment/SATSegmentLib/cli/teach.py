"""`satsegment teach`: a new word from a scan and a mask; and the words there are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from SATSegmentLib.cli.help_text import describe
from SATSegmentLib.cli.modality import add_modality
from SATSegmentLib.cli.warning_lines import warning_lines
from SATSegmentLib.types import ORIENTATIONS

if TYPE_CHECKING:
    from SATSegmentLib.anatomy.personal.user_words import WordFile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment teach head.nii.gz head.seg.nrrd --segment Segment_1 --name 'my implant' --modality mri",
        "satsegment teach a.nii.gz a_mask.nii.gz --example b.nii.gz b_mask.nii.gz --name 'my clip' --modality ct",
        "satsegment segment other.nii.gz --modality mri --prompt 'my implant' --out other.seg.nrrd",
        "satsegment teach --list",
        notes=(
            "A word is a file of a few kB, and belongs to the model it was taught to. Give the file to others, who "
            "take it in with --import; or put it into a folder that the environment variable SATSEGMENT_WORDS names.",
        ),
    )
    parser.add_argument("scan", type=Path, nargs="?", metavar="SCAN", help="NIfTI, NRRD or MHA file, or DICOM folder")
    parser.add_argument(
        "mask",
        type=Path,
        nargs="?",
        metavar="MASK",
        help="mask of the structure on the scan's grid: mask, label map, .seg.nrrd",
    )
    parser.add_argument("--name", help="what the word is called, for example 'my implant'")
    add_modality(parser, "modality of the scans")
    parser.add_argument("--model", default="demo", help="model folder or name (see `satsegment models`; default: demo)")
    parser.add_argument(
        "--example", nargs=2, type=Path, action="append", default=[], metavar=("SCAN", "MASK"),
        help="one more example; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--segment",
        default="",
        metavar="WHICH",
        help="of a .seg.nrrd: the segment's name; of a label map: its values (17,53)",
    )
    parser.add_argument(
        "--orientation", default="RAS", choices=ORIENTATIONS,
        help="axis order in which the model looks at the scans (default: RAS)",
    )  # fmt: skip
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (default: auto)")
    parser.add_argument("--precision", default="auto", help="auto, float32, bfloat16 or float16 (default: auto)")
    parser.add_argument("--overwrite", action="store_true", help="replace a word of this name")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--list", action="store_true", help="list the words there are")
    other.add_argument("--delete", metavar="NAME", help="delete a word of your own")
    other.add_argument("--import", dest="import_file", type=Path, metavar="FILE", help="import a word that was shared")


def run(arguments: argparse.Namespace) -> int:
    """Teach, or look after what was taught; returns the exit code."""
    if arguments.list:
        _list(arguments)
    elif arguments.delete is not None:
        _delete(arguments)
    elif arguments.import_file is not None:
        _import(arguments)
    else:
        _need(arguments)
        with warning_lines():
            _teach(arguments)
    return 0


def _need(arguments: argparse.Namespace) -> None:
    from SATSegmentLib.errors import PromptError

    missing = [f"--{name}" for name in ("name", "modality") if getattr(arguments, name) is None]
    missing = ["SCAN and MASK"] * (arguments.mask is None) + missing
    if missing:
        raise PromptError(f"Missing, to teach a word: {', '.join(missing)}.", "See `satsegment teach --help`.")


def _teach(arguments: argparse.Namespace) -> None:
    from SATSegmentLib.anatomy.personal.user_words import find_words, own_folder, save_word
    from SATSegmentLib.anatomy.resolver.new_words import check_name
    from SATSegmentLib.cli.progress import progress_bar
    from SATSegmentLib.engine.api import RunListener, RunOptions, TeachRequest
    from SATSegmentLib.engine.local import LocalEngine
    from SATSegmentLib.errors import OutputError
    from SATSegmentLib.learning.teach.files import read_example
    from SATSegmentLib.models.catalog import find_model
    from SATSegmentLib.models.folder import read_description

    # All that can be wrong is asked before the work.
    name = check_name(arguments.name, arguments.modality)
    own_folder()
    pairs = [(arguments.scan, arguments.mask), *arguments.example]
    examples = tuple(read_example(scan, mask, arguments.segment) for scan, mask in pairs)
    description = read_description(find_model(arguments.model))
    taught = [one.record.model_sha256 for one in find_words(name, arguments.modality) if one.own]
    if description.network_sha256 in taught and not arguments.overwrite:
        raise OutputError(
            f"There is a word {name!r} for this model already.", "Choose another name, or add --overwrite."
        )
    options = RunOptions(arguments.model, arguments.device, arguments.precision)
    request = TeachRequest(examples, name, arguments.modality, arguments.orientation, options)
    with progress_bar("Teaching") as progress:
        answer = LocalEngine().teach(request, RunListener(progress=progress))
    word = save_word(answer.word)
    arguments.answer = {"word": _plain(word)}
    for number, dice in enumerate(word.record.dice, 1):
        left = f", {word.record.left_out_dice[number - 1]:.2f} when left out" if word.record.left_out_dice else ""
        print(f"example {number}: Dice {dice:.2f}{left}")
    print(f"{name!r} can now be asked of {word.record.model} in {arguments.modality}. It is in {word.path}")
    print("Research use only. Not a medical device.")


def _list(arguments: argparse.Namespace) -> None:
    from SATSegmentLib.anatomy.personal.user_words import word_files, words_home

    files = word_files()
    arguments.answer = {"words": [_plain(one) for one in files]}
    if not files:
        print(f"No word was taught yet. Words are kept in {words_home()}")
        return
    width = max(len(one.record.name) for one in files)
    print(f"{'word':<{width}}  modality  examples  model, quality, file")
    for one in files:
        record = one.record
        kept = "" if one.own else " (site)"
        print(
            f"{record.name:<{width}}  {record.modality:<8}  {record.examples:8}  {record.model} "
            f"({record.model_sha256[:12]}), {record.quality()}, {record.taught[:10]}, {one.path}{kept}"
        )


def _delete(arguments: argparse.Namespace) -> None:
    from SATSegmentLib.anatomy.personal.user_words import delete_word

    deleted = delete_word(arguments.delete, arguments.modality)
    arguments.answer = {"deleted": [_plain(one) for one in deleted]}
    for one in deleted:
        print(f"Deleted {one.record.name!r} ({one.record.modality}, {one.record.model}).")


def _import(arguments: argparse.Namespace) -> None:
    from SATSegmentLib.anatomy.resolver.new_words import import_word
    from SATSegmentLib.sat.text.taught_words import read_word

    # Whole, and not its header alone.
    read_word(arguments.import_file.expanduser())
    one = import_word(arguments.import_file, arguments.overwrite)
    record = one.record
    arguments.answer = {"word": _plain(one)}
    print(f"{record.name!r} can now be asked of {record.model} ({record.model_sha256[:12]}) in {record.modality}.")
    print(f"{record.quality()}, {record.examples} example(s), taught {record.taught[:10]}.")


def _plain(word: WordFile) -> dict[str, object]:
    record = word.record
    return {
        "name": record.name,
        "modality": record.modality,
        "model": record.model,
        "model_sha256": record.model_sha256,
        "examples": record.examples,
        "dice": list(record.dice),
        "left_out_dice": list(record.left_out_dice),
        "path": str(word.path),
    }
