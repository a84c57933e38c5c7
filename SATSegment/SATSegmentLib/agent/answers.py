"""What the tools answer: typed, and without a name of a patient, a file or a folder."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from SATSegmentLib.types import Flag, Modality, SegmentResult, Statistics

NOTE = "Research use only; not a medical device. A person has to look at every mask."


class Suggestion(BaseModel):
    """One name of the vocabulary that fits."""

    name: str
    can_be_segmented: bool
    reason: str = Field(description="Why it cannot be segmented; empty where it can.")
    prompts: list[str] = Field(description="What to ask `segment` for.")
    codes: list[str]


class Meaning(BaseModel):
    """What a name means as prompts; never a guess."""

    answer: Literal["resolved", "question"]
    prompts: list[str] = Field(description="Names to ask `segment` for; empty where a person has to decide.")
    message: str = ""
    candidates: list[str] = Field(default=[], description="What may be meant, the likeliest first.")


class ScanFacts(BaseModel):
    """What a scan is."""

    format: str
    size_ijk: list[int]
    spacing_mm: list[float]
    axes: str = Field(description="The sides of the patient that I, J and K run towards.")
    frames: int
    volumes: int = Field(description="How many volumes a DICOM folder or file has; choose with series and volume.")
    modality: Modality | None
    modality_reason: str
    unit: str
    value_range: list[float] | None
    doubts: list[str]
    problem: str = Field(description="Why it cannot be segmented as it is given; empty where it can.")


class PlanFacts(BaseModel):
    """What a run would take."""

    text: str
    device: str
    seconds: float
    peak_bytes: int
    fits: bool = Field(description="Whether there is as much memory; else it may be slow, or be ended by the system.")
    windows: int
    least_windows: int
    windows_to_encode: int


class Structure(BaseModel):
    """What was found of one structure."""

    structure: str
    status: Literal["found", "empty", "unknown"] = Field(
        description="empty: nothing passed the threshold; unknown: the model was not trained on it."
    )
    trained: bool = Field(description="Whether the model is known to have been trained on this name; else a guess.")
    volume_ml: float
    voxels: int
    mean_probability: float = Field(description="The network's own opinion, not a measure of accuracy.")
    windows_looked_at: int | None = Field(description="Of the scan's windows, for this structure.")
    windows: int | None = Field(description="That cover the scan.")
    cut_by_border: list[str] = Field(description="Sides of the scan that the mask touches: it may go on beyond.")
    flags: list[str] = Field(description="Reasons not to believe the result.")


class Segmentation(BaseModel):
    """A finished run."""

    result: str = Field(description="Name for the tools statistics, flags and picture.")
    model: str
    structures: list[Structure]
    warnings: list[str]
    written: bool = Field(description="Whether the file that was asked for was written.")
    note: str = NOTE


class StructureStatistics(BaseModel):
    """Statistics of one structure; None where it was not found."""

    structure: str
    volume_ml: float
    statistics: dict[str, Any] | None


class StructureFlags(BaseModel):
    """Reasons not to believe one structure's mask."""

    structure: str
    flags: list[dict[str, Any]]


class ReportMention(BaseModel):
    """Something that a report mentions."""

    labels: list[str] = Field(description="Names to ask `segment` for.")
    certainty: str
    exact: bool = Field(description="Whether the labels are what is mentioned, or only what is nearest.")


def structure_of(result: SegmentResult) -> Structure:
    """A result without its mask."""
    return Structure(
        structure=result.prompt.text,
        status=result.status,
        trained=result.prompt.trained,
        volume_ml=round(result.volume_ml, 4),
        voxels=result.voxels,
        mean_probability=round(result.mean_probability, 4),
        windows_looked_at=result.windows.looked_at if result.windows is not None else None,
        windows=result.windows.total if result.windows is not None else None,
        cut_by_border=list(result.cut_by),
        flags=[flag.text for flag in result.flags],
    )


def statistics_of(result: SegmentResult) -> StructureStatistics:
    """A result's statistics."""
    import dataclasses

    found: Statistics | None = result.statistics
    values = None if found is None else dataclasses.asdict(found)
    return StructureStatistics(structure=result.prompt.text, volume_ml=round(result.volume_ml, 4), statistics=values)


def flags_of(result: SegmentResult) -> StructureFlags:
    """A result's flags."""
    flags: tuple[Flag, ...] = result.flags
    return StructureFlags(structure=result.prompt.text, flags=[flag.as_dict() for flag in flags])
