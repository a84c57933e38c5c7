"""What the tools do: read a scan from an allowed folder, run an engine, keep the last results."""

from __future__ import annotations

import dataclasses
import secrets
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from SATSegmentLib import anatomy
from SATSegmentLib.agent import answers
from SATSegmentLib.agent.folders import Folders, NotAllowed
from SATSegmentLib.engine.api import Engine, RunListener, RunOptions, SegmentRequest
from SATSegmentLib.errors import NameQuestion, PromptError, ScanError
from SATSegmentLib.scans.inspect import Inspection, inspect_scan
from SATSegmentLib.scans.read import read_scan
from SATSegmentLib.types import Image, Modality, Progress, SegmentResult, WindowRule

_KEPT_RESULTS = 8
_MOST_PROMPTS = 100
_MOST_LETTERS = 20_000


@dataclass(frozen=True, eq=False)
class Kept:
    """A finished run: its scan, and its results."""

    image: Image
    results: tuple[SegmentResult, ...]


class Desk:
    """The tools' work, without MCP around it.

    Parameters
    ----------
    folders : Folders
        What may be read and written.
    engine : Engine
        What segments.
    model, device : str
        With which model, where.
    """

    def __init__(self, folders: Folders, engine: Engine, model: str, device: str) -> None:
        self._folders, self._engine = folders, engine
        self._options = RunOptions(model, device)
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def search(self, text: str, modality: Modality, limit: int) -> list[answers.Suggestion]:
        """Names of the vocabulary that fit."""
        hits = anatomy.search(_checked(text), modality, min(max(limit, 1), 50))
        return [
            answers.Suggestion(
                name=hit.name,
                can_be_segmented=not hit.reason,
                reason=hit.reason,
                prompts=[prompt.text for prompt in hit.prompts],
                codes=list(hit.codes),
            )
            for hit in hits
        ]

    def resolve(self, text: str, modality: Modality) -> answers.Meaning:
        """What a name means."""
        from SATSegmentLib.anatomy.resolver.names import prompts_for

        try:
            prompts = prompts_for(_checked(text), modality)
        except NameQuestion as question:
            names = [name for name, its_modality in question.candidates if its_modality == modality]
            return answers.Meaning(answer="question", prompts=[], message=str(question), candidates=names)
        return answers.Meaning(answer="resolved", prompts=[prompt.text for prompt in prompts])

    def inspect(self, scan: str, series: int | None, volume: int | None, frame: int | None) -> answers.ScanFacts:
        """What a scan is."""
        found = self._inspected(scan, series, volume, frame)
        return answers.ScanFacts(
            format=found.format,
            size_ijk=list(found.size_ijk),
            spacing_mm=list(found.spacing_mm),
            axes=found.axes,
            frames=found.frames,
            volumes=max(len(found.choices), 1),
            modality=found.modality,
            modality_reason=found.modality_reason,
            unit=found.unit,
            value_range=list(found.value_range) if found.value_range else None,
            doubts=[str(doubt.kind) for doubt in found.doubts],
            problem=_plain_problem(found),
        )

    def plan(
        self, scan: Scan, prompts: list[str], modality: Modality, windows: WindowRule = "all"
    ) -> answers.PlanFacts:
        """What a run would take."""
        plan = self._engine.plan(self._request(self._read(scan), prompts, modality, windows), RunListener())
        return answers.PlanFacts(
            text=str(plan),
            device=plan.device,
            seconds=round(plan.seconds, 2),
            peak_bytes=plan.peak_bytes,
            fits=plan.fits,
            windows=plan.windows,
            least_windows=plan.least_windows,
            windows_to_encode=plan.to_encode,
        )

    def segment(
        self,
        scan: Scan,
        prompts: list[str],
        modality: Modality,
        save_as: str,
        progress: Callable[[Progress], None],
        windows: WindowRule = "all",
    ) -> answers.Segmentation:
        """Segment, keep the result, and write it where that is asked for."""
        target = self._target(save_as)
        image = self._read(scan)
        told: list[str] = []
        listener = RunListener(progress=progress, on_warning=told.append)
        answer = self._engine.segment(self._request(image, prompts, modality, windows), listener)
        if target is not None:
            from SATSegmentLib.storage.segmentation import write_segmentation

            write_segmentation(target, image, answer.results, algorithm=answer.model.name)
        name = secrets.token_hex(4)
        self._kept[name] = Kept(image, answer.results)
        while len(self._kept) > _KEPT_RESULTS:
            self._kept.popitem(last=False)
        return answers.Segmentation(
            result=name,
            model=answer.model.name,
            structures=[answers.structure_of(one) for one in answer.results],
            warnings=told,
            written=target is not None,
        )

    def statistics(self, result: str) -> list[answers.StructureStatistics]:
        """Statistics of a finished run."""
        return [answers.statistics_of(one) for one in self._found(result).results]

    def flags(self, result: str) -> list[answers.StructureFlags]:
        """Reasons not to believe a finished run."""
        return [answers.flags_of(one) for one in self._found(result).results]

    def picture(self, result: str, structure: str) -> bytes:
        """A PNG of a finished run."""
        from SATSegmentLib.storage.picture import draw_slices

        kept = self._found(result)
        found = [one for one in kept.results if one.status == "found"]
        if not found:
            raise PromptError("Nothing was found, so there is nothing to draw.", "Look at the scan itself.")
        names = [one.prompt.text for one in found]
        if structure and structure not in names:
            raise PromptError("This structure is not in the result.", f"It has {', '.join(names)}.")
        return draw_slices(kept.image, found, structure or names[0])

    def report(self, text: str, modality: Modality) -> list[answers.ReportMention]:
        """What a report mentions. None of its words are in the answer: a report names its patient."""
        mentions = anatomy.read_report(_checked(text, _MOST_LETTERS), modality)
        return [
            answers.ReportMention(labels=list(one.labels), certainty=str(one.certainty), exact=one.exact)
            for one in mentions
        ]

    def _request(self, image: Image, prompts: list[str], modality: Modality, windows: WindowRule) -> SegmentRequest:
        if not 0 < len(prompts) <= _MOST_PROMPTS:
            raise PromptError(f"{len(prompts)} prompts were given.", f"Give 1 to {_MOST_PROMPTS}.")
        options = dataclasses.replace(self._options, windows=windows)
        return SegmentRequest.of(image, [_checked(one) for one in prompts], options, modality)

    def _target(self, save_as: str) -> Path | None:
        if not save_as:
            return None
        if not save_as.lower().endswith(".seg.nrrd"):
            raise NotAllowed("Results are written as .seg.nrrd only.", "Choose another name.")
        return self._folders.result(save_as)

    def _read(self, scan: Scan) -> Image:
        found = self._inspected(scan.path, scan.series, scan.volume, scan.frame)
        if found.problem:
            raise ScanError(_plain_problem(found), "See the tool inspect.")
        with warnings.catch_warnings():
            # They are in `inspect`; their words may hold names of files.
            warnings.simplefilter("ignore")
            return read_scan(self._folders.scan(scan.path), scan.frame, scan.series, scan.volume)

    def _inspected(self, scan: str, series: int | None, volume: int | None, frame: int | None) -> Inspection:
        path = self._folders.scan(scan)
        try:
            return inspect_scan(path, frame, series, volume)
        except ScanError as error:
            raise ScanError("This is not a scan that can be read.", "Give NIfTI, NRRD, MetaImage or DICOM.") from error

    def _found(self, result: str) -> Kept:
        if result not in self._kept:
            raise PromptError("There is no such result, or no longer.", "Run segment again.")
        return self._kept[result]


@dataclass(frozen=True)
class Scan:
    """Which volume of which file or folder."""

    path: str
    series: int | None = None
    volume: int | None = None
    frame: int | None = None


def _plain_problem(found: Inspection) -> str:
    """Why a scan cannot be segmented, without names of files or descriptions of series, which may name a patient."""
    if not found.problem:
        return ""
    if len(found.choices) > 1:
        return f"There are {len(found.choices)} volumes: choose one with series (from 1) and volume (from 1)."
    if found.frames > 1:
        return f"There are {found.frames} frames: choose one with frame (from 0)."
    return "The scan cannot be segmented as it is: its grid or its content is not usable."


def _checked(text: str, most: int = 500) -> str:
    if len(text) > most:
        raise PromptError(f"The text has more than {most} letters.", "Shorten it.")
    return text
