"""From a weight file to a SAT network: what kind of file it is, and whether it is all there.

The reference loads what fits and keeps random numbers for the rest, so that a wrong file gives plausible
garbage. Here every tensor the network needs must be present in the right shape, and none may be unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from SATSegmentLib.errors import IncompleteCheckpoint, WrongCheckpointKind
from SATSegmentLib.sat.backbones.unet.spec import Architecture, Triple
from SATSegmentLib.sat.checkpoint.file import read_checkpoint_file, require_complete
from SATSegmentLib.sat.network import SATNetwork

_STEM = "backbone.encoder.stages.0.0.convs.0.conv.weight"

# Present in released files, but not needed to segment: heads of deep supervision, and a layer norm
# made for a self-attention that the released decoder never runs.
_TRAINING_ONLY = re.compile(r"mid_mask_embed_proj\.|transformer_decoder\.layers\.\d+\.norm1\.")

# Each convolution block is stored twice, once more as a sequence of its parts.
_DUPLICATE = re.compile(r"\.all_modules\.([01])\.")

_GET_A_NETWORK = "Use a segmentation network of the SAT family, such as nano.pth or SAT_Pro.pth."


@dataclass(frozen=True, eq=False)
class NetworkWeights:
    """A checked state dict of a SAT network.

    Attributes
    ----------
    architecture: widths and depths, read off the tensors.
    tensors: exactly the tensors of `SATNetwork`, the stem folded to one input channel.
    sha256: of the file they came from.
    """

    architecture: Architecture
    tensors: dict[str, Tensor]
    sha256: str


def read_network(path: Path) -> NetworkWeights:
    """Read and check a SAT network in the released `.pth` layout or as safetensors.

    Raises
    ------
    CheckpointError: one of its kinds, with the file's real nature and what to get instead.
    """
    tensors, sha256 = read_checkpoint_file(path)
    return check_network(tensors, Path(path).name, sha256)


def check_network(tensors: dict[str, Tensor], name: str, sha256: str) -> NetworkWeights:
    """Check a state dict (without `module.`) that was read from the file `name`.

    Raises
    ------
    CheckpointError: as `read_network`.
    """
    _refuse_other_kinds(tensors, name)
    _refuse_odd_tensors(tensors, name)
    tensors = _fold_stem(_drop_duplicates({k: v for k, v in tensors.items() if not _TRAINING_ONLY.match(k)}, name))
    architecture = Architecture.from_shapes({key: tuple(tensor.shape) for key, tensor in tensors.items()})
    _check_complete(tensors, architecture, name)
    return NetworkWeights(architecture, tensors, sha256)


def build_network(weights: NetworkWeights, window: Triple) -> SATNetwork:
    """A network in evaluation mode with these weights, in float32, on the CPU."""
    with torch.device("meta"):
        network = SATNetwork(weights.architecture, window)
    code = SATNetwork.position_code_for(weights.architecture, window)
    network.load_state_dict({key: tensor.float() for key, tensor in weights.tensors.items()}, strict=True, assign=True)
    network.position_code = code
    return network.eval().requires_grad_(False)


def _refuse_other_kinds(tensors: dict[str, Tensor], name: str) -> None:
    rooms = {key.split(".")[0] for key in tensors}
    embedding = tensors.get("modality_embed.weight")
    if "cvpr25" in name.lower() or (embedding is not None and len(embedding) == 5):
        raise WrongCheckpointKind(
            f"{name} belongs to the CVPR 2025 challenge family (five modalities, 8-bit input), which is prepared "
            "and prompted in another way.",
            "Use the main family: nano.pth or SAT_Pro.pth with its own text encoder.",
        )
    if rooms & {"atlas_tower", "temperature"}:
        raise WrongCheckpointKind(f"{name} is a knowledge-pretraining file; it cannot segment.", _GET_A_NETWORK)
    if "text_tower" in rooms or ("backbone" not in rooms and "modality_embed" in rooms):
        raise WrongCheckpointKind(f"{name} is a text encoder, not a segmentation network.", _GET_A_NETWORK)
    if not any(key.startswith("backbone.encoder.stages.") for key in tensors):
        kind = "another backbone (U-Mamba or SwinUNETR)" if "backbone" in rooms else "no SAT network"
        raise WrongCheckpointKind(f"{name} holds {kind}; only the U-Net backbone is supported.", _GET_A_NETWORK)


def _refuse_odd_tensors(tensors: dict[str, Tensor], name: str) -> None:
    for key, tensor in tensors.items():
        if tensor.layout != torch.strided or not tensor.is_floating_point():
            raise IncompleteCheckpoint(f"In {name}, {key} is not a plain tensor of real numbers.", _GET_A_NETWORK)
    stem = tensors.get(_STEM)
    if stem is not None and (stem.ndim != 5 or stem.shape[1] not in (1, 3)):
        raise IncompleteCheckpoint(
            f"In {name} the first convolution has the shape {tuple(stem.shape)}; SAT's takes one image, "
            "three times over (or once, where it was converted).",
            _GET_A_NETWORK,
        )


def _drop_duplicates(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    kept = {}
    for key, tensor in tensors.items():
        match = _DUPLICATE.search(key)
        if not match:
            kept[key] = tensor
            continue
        original = _DUPLICATE.sub(".conv." if match[1] == "0" else ".norm.", key)
        if original not in tensors or not torch.equal(tensors[original], tensor):
            raise IncompleteCheckpoint(f"In {name} the two copies of {original} differ.", _GET_A_NETWORK)
    return kept


def _fold_stem(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Sum the stem over its input channels: SAT feeds it three copies of one image."""
    stem = tensors.get(_STEM)
    if stem is not None and stem.ndim == 5:
        tensors[_STEM] = stem.float().sum(dim=1, keepdim=True)
    return tensors


def _check_complete(tensors: dict[str, Tensor], architecture: Architecture, name: str) -> None:
    with torch.device("meta"):
        needed = SATNetwork(architecture, architecture.downsampling).state_dict()
    require_complete(tensors, needed, name, _GET_A_NETWORK)
