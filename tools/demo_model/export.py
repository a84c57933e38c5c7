"""The trained weights as a model folder that `Segmenter.load` takes."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import torch
from fit import PromptedNetwork
from recipe import SPACING_MM, WINDOW
from structures import structures

from SATSegmentLib.sat.convert import convert
from SATSegmentLib.sat.embedding_bank import EmbeddingBank
from SATSegmentLib.sat.model_folder import BANK_FILE, DESCRIPTION_FILE, ModelDescription
from SATSegmentLib.types import Modality

MODALITY: Modality = "mri"


def export(folder: Path, out: Path) -> None:
    """Write network, embedding bank and description from the training's last checkpoint."""
    names = [structure.name for structure in structures()]
    state = torch.load(folder / "checkpoint.pt", weights_only=True)["model"]
    model = PromptedNetwork(len(names), len(state["classifiers.0.bias"]))
    model.load_state_dict(state)
    released = folder / "demo.pth"
    torch.save({"model_state_dict": model.network.state_dict()}, released)
    description = ModelDescription("SATSegment demonstration model", WINDOW, SPACING_MM, ("RAS",))
    description = convert(released, out, description, overwrite=True)
    queries = model.queries.detach().numpy()
    # There is no text checkpoint: the queries were trained with the network, so their own digest names them.
    digest = hashlib.sha256(queries.tobytes()).hexdigest()
    # Only what was learned is offered: a name that itself or whose other side stayed below Dice 0.45 on
    # validation heads would mislead.
    rows = [row for row, structure in enumerate(structures()) if structure.offered]
    labels = [(names[row], MODALITY) for row in rows]
    EmbeddingBank(labels, queries[rows], digest, "trained with the network").save(out / BANK_FILE)
    description = dataclasses.replace(description, text_sha256=digest)
    (out / DESCRIPTION_FILE).write_text(description.to_json(), encoding="utf-8")
