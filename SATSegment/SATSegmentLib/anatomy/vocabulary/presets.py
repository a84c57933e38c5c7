"""Sets of structures that are asked for together: clinical presets, and all labels by region.

Presets are data: `Resources/Anatomy/presets.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from SATSegmentLib.anatomy.vocabulary.labels import Label, find_label, load_labels
from SATSegmentLib.resources import resource_path
from SATSegmentLib.types import Modality, Prompt

PRESETS_FILE = "Anatomy/presets.json"


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of trained labels in one modality.

    Attributes
    ----------
    id : str
        Stable name for scripts ("thorax-oar").
    title : str
        Name for people.
    about : str
        What it is for, in one sentence.
    modality : Modality
        The modality its labels were trained in.
    prompts : tuple[Prompt, ...]
        What to segment, in the order to show.
    """

    id: str
    title: str
    about: str
    modality: Modality
    prompts: tuple[Prompt, ...]


@cache
def presets(modality: Modality | None = None) -> tuple[Preset, ...]:
    """The clinical presets, of one modality or of all, in the order of the file."""
    rows = json.loads(resource_path(PRESETS_FILE).read_text(encoding="utf-8"))["presets"]
    return tuple(_preset(row) for row in rows if modality in (None, row["modality"]))


@cache
def labels_by_region(modality: Modality | None = None) -> dict[str, tuple[Label, ...]]:
    """All labels under the body regions SAT's authors list them under: region -> labels."""
    chosen = [label for label in load_labels() if modality in (None, label.modality)]
    regions = sorted({region for label in chosen for region in label.regions})
    return {region: tuple(label for label in chosen if region in label.regions) for region in regions}


def _preset(row: dict) -> Preset:
    prompts = []
    for text in row["labels"]:
        for side in ("left", "right") if "{side}" in text else ("",):
            label = find_label(row["modality"], text.replace("{side}", side))
            if label is None:
                raise ValueError(f'Preset "{row["id"]}": "{text}" is not a label in {row["modality"]}.')
            prompts.append(label.prompt())
    return Preset(row["id"], row["title"], row["about"], row["modality"], tuple(prompts))
