"""Names for words that users teach or bring along: none that already means something to SAT."""

from __future__ import annotations

import re
import shutil
import unicodedata
from pathlib import Path

from SATSegmentLib.anatomy.personal.user_words import MAX_NAME, WordError, WordFile, own_folder, read_record, word_path
from SATSegmentLib.anatomy.resolver.answers import Composite, Resolved
from SATSegmentLib.anatomy.resolver.resolve import resolve_vocabulary
from SATSegmentLib.errors import PromptError
from SATSegmentLib.files import atomic_path
from SATSegmentLib.types import MODALITIES, MODALITY_CHOICE, Modality


def check_name(name: str, modality: Modality) -> str:
    """A name that a word can have, tidied.

    Raises
    ------
    PromptError
        It is empty, too long, or already means something to SAT in this modality.
    """
    if modality not in MODALITIES:
        raise PromptError(f'SAT does not support the modality "{modality}".', f"Use {MODALITY_CHOICE}.")
    tidy = " ".join(unicodedata.normalize("NFC", name).split())
    if not any(letter.isalnum() for letter in tidy):
        raise PromptError("The new word has no name.", "Give it one, for example 'my implant'.")
    if len(tidy) > MAX_NAME or not tidy.isprintable():
        raise PromptError("The name of the new word is too long, or cannot be printed.", "Choose a shorter, plain one.")
    if re.search(r"[,;]", tidy):
        raise PromptError("A name with a comma or semicolon would be read as a list.", "Leave it out.")
    meaning = resolve_vocabulary(tidy, modality)
    if isinstance(meaning, Resolved | Composite):
        means = meaning.prompt.text if isinstance(meaning, Resolved) else meaning.name
        raise PromptError(
            f"{tidy!r} already means {means!r} to SAT in {modality}.",
            f"Choose another name, for example 'taught {tidy}'.",
        )
    return tidy


def import_word(path: Path, overwrite: bool = False) -> WordFile:
    """Copy a word's file into the user's own folder.

    Raises
    ------
    WordError
        It is no word, or a word of this name is there already and `overwrite` is not set.
    PromptError
        Its name means something else to SAT.
    OutputError
        The folder cannot be written to.
    """
    path = Path(path).expanduser()
    record = read_record(path)
    check_name(record.name, record.modality)
    target = word_path(record, own_folder())
    if target.exists() and not overwrite:
        raise WordError(
            f"There is a word {record.name!r} ({record.modality}) for {record.model} already.",
            "Delete it first, or say that it may be replaced.",
        )
    with atomic_path(target, overwrite=True) as temporary:
        shutil.copyfile(path, temporary)
    return WordFile(target, record, own=True)
