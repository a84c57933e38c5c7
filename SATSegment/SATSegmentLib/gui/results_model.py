"""What the result table shows, and how it leaves the panel."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from SATSegmentLib.mrml.record import records
from SATSegmentLib.segments.style import segment_id
from SATSegmentLib.types import FlagKind, Prompt

_SIDES = {
    "R": _("right"),
    "L": _("left"),
    "A": _("front"),
    "P": _("back"),
    "S": _("upper"),
    "I": _("lower"),
}
_STATISTICS = ("mean", "sd", "minimum", "p05", "median", "p95", "maximum", "surface_cm2", "pieces", "largest_share")
COLUMNS = ("structure", "status", "volume_ml", "mean_probability", "max_probability", "seconds", "modality", "trained",
           "threshold", "cut_by", "device", "precision", "segment_id", "flags", "doubts", "unit",
           *_STATISTICS)  # fmt: skip


# What a flag is called in the table; its sentence says the rest.
_FLAG_TITLES = {
    FlagKind.OUTSIDE_PARENT: _("outside its organ"),
    FlagKind.SIDE: _("wrong side"),
    FlagKind.OVERLAP: _("overlap"),
    FlagKind.PIECES: _("pieces far apart"),
    FlagKind.VOLUME: _("volume"),
    FlagKind.INTENSITY: _("intensity"),
    FlagKind.REGION: _("not in this scan"),
    FlagKind.POSITION: _("wrong place"),
    FlagKind.SAME_MASK: _("same mask"),
}


@dataclass(frozen=True)
class RowFlag:
    """A reason not to believe a result without looking at it, as `types.Flag`; `kind` may be of a later version."""

    kind: str
    text: str
    reason: str

    @property
    def title(self) -> str:
        """In a word or two."""
        return next((title for kind, title in _FLAG_TITLES.items() if kind.value == self.kind), self.kind)

    @property
    def sentence(self) -> str:
        """With its numbers."""
        return f"{self.text} ({self.reason})" if self.reason else self.text


@dataclass(frozen=True)
class ResultRow:
    """One structure of the table. A number that a record of an older version does not have is NaN.

    Attributes
    ----------
    status : str
        As `SegmentResult.status`.
    segmentId : str
        Of its segment; empty where nothing was found.
    threshold : float
        With which the mask was made.
    model, modelSha256 : str
        What made it.
    flags : tuple of RowFlag
        Reasons not to believe it without looking.
    doubts : tuple of str
        Kinds of what the scan's file left open (`types.DoubtKind`).
    statistics : dict
        As `types.Statistics`; empty where nothing was measured.
    windows : dict
        As `types.WindowUse`; empty where it is not known.
    """

    prompt: Prompt
    status: str
    volumeMl: float
    meanProbability: float
    maxProbability: float
    cutBy: tuple[str, ...]
    seconds: float
    device: str
    precision: str
    segmentId: str
    threshold: float
    model: str = ""
    modelSha256: str = ""
    flags: tuple[RowFlag, ...] = ()
    doubts: tuple[str, ...] = ()
    statistics: dict[str, Any] = field(default_factory=dict)
    windows: dict[str, Any] = field(default_factory=dict)

    @property
    def markedStatus(self) -> str:
        """The status, with a warning sign and words in front of it where the result is implausible."""
        if not self.flags:
            return self.statusText
        titles = ", ".join(dict.fromkeys(flag.title for flag in self.flags))
        return _("\u26a0 check: {reasons}").format(reasons=titles)

    @property
    def windowsText(self) -> str:
        """How many windows were looked at, where that was not all of them; otherwise empty."""
        if self.windows.get("rule") != "adaptive":
            return ""
        return _("{number} of {total} windows of the scan were looked at.").format(
            number=self.windows.get("looked_at", ""), total=self.windows.get("total", "")
        )

    @property
    def statisticsText(self) -> str:
        """Intensity, surface and pieces in one line; empty where nothing was measured."""
        if not self.statistics:
            return ""
        number = self._number
        return _(
            "Intensity {mean} \u00b1 {sd} {unit}, median {median} ({p05} to {p95}). Surface {surface} cm\u00b2, "
            "largest piece {share} %."
        ).format(
            mean=number("mean", 1),
            sd=number("sd", 1),
            unit=self.statistics.get("unit", ""),
            median=number("median", 1),
            p05=number("p05", 1),
            p95=number("p95", 1),
            surface=number("surface_cm2", 1),
            share=decimals(100 * float(self.statistics.get("largest_share", math.nan)), 0),
        )

    def _number(self, name: str, digits: int) -> str:
        return decimals(float(self.statistics.get(name, math.nan)), digits)

    @property
    def statusText(self) -> str:
        """ "found", "not found", "cut by the scan's lower edge", "not known to this model"."""
        if self.status == "unknown":
            return _("not known to this model")
        if self.status != "found":
            return _("not found")
        if self.cutBy:
            edges = ", ".join(_SIDES[side] for side in self.cutBy)
            text = (
                _("cut by the scan's {edges} edge") if len(self.cutBy) == 1 else _("cut by the scan's edges: {edges}")
            )
            return text.format(edges=edges)
        return _("found")

    @property
    def values(self) -> tuple[str, ...]:
        """As `COLUMNS`; empty where a number is not known."""
        return (
            self.prompt.text,
            self.status,
            decimals(self.volumeMl, 3),
            decimals(self.meanProbability, 4),
            decimals(self.maxProbability, 4),
            decimals(self.seconds, 2),
            self.prompt.modality,
            "yes" if self.prompt.trained else "no",
            decimals(self.threshold, 2),
            " ".join(self.cutBy),
            self.device,
            self.precision,
            self.segmentId,
            "; ".join(flag.kind for flag in self.flags),
            "; ".join(self.doubts),
            str(self.statistics.get("unit", "")),
            *(self._number(name, 4) for name in _STATISTICS),
        )


def decimals(value: float, digits: int) -> str:
    """With so many digits after the point; empty for NaN."""
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def rowsOfNode(segmentationNode: Any) -> list[ResultRow]:
    """The structures that the node's record tells of: of each the last result, in the order of their first.

    A structure whose segment is gone, and one that was taken out of the results, has no row.
    """
    if segmentationNode is None:
        return []
    rows: dict[str, ResultRow] = {}
    for run in records(segmentationNode):
        for identifier in run.get("removed", ()):
            rows.pop(identifier, None)
        for one in run.get("prompts", ()):
            try:
                row = _row(run, one)
            except (KeyError, TypeError, ValueError):
                continue  # of a version that keeps other things
            key = segment_id(row.prompt)
            if row.status != "unknown" or key not in rows:
                # What a model did not look for takes nothing from what another one has found.
                rows[key] = row
    segmentation = segmentationNode.GetSegmentation()
    return [row for row in rows.values() if not row.segmentId or segmentation.GetSegment(row.segmentId) is not None]


def _row(run: dict[str, Any], one: dict[str, Any]) -> ResultRow:
    return ResultRow(
        prompt=Prompt(
            one["text"],
            one["modality"],
            one.get("orientation", "RAS"),
            one.get("concept", ""),
            one.get("trained", True),
        ),
        status=one["status"],
        volumeMl=float(one.get("volume_ml", math.nan)),
        meanProbability=float(one.get("mean_probability", math.nan)),
        maxProbability=float(one.get("max_probability", math.nan)),
        cutBy=tuple(side for side in one.get("cut_by", ()) if side in _SIDES),
        seconds=float(one.get("seconds", math.nan)),
        device=str(run.get("device", "")),
        precision=str(run.get("precision", "")),
        segmentId=one["segment"] if one["status"] == "found" else "",
        threshold=float(run.get("threshold", math.nan)),
        model=str(run.get("model", "")),
        modelSha256=str(run.get("model_sha256", "")),
        flags=tuple(RowFlag(str(f["kind"]), str(f["text"]), str(f.get("reason", ""))) for f in one.get("flags", ())),
        doubts=tuple(str(kind) for kind in run.get("doubts", ())),
        statistics=dict(one.get("statistics") or {}),
        windows=dict(one.get("windows") or {}),
    )


def asCsv(rows: Sequence[ResultRow]) -> str:
    """The table as CSV with a header line (RFC 4180)."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    writer.writerows(row.values for row in rows)
    return buffer.getvalue()


def toTableNode(rows: Sequence[ResultRow], segmentationNode: Any) -> Any:
    """A new vtkMRMLTableNode with the table, beside the segmentation in its scene."""
    scene = segmentationNode.GetScene()
    node = slicer.vtkMRMLTableNode()
    node.SetName(scene.GenerateUniqueName(_("{name} results").format(name=segmentationNode.GetName())))
    scene.AddNode(node)
    numbers = {"volume_ml", "mean_probability", "max_probability", "seconds", "threshold", *_STATISTICS}
    table = vtk.vtkTable()
    for index, name in enumerate(COLUMNS):
        column = vtk.vtkDoubleArray() if name in numbers else vtk.vtkStringArray()
        column.SetName(name)
        for row in rows:
            column.InsertNextValue(float(row.values[index] or "nan") if name in numbers else row.values[index])
        table.AddColumn(column)
    node.SetAndObserveTable(table)
    node.SetUseColumnTitleAsColumnHeader(True)
    return node
