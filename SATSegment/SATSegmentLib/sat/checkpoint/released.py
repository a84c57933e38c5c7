"""The released layout of a SAT network, in both directions.

The reference loads what fits and keeps random numbers for the rest, so that a wrong file gives plausible
garbage. Here every tensor the network needs must be present in the right shape, and none may be unknown.

Names carry `module.`; the query decoder's layers have a norm that nobody uses; heads that are needed in training only
lie beside the rest. What differs from backbone to backbone is in its own `layout`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from SATSegmentLib.sat.backbone import Spec, Triple
from SATSegmentLib.sat.backbones.registry import kind_of_spec
from SATSegmentLib.sat.checkpoint.family import Family
from SATSegmentLib.sat.checkpoint.file import read_checkpoint_file, require_complete
from SATSegmentLib.sat.checkpoint.kinds import backbone_kind, refuse_odd_tensors
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.sat.shapes import GET_A_NETWORK, read_spec

# Heads of deep supervision, which released files hold beside the network.
HEADS = "mid_mask_embed_proj."

# Present in released files, but not needed to segment: those heads, and a layer norm made for a self-attention that
# the released decoder never runs.
_TRAINING_ONLY = re.compile(r"mid_mask_embed_proj\.|transformer_decoder\.layers\.\d+\.norm1\.")
_NORM = re.compile(r"(transformer_decoder\.layers\.\d+)\.norm2\.(weight|bias)$")


@dataclass(frozen=True, eq=False)
class NetworkWeights:
    """A checked state dict of a SAT network.

    Parameters
    ----------
    architecture : Spec
        Widths and depths, read off the tensors.
    tensors : dict of str to Tensor
        Exactly the tensors of `SATNetwork`, first convolutions folded to one input channel.
    sha256 : str
        Of the file they came from.
    """

    architecture: Spec
    tensors: dict[str, Tensor]
    sha256: str


def read_network(path: Path, family: Family | None = "sat") -> NetworkWeights:
    """Read and check a SAT network in the released `.pth` layout or as safetensors.

    Parameters
    ----------
    path : Path
        The file.
    family : str, optional
        What the caller takes it for; None where that is told later. A network of the challenge's family cannot be told
        from SAT-Nano's by its tensors; one that says so in its name is refused as a "sat".

    Raises
    ------
    CheckpointError
        One of its kinds, with the file's real nature and what to get instead.
    """
    tensors, sha256 = read_checkpoint_file(path)
    return check_network(tensors, Path(path).name, sha256, family)


def check_network(tensors: dict[str, Tensor], name: str, sha256: str, family: Family | None = "sat") -> NetworkWeights:
    """Check a state dict (without `module.`) that was read from the file `name`.

    Raises
    ------
    CheckpointError
        As `read_network`.
    """
    kind = backbone_kind(tensors, name, family)
    refuse_odd_tensors(tensors, kind, name)
    tensors = kind.read({key: tensor for key, tensor in tensors.items() if not _TRAINING_ONLY.match(key)}, name)
    architecture = read_spec(kind.spec, {key: tuple(tensor.shape) for key, tensor in tensors.items()}, name)
    with torch.device("meta"):
        needed = SATNetwork(architecture, architecture.downsampling).state_dict()
    require_complete(tensors, needed, name, GET_A_NETWORK)
    return NetworkWeights(architecture, tensors, sha256)


def build_network(weights: NetworkWeights, window: Triple) -> SATNetwork:
    """A network in evaluation mode with these weights, in float32, on the CPU."""
    with torch.device("meta"):
        network = SATNetwork(weights.architecture, window)
    code = SATNetwork.position_code_for(weights.architecture, window)
    network.load_state_dict({key: tensor.float() for key, tensor in weights.tensors.items()}, strict=True, assign=True)
    network.position_code = code
    return network.eval().requires_grad_(False)


def released_state(network: SATNetwork, heads: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's tensors under the names and in the shapes of released files.

    Parameters
    ----------
    network : SATNetwork
        Of any backbone.
    heads : mapping of str to Tensor
        Of deep supervision, named without the prefix `mid_mask_embed_proj.`.
    """
    state = kind_of_spec(network.architecture).write(network.state_dict())
    for key, tensor in network.state_dict().items():
        if norm := _NORM.match(key):
            # Made for a self-attention that the released decoder never runs: it changes nothing.
            unused = torch.ones_like(tensor) if norm[2] == "weight" else torch.zeros_like(tensor)
            state[f"{norm[1]}.norm1.{norm[2]}"] = unused
    state |= {HEADS + key: value for key, value in heads.items()}
    return {f"module.{key}": tensor for key, tensor in state.items()}
