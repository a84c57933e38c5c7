"""The option --modality of all commands that speak to SAT: in its own words or DICOM's."""

from __future__ import annotations

import argparse

from SATSegmentLib.types import MODALITIES, Modality, modality_named


def add_modality(parser: argparse.ArgumentParser, about: str, *, required: bool = False) -> None:
    """Declare it.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The command's.
    about : str
        What it is for.
    required : bool, optional
        Whether the command cannot do without.
    """
    choices = f"{{{','.join(MODALITIES)}}}"
    parser.add_argument("--modality", type=_modality, metavar=choices, required=required, help=about)


def _modality(text: str) -> Modality:
    found = modality_named(text)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not one of {', '.join(MODALITIES)}, which SAT was trained on "
            "(ultrasound and microscopy: see satsegment challenge)"
        )
    return found
