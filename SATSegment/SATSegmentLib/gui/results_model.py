"""What the result table shows, and how it leaves the panel."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from SATSegmentLib.segments.style import segment_id
from SATSegmentLib.types import Prompt, SegmentResult

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
    """One structure of the table.

    Attributes
    ----------
    result: what the engine said, without its mask.
    segmentId: of its segment; empty where nothing was found.
    threshold: with which the mask was made.
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

    @property
    def statusText(self) -> str:
        """ "found", "not found", "cut by the scan's lower edge"."""
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
        """As `COLUMNS`."""
        return (
            self.prompt.text,
            self.status,
            f"{self.volumeMl:.3f}",
            f"{self.meanProbability:.4f}",
            f"{self.maxProbability:.4f}",
            f"{self.seconds:.2f}",
            self.prompt.modality,
            "yes" if self.prompt.trained else "no",
            f"{self.threshold:.2f}",
            " ".join(self.cutBy),
            self.device,
            self.precision,
            self.segmentId,
        )


def rowsOf(results: Sequence[SegmentResult], threshold: float) -> list[ResultRow]:
    """The rows of a run's results."""
    return [
        ResultRow(
            prompt=one.prompt,
            status=one.status,
            volumeMl=one.volume_ml,
            meanProbability=one.mean_probability,
            maxProbability=one.max_probability,
            cutBy=one.cut_by,
            seconds=one.seconds,
            device=one.device,
            precision=one.precision,
            segmentId=segment_id(one.prompt) if one.status == "found" else "",
            threshold=threshold,
        )
        for one in results
    ]


def merged(rows: Sequence[ResultRow], new: Sequence[ResultRow]) -> list[ResultRow]:
    """The rows with the new ones in the place of those of the same structure, or behind."""
    byPrompt = {segment_id(row.prompt): row for row in new}
    kept = [byPrompt.pop(segment_id(row.prompt), row) for row in rows]
    return [*kept, *byPrompt.values()]


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
            column.InsertNextValue(float(row.values[index]) if name in numbers else row.values[index])
        table.AddColumn(column)
    node.SetAndObserveTable(table)
    node.SetUseColumnTitleAsColumnHeader(True)
    return node
