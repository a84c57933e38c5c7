"""Words that users taught a model themselves: one small file each, in the user's own folder or in a site's.

A file is a safetensors file (`sat.text.taught_words` reads and writes its vectors). Everything else known about the
word stands in the file's header, which is JSON, so that the prompt line can offer it before anything was installed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import logging
import math
import os
import re
import struct
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from SATSegmentLib.errors import OutputError, SATSegmentError
from SATSegmentLib.files import atomic_path
from SATSegmentLib.types import MODALITIES, ORIENTATIONS, Modality, Orientation, Prompt

WORDS_VARIABLE = "SATSEGMENT_WORDS"
SUFFIX = ".satword"
FORMAT = "satsegment-word-1"
# Stands in `Prompt.concept`, so that a taught word is never taken for free text of the same letters.
TAUGHT = "taught"

MAX_NAME = 100
# A word of SAT-Pro has 4 kB; whatever is this large is something else.
_MAX_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DAMAGED = (ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error)

_log = logging.getLogger(__name__)


class WordError(SATSegmentError):
    """The file of a taught word is damaged, is something else, or cannot be put where it should be."""


@dataclass(frozen=True)
class WordRecord:
    """What is known of a taught word; the header of its file. Nothing in it names a patient, a scan or a file.

    Attributes
    ----------
    name : str
        What the user calls it.
    modality : Modality
        How it is to be asked for.
    orientation : Orientation
        How it is to be asked for.
    model : str
        Name of the model it was taught to, for people.
    model_sha256 : str
        Of that model's checkpoint; the word means nothing to any other model.
    taught : str
        When, as ISO 8601 in UTC.
    scans : tuple[str, ...]
        SHA-256 of each example's voxels, so that examples can be told apart.
    dice : tuple[float, ...]
        How well the word finds its own examples again, one number each.
    left_out_dice : tuple[float, ...]
        The same for each example, with a word taught from all others; empty where there is one example.
    start : str
        The label whose query the fit began with; empty where there was none.
    software : str
        What made it.
    """

    name: str
    modality: Modality
    orientation: Orientation
    model: str
    model_sha256: str
    taught: str
    scans: tuple[str, ...]
    dice: tuple[float, ...]
    left_out_dice: tuple[float, ...] = ()
    start: str = ""
    software: str = ""

    @property
    def examples(self) -> int:
        """How many examples it was taught from."""
        return len(self.scans)

    def prompt(self) -> Prompt:
        """The prompt that asks for it."""
        return Prompt(self.name, self.modality, self.orientation, TAUGHT, trained=False)

    def quality(self) -> str:
        """How well it does, for people."""
        if self.left_out_dice:
            mean = sum(self.left_out_dice) / len(self.left_out_dice)
            return f"Dice {mean:.2f} on examples left out"
        return f"Dice {sum(self.dice) / len(self.dice):.2f} on its own example"

    def to_header(self) -> dict[str, str]:
        """The metadata of the safetensors file."""
        return {"format": FORMAT, "word": json.dumps(dataclasses.asdict(self), ensure_ascii=False)}


@dataclass(frozen=True)
class WordFile:
    """A word and where it lies.

    Attributes
    ----------
    own : bool
        Whether it is in the user's own folder, and so the user's to delete.
    """

    path: Path
    record: WordRecord
    own: bool


def is_taught(prompt: Prompt) -> bool:
    """Whether a prompt asks for a taught word."""
    return prompt.concept == TAUGHT and not prompt.trained


def words_home() -> Path:
    """The user's own folder of words, beside the models (`platformdirs.user_data_path`, without the package)."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Application Support"
    else:
        base = os.environ.get("XDG_DATA_HOME", "").strip() or "~/.local/share"
    return Path(base).expanduser() / "SATSegment" / "words"


def site_folders() -> tuple[Path, ...]:
    """The folders that SATSEGMENT_WORDS names, divided as in PATH."""
    named = os.environ.get(WORDS_VARIABLE, "").split(os.pathsep)
    return tuple(Path(name).expanduser() for name in named if name.strip())


def word_files() -> tuple[WordFile, ...]:
    """All words that can be read: the user's own, then those of the site; a damaged file is passed over and logged."""
    home = words_home()
    found: list[WordFile] = []
    for folder in (home, *site_folders()):
        found += [WordFile(path, record, folder == home) for path, record in _records(folder)]
    return tuple(found)


def find_words(name: str, modality: Modality) -> tuple[WordFile, ...]:
    """The words of this name (in any letters' case) in a modality, taught to whatever model; the user's own first."""
    key = name_key(name)
    return tuple(one for one in word_files() if name_key(one.record.name) == key and one.record.modality == modality)


def word_sha256(prompt: Prompt, model_sha256: str) -> str:
    """SHA-256 of the file behind a taught word's prompt in a model; empty where it is not there any more."""
    for one in find_words(prompt.text, prompt.modality):
        if one.record.model_sha256 == model_sha256:
            with contextlib.suppress(OSError):
                return hashlib.sha256(one.path.read_bytes()).hexdigest()
    return ""


def name_key(name: str) -> str:
    """What two names that count as the same have in common."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def word_path(record: WordRecord, folder: Path) -> Path:
    """Where a word lies in a folder: one place for each name, modality and model."""
    words = re.sub(r"[^a-z0-9]+", "-", name_key(record.name)).strip("-")[:40]
    digest = _digest(f"{name_key(record.name)}\n{record.modality}\n{record.model_sha256}")
    return folder / f"{words or 'word'}-{record.modality}-{digest}{SUFFIX}"


def read_record(path: Path) -> WordRecord:
    """The header of a word's file.

    Raises
    ------
    WordError
        Missing, damaged, or something else.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("too large")
        with path.open("rb") as file:
            return _parsed(file)
    except OSError as error:
        raise WordError(f"{path.name} cannot be read: {error.strerror or error}.", "Check the file's name.") from error
    except _DAMAGED as error:
        raise _not_a_word(path.name) from error


def record_in(content: bytes) -> WordRecord:
    """The header in the content of a word's file.

    Raises
    ------
    WordError
        Damaged, or something else.
    """
    try:
        if len(content) > _MAX_BYTES:
            raise ValueError("too large")
        return _parsed(io.BytesIO(content))
    except _DAMAGED as error:
        raise _not_a_word("A word that was sent") from error


def _parsed(file: BinaryIO) -> WordRecord:
    (length,) = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(min(length, _MAX_BYTES)))["__metadata__"]
    if header["format"] != FORMAT:
        raise ValueError("another format")
    return _record(json.loads(header["word"]))


def _not_a_word(name: str) -> WordError:
    return WordError(f"{name} is not a taught word, or is damaged.", "Get the file again from whoever taught it.")


def word_contents(prompts: Iterable[Prompt]) -> tuple[bytes, ...]:
    """The contents of the files behind the taught words among some prompts, for an engine on another computer.

    Of a name that was taught to several models, all are given: which one is meant is for the engine to say.

    Raises
    ------
    WordError
        A file cannot be read.
    """
    files = [one for prompt in prompts if is_taught(prompt) for one in find_words(prompt.text, prompt.modality)]
    try:
        return tuple(one.path.read_bytes() for one in files)
    except OSError as error:
        raise WordError(
            f"The file of a taught word cannot be read: {error.strerror or error}.", "Teach the word again."
        ) from error


def save_word(content: bytes, folder: Path | None = None) -> WordFile:
    """Keep a word, over an older one of its name, modality and model; whole or not at all.

    Parameters
    ----------
    content : bytes
        Of the word's file, as `engine.api.TeachAnswer` has it.
    folder : Path, optional
        Where; the user's own folder of words by default.

    Raises
    ------
    WordError
        It is no word.
    OutputError
        The folder cannot be written to.
    """
    record = record_in(content)
    path = word_path(record, folder or own_folder())
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_bytes(content)
    return WordFile(path, record, own=folder in (None, words_home()))


def delete_word(name: str, modality: Modality | None = None) -> tuple[WordFile, ...]:
    """Delete the user's own words of this name; returns what was deleted.

    Raises
    ------
    WordError
        There is none, or it is the site's.
    """
    key = name_key(name)
    named = [one for one in word_files() if name_key(one.record.name) == key]
    named = [one for one in named if modality in (None, one.record.modality)]
    if not named:
        raise WordError(f"No word is called {name!r}.", "See what there is with `satsegment teach --list`.")
    own = tuple(one for one in named if one.own)
    if not own:
        raise WordError(
            f"{name!r} is in a folder of the site ({named[0].path.parent}).", "Ask whoever keeps that folder."
        )
    for one in own:
        try:
            one.path.unlink()
        except OSError as error:
            raise WordError(f"{one.path} cannot be deleted: {error.strerror or error}.") from error
    return own


def own_folder() -> Path:
    """The user's own folder of words, made where it is missing.

    Raises
    ------
    OutputError
        It cannot be made.
    """
    home = words_home()
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {home} cannot be made: {error.strerror or error}.", "Check its permissions."
        ) from error
    return home


def _records(folder: Path) -> tuple[tuple[Path, WordRecord], ...]:
    try:
        # What begins with a dot is still being written.
        entries = [e for e in os.scandir(folder) if e.name.endswith(SUFFIX) and not e.name.startswith(".")]
        listed = [(e.path, e.stat().st_mtime_ns, e.stat().st_size) for e in entries]
    except OSError:
        return ()  # Most users never taught anything.
    return _read_folder(tuple(sorted(listed)))


@lru_cache(maxsize=16)
def _read_folder(listed: tuple[tuple[str, int, int], ...]) -> tuple[tuple[Path, WordRecord], ...]:
    """Read once for as long as the files are what they are: this is asked at every keystroke."""
    return tuple(_readable(Path(path) for path, _, _ in listed))


def _readable(paths: Iterator[Path]) -> Iterator[tuple[Path, WordRecord]]:
    for path in paths:
        try:
            yield path, read_record(path)
        except WordError as error:
            _log.warning("%s", error)


def _record(content: dict[str, Any]) -> WordRecord:
    fields = {**content, "scans": tuple(content["scans"])}
    for name in ("dice", "left_out_dice"):
        fields[name] = tuple(float(value) for value in content[name])
        if not all(0 <= value <= 1 and math.isfinite(value) for value in fields[name]):
            raise ValueError(f"{name} is no Dice")
    record = WordRecord(**fields)
    texts = (record.name, record.model, record.taught, record.start, record.software, *record.scans)
    if not all(isinstance(text, str) and len(text) <= 200 and text.isprintable() for text in texts):
        raise ValueError("not texts")
    if record.modality not in MODALITIES or record.orientation not in ORIENTATIONS:
        raise ValueError("unknown modality or orientation")
    if not _SHA256.fullmatch(record.model_sha256) or not name_key(record.name) or len(record.name) > MAX_NAME:
        raise ValueError("no model, or no name")
    if (
        not record.scans
        or len(record.dice) != len(record.scans)
        or len(record.left_out_dice) not in (0, len(record.dice))
    ):
        raise ValueError("examples and their Dice do not fit together")
    return record


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]
