"""What is asked of a scan: prompts, presets and the scan's own report, as prompts of its modality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from SATSegmentLib.anatomy.report.reader import read_report
from SATSegmentLib.anatomy.resolver.names import prompts_for
from SATSegmentLib.anatomy.vocabulary.labels import find_label
from SATSegmentLib.anatomy.vocabulary.presets import presets
from SATSegmentLib.cohort.listing import ScanTask
from SATSegmentLib.errors import PromptError, ScanError
from SATSegmentLib.types import Modality, Prompt


@dataclass(frozen=True)
class Asked:
    """What a whole cohort is asked, where a scan's own row says nothing else.

    Attributes
    ----------
    modality : str
        Of scans that do not say theirs; may be empty.
    prompts, presets : tuple of str
        Names, and ids of presets.
    reports : bool
        Whether a text file of the scan's name beside it is its report.
    free_text : bool
        Whether unknown names are asked as free text.
    model_sha256 : str
        Of the model's checkpoint, for words that were taught to it; may be empty.
    """

    modality: str = ""
    prompts: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    reports: bool = False
    free_text: bool = False
    model_sha256: str = ""


def modality_of(task: ScanTask, asked: Asked) -> Modality:
    """The scan's modality: its own, the cohort's, or what its DICOM header says.

    Raises
    ------
    ScanError
        Nothing says it.
    """
    given = task.modality or asked.modality
    if given:
        return cast(Modality, given)
    if Path(task.path).is_dir():
        from SATSegmentLib.scans.inspect import inspect_scan

        found = inspect_scan(task.path, task.frame, task.series, task.volume).modality
        if found is not None:
            return found
    raise ScanError("Nothing says which modality the scan is.", "Give --modality, or a column `modality`.")


def prompts_of(task: ScanTask, asked: Asked, modality: Modality) -> tuple[Prompt, ...]:
    """Each structure once, in the order it was asked for.

    Raises
    ------
    PromptError
        A name or preset is not known in this modality, or nothing is asked.
    """
    names = task.prompts or asked.prompts
    found = list(prompts_for(names, modality, asked.free_text, None, asked.model_sha256)) if names else []
    for one in (task.preset,) if task.preset else asked.presets:
        found += _preset(one, modality)
    report = task.report or (_beside(task) if asked.reports else "")
    if report:
        found += _reported(Path(report), modality)
    if not found:
        raise PromptError("Nothing is asked of this scan.", "Give --prompt, --preset or --reports, or fill in its row.")
    return tuple({(one.text, one.modality): one for one in found}.values())


def check_presets(names: Sequence[str]) -> None:
    """Presets that are known in no modality are no scan's fault.

    Raises
    ------
    PromptError
        One of them is not known.
    """
    known = dict.fromkeys(one.id for one in presets())
    for name in names:
        if name not in known:
            raise PromptError(f"There is no preset {name!r}.", f"Presets: {', '.join(known)}.")


def _preset(name: str, modality: Modality) -> Sequence[Prompt]:
    known = {one.id: one for one in presets(modality)}
    if name not in known:
        raise PromptError(f"There is no preset {name!r} for {modality}.", f"Presets: {', '.join(known)}.")
    return known[name].prompts


def _beside(task: ScanTask) -> str:
    path = Path(task.path)
    text = path.with_name(path.name.split(".")[0] + ".txt")
    return str(text) if text.is_file() else ""


def _reported(path: Path, modality: Modality) -> list[Prompt]:
    """What a report says is there, or may be; not what it says is absent, removed or of the past."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise PromptError(f"The report {path.name} cannot be read: {error.strerror}.", "Check its name.") from error
    found = [
        label.prompt()
        for mention in read_report(text, modality)
        if mention.certainty in ("present", "uncertain")
        for name in mention.labels
        if (label := find_label(modality, name)) is not None
    ]
    if not found:
        raise PromptError(f"The report {path.name} mentions nothing that SAT knows in {modality}.", "Name structures.")
    return found
