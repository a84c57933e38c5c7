"""How the segments of a node were made: kept on the node, and so in the saved scene."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import SATSegmentLib
from SATSegmentLib.anatomy.personal.user_words import is_taught, word_sha256
from SATSegmentLib.segments.style import segment_id
from SATSegmentLib.types import Doubt, SegmentResult

if TYPE_CHECKING:
    from SATSegmentLib.engine.api import ModelRecord

RECORD_ATTRIBUTE = "SATSegment.Runs"


def addRecord(
    segmentationNode: Any,
    results: Sequence[SegmentResult],
    model: ModelRecord,
    threshold: float,
    doubts: Sequence[Doubt] = (),
) -> None:
    """Add a run to the node's record: what another person needs to make the same masks again.

    No name of a patient, file or scan goes in: the node's reference to its volume says which scan it was.
    """
    # A structure that the model does not know was looked for in none.
    windows = next((one.windows for one in results if one.windows is not None), None)
    run = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "satsegment": SATSegmentLib.__version__,
        "torch": model.torch,
        "model": model.name,
        "model_sha256": model.sha256,
        "threshold": threshold,
        "device": results[0].device if results else "",
        "precision": results[0].precision if results else "",
        # Their kinds only: their words may name a file.
        "doubts": [doubt.kind.value for doubt in doubts],
        "feature_storage": results[0].feature_storage if results else "",
        # How they were chosen; how many were looked at stands beside each prompt.
        "windows": windows.rule if windows else "",
        "overlap": windows.overlap if windows else "",
        "prompts": [
            {
                "text": one.prompt.text,
                "modality": one.prompt.modality,
                "orientation": one.orientation,
                "trained": one.prompt.trained,
                "status": one.status,
                "segment": segment_id(one.prompt),
                "volume_ml": one.volume_ml,
                "mean_probability": one.mean_probability,
                "max_probability": one.max_probability,
                "cut_by": list(one.cut_by),
                "seconds": one.seconds,
                "windows": dataclasses.asdict(one.windows) if one.windows is not None else None,
                "concept": one.prompt.concept,
                "statistics": dataclasses.asdict(one.statistics) if one.statistics is not None else None,
                "flags": [flag.as_dict() for flag in one.flags],
                # A word may be taught anew later, under the same name.
                **({"word_sha256": word_sha256(one.prompt, model.sha256)} if is_taught(one.prompt) else {}),
            }
            for one in results
        ],
    }
    segmentationNode.SetAttribute(RECORD_ATTRIBUTE, json.dumps([*records(segmentationNode), run]))


def addRemoval(segmentationNode: Any, segmentId: str) -> None:
    """Note in the node's record that a structure was taken out of the results."""
    entry = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "removed": [segmentId]}
    segmentationNode.SetAttribute(RECORD_ATTRIBUTE, json.dumps([*records(segmentationNode), entry]))


def records(segmentationNode: Any) -> list[dict[str, Any]]:
    """What was done to this node, oldest first: runs, and removals (`removed`). Empty where it cannot be read."""
    try:
        found = json.loads(segmentationNode.GetAttribute(RECORD_ATTRIBUTE) or "[]")
    except ValueError:
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
