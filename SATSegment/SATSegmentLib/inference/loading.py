"""The network in a model folder, checked against what the folder says of it."""

from __future__ import annotations

from pathlib import Path

from SATSegmentLib.errors import CheckpointError, PairMismatch
from SATSegmentLib.models.folder import DESCRIPTION_FILE, NETWORK_FILE, ModelDescription
from SATSegmentLib.sat.checkpoint.released import build_network, read_network
from SATSegmentLib.sat.network import SATNetwork


def load_network(folder: Path, description: ModelDescription) -> tuple[SATNetwork, str]:
    """The network, and the SHA-256 of its file.

    Raises
    ------
    CheckpointError, PairMismatch
        It is not whole, or not the one that is described.
    """
    if not (folder / NETWORK_FILE).is_file():
        raise CheckpointError(
            f"The model folder {folder.name} has no {NETWORK_FILE}.",
            "Copy the whole folder again, or convert the checkpoint again.",
        )
    weights = read_network(folder / NETWORK_FILE)
    if description.network_file_sha256 not in ("", weights.sha256):
        raise PairMismatch(
            f"The network in the model folder {folder.name} is not the one its {DESCRIPTION_FILE} describes.",
            "Convert the checkpoint again.",
        )
    try:
        network = build_network(weights, description.window)
    except ValueError as error:
        raise CheckpointError(
            f"The {DESCRIPTION_FILE} of the model {folder.name} names a window its network cannot have.",
            "Convert the checkpoint again.",
        ) from error
    return network, weights.sha256
