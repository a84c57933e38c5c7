"""The trained weights as a model folder that `Segmenter.load` takes."""

from __future__ import annotations

import shutil
from pathlib import Path

from recipe import SPACING_MM, WINDOW
from structures import structures

from SATSegmentLib.learning.segmentation.export import export_model
from SATSegmentLib.learning.segmentation.queries import TextQueries
from SATSegmentLib.learning.segmentation.trainer import LAST_FILE
from SATSegmentLib.models.folder import TEXT_FOLDER, ModelDescription


def export(run: Path, text: Path, out: Path) -> None:
    """Write network, text encoder, embedding bank and description from the training's last checkpoint.

    The bank holds what was learned: a name that itself or whose other side stayed below the bound on validation heads
    (column `offered` of structures.tsv) would mislead.
    """
    queries = TextQueries.load(text / "text_encoder.pth", text)
    labels = [(structure.name, "mri") for structure in structures() if structure.offered]
    description = ModelDescription("SATSegment demonstration model", WINDOW, SPACING_MM, ("RAS",))
    export_model(run / "whole" / LAST_FILE, queries, out, description, labels)
    shutil.copyfile(text / "NOTICE.txt", out / TEXT_FOLDER / "NOTICE.txt")
