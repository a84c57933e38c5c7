"""Which labels a model was trained on: said while one types, not after a wait."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from slicer.i18n import tr as _

from SATSegmentLib.anatomy.personal.user_words import find_words, is_taught
from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.models.folder import BANK_FILE, TEXT_FOLDER, read_description
from SATSegmentLib.types import Prompt


@dataclass(frozen=True)
class ModelLabels:
    """What the chosen model can be asked for.

    Attributes
    ----------
    title : str
        The model's name, for people.
    labels : frozenset of (str, str), or None
        (text in lower case, modality) of each label; None where the model has no list of them.
    readsText : bool
        Whether it takes free text as well. A name that SAT was trained on is none: the model would have an answer to
        it as to every word, and the mask would look like any other.
    sha256 : str
        Of its checkpoint; a word that was taught to another one is not known to it. Empty where it is not known.
    """

    title: str = ""
    labels: frozenset[tuple[str, str]] | None = None
    readsText: bool = True
    sha256: str = ""

    @classmethod
    def of(cls, folder: str, title: str) -> ModelLabels:
        """The labels of the model in a folder."""
        bank = Path(folder) / BANK_FILE
        sha256 = _sha256(folder) if folder else ""
        if not folder or not os.path.isfile(bank):
            return cls(title, sha256=sha256)
        readsText = any((Path(folder) / TEXT_FOLDER).glob("*.safetensors"))
        return cls(title, _labels(str(bank), os.path.getmtime(bank)) or None, readsText, sha256)

    def knows(self, prompt: Prompt) -> bool:
        """Whether the model has an answer to this prompt."""
        if is_taught(prompt):
            words = find_words(prompt.text, prompt.modality)
            return not self.sha256 or any(one.record.model_sha256 == self.sha256 for one in words)
        if self.labels is None or (prompt.text.lower(), prompt.modality) in self.labels:
            return True
        return self.readsText and not prompt.trained

    def unknown(self, prompts: Iterable[Prompt]) -> tuple[Prompt, ...]:
        """Those of the prompts that the model has no answer to."""
        return tuple(prompt for prompt in prompts if not self.knows(prompt))

    def reason(self, prompts: tuple[Prompt, ...]) -> str:
        """ "not in this model", "3 of 8 in this model"; empty where the model knows all of them."""
        unknown = len(self.unknown(prompts))
        if not unknown:
            return ""
        if unknown == len(prompts):
            return _("not in this model")
        return _("{known} of {count} in this model").format(known=len(prompts) - unknown, count=len(prompts))


ANY_LABEL = ModelLabels()


def _sha256(folder: str) -> str:
    try:
        return read_description(Path(folder)).network_sha256
    except SATSegmentError:
        return ""  # said where the model is chosen


@lru_cache(maxsize=8)
def _labels(bank: str, changed: float) -> frozenset[tuple[str, str]]:
    """Read from the head of the file alone: eight bytes of length, then JSON (the safetensors format)."""
    try:
        with open(bank, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            about = json.loads(file.read(min(length, 10_000_000))).get("__metadata__", {})
        return frozenset((text.lower(), modality) for text, modality in json.loads(about["labels"]))
    except (OSError, ValueError, KeyError, struct.error):
        return frozenset()
