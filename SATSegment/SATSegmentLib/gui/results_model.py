"""What the result table shows, and how it leaves the panel."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from SATSegmentLib.mrml.record import records
from SATSegmentLib.segments.style import segment_id
from SATSegmentLib.types import Prompt

_SIDES = {
    "R": _("right"),
    "L": _("left"),
    "A": _("front"),
    "P": _("back"),
    "S": _("upper"),
    "I": _("lower"),
}
COLUMNS = ("structure", "status", "volume_ml", "mean_probability", "max_probability", "seconds", "modality", "trained",
           "threshold", "cut_by", "device", "precision", "segment_id")  # fmt: skip


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
    numbers = {"volume_ml", "mean_probability", "max_probability", "seconds", "threshold"}
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
