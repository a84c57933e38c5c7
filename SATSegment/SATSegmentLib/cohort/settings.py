"""With what settings a cohort's results were made, and a refusal to replace them by those of others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from SATSegmentLib.cohort.asked import Asked
from SATSegmentLib.cohort.listing import ScanTask
from SATSegmentLib.cohort.units import read_unit, unit_folder
from SATSegmentLib.engine.api import RunOptions
from SATSegmentLib.errors import OutputError
from SATSegmentLib.models.catalog import absolute_name
from SATSegmentLib.storage.formats import Format

# Where a run takes place changes no result that is meant to be kept; the format says whether probabilities are kept.
_OF_THE_COMPUTER = ("device", "cache_bytes", "spill", "keep_probabilities")


def settings_of(asked: Asked, options: RunOptions, format_: Format) -> dict[str, Any]:
    """What is chosen for a whole cohort, as JSON values by the names of the command's options."""
    chosen = {name: value for name, value in asdict(options).items() if name not in _OF_THE_COMPUTER}
    # The jobs of a cluster are given a folder's whole path.
    chosen["model"] = absolute_name(options.model)
    of_asked = {
        "modality": asked.modality,
        "prompt": list(asked.prompts),
        "preset": list(asked.presets),
        "reports": asked.reports,
        "free-text": asked.free_text,
    }
    return of_asked | {"format": format_} | {name.replace("_", "-"): value for name, value in chosen.items()}


def refuse_other_settings(
    out: Path, own: Iterable[ScanTask], others: Iterable[ScanTask], settings: dict[str, Any]
) -> None:
    """Refuse to go on where scans of the list have results that were made with other settings.

    Parameters
    ----------
    out : Path
        Folder of the results.
    own, others : iterable of ScanTask
        The scans that this run does, and those of other shares. Of these the first that has results speaks for
        all: a thousand scans are not read by each of a hundred jobs.
    settings : dict
        Those of this run.

    Raises
    ------
    OutputError
        Says which settings differ.
    """
    of_others = (found for task in others if (found := _done_with(out, task)) is not None)
    for found in (*(_done_with(out, task) for task in own), next(of_others, None)):
        if found is None or found == settings:
            continue
        raise OutputError(
            f"The folder {out} holds results that were made with other options "
            f"({'; '.join(differences(found, settings)) or 'by another version of SATSegment'}).",
            "Use the same options, choose another --out, or replace these results with --overwrite.",
        )


def differences(earlier: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Which options differ, each as a person reads it."""
    return [
        f"--{name} was {_shown(earlier[name])}, now {_shown(value)}"
        for name, value in now.items()
        if name in earlier and earlier[name] != value
    ]


def _done_with(out: Path, task: ScanTask) -> dict[str, Any] | None:
    """The settings of a scan's results; None where it has none."""
    found = read_unit(unit_folder(out, task))
    return None if found is None or "error" in found else found.get("settings") or {}


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "given" if value else "not given"
    return "; ".join(map(str, value)) or "not given" if isinstance(value, list) else str(value) or "not given"
