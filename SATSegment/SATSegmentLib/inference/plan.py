"""What a run will take and how it will go about it, decided in one place before it starts.

Nothing else decides: the run takes its block of prompts, its memory and the place of its features from here, the
terminal and the panel show it, and where memory runs out after all, `RunPlan.smaller` says how to go on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
import torch

from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.device import choose_precision, precision_name
from SATSegmentLib.inference.memory import cuda_free_bytes
from SATSegmentLib.inference.run_plan import FeaturePlacement, RunPlan
from SATSegmentLib.inference.speed import Speed
from SATSegmentLib.inference.tiles import GPU_GROUP_BYTES, runs_ahead
from SATSegmentLib.inference.undecided import DECIDING_VOXEL_BYTES, SEEN_VOXEL_BYTES
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.types import FeatureStorage

# Sums of probabilities that are held at once. More would save nothing: structures of a whole body fit.
BLOCK_BYTES = 1 << 29
# How many prompts' logits of one tile are held beside each other.
_MOST_PROMPTS = 1024
# How many prompts' sums are held at once, at most, while it is decided which windows they need; see `undecided`.
_MOST_DECIDED = 64
# Of the free memory, what is left to others: the estimate is one, and the masks themselves need some.
_SPARE = 0.15
# How much of a scan one structure's tiles fill, on average over the trained labels; only the estimates depend on it.
_STRUCTURE_SHARE = 0.02
# The same of the tiles in which something is nearly found, and their neighbours.
_DECIDED_SHARE = 0.1
# What cuDNN and cuBLAS take for themselves while a window is encoded.
_WORKSPACE_BYTES = 1 << 28
# Seconds for a byte of features that comes from disk and is checked.
_SPILLED_BYTE = 1.5e-10


@dataclass(frozen=True)
class PassSize:
    """How large one pass over a scan is.

    Attributes
    ----------
    windows, least_windows : int
        All of them, and how many are looked at whatever is found there.
    to_encode : int
        Those of the latter whose features are not in the cache.
    window_voxels : int
        Of all windows, inside the scan; where windows overlap they count twice.
    looked_voxels : int
        Those of them that are looked at, because their window counts there, or because no other is there.
    grid_voxels : int
        Of the scan in the network's grid.
    prompts : int
        Structures asked for.
    tiled_voxels : int
        Of the tiles that cover the grid.
    adaptive : bool
        Whether windows may be left out; `least_windows` says how many.
    """

    windows: int
    least_windows: int
    to_encode: int
    window_voxels: int
    looked_voxels: int
    grid_voxels: int
    prompts: int
    tiled_voxels: int = 0
    adaptive: bool = False

    @property
    def spares(self) -> bool:
        """Whether there are windows that may be left out."""
        return self.least_windows < self.windows


def plan_precision(requested: str, device: torch.device, network: SATNetwork) -> torch.dtype:
    """The precision of the image encoder: what was asked for, or with "auto" what suits device, work and memory.

    Raises
    ------
    DeviceError
        No such precision, or not on this device.
    """
    architecture = network.architecture
    dtype = choose_precision(requested, device, architecture.encode_macs(network.window))
    half = torch.bfloat16 if device.type == "cpu" else dtype
    if requested != "auto" or half == torch.float32 or (dtype != torch.float32 and architecture.half_precision):
        return dtype
    needed = architecture.encode_bytes(network.window, torch.float32, device)
    # Half of the memory may be worth more than the last digits; a run that cannot be has no digits at all.
    return torch.float32 if needed <= _free_bytes(device) else half


def plan_run(
    network: SATNetwork,
    passes: Sequence[PassSize],
    cache: FeatureCache,
    speed: Speed,
    storage: FeatureStorage = "native",
) -> RunPlan:
    """Plan a run.

    Parameters
    ----------
    passes : Sequence[PassSize]
        Of the run.
    cache : FeatureCache
        Where features are kept; its budgets are upper limits.
    speed : Speed
        Of this network on this device.
    storage : FeatureStorage, optional
        How features are kept.
    """
    dtype, device = network.backbone.dtype, network.position_code.device
    names = ("windows", "least_windows", "to_encode", "window_voxels", "prompts")
    windows, least, to_encode, voxels, prompts = (sum(getattr(one, name) for one in passes) for name in names)
    voxel_bytes = network.architecture.channels * (1 if storage == "uint8" else dtype.itemsize)
    feature_bytes = voxels * voxel_bytes
    weights = sum(tensor.nbytes for tensor in network.state_dict().values())
    encoding = _encoding_bytes(network, voxel_bytes) if to_encode else 0
    scan_bytes = 4 * sum(one.grid_voxels for one in passes)
    everywhere = 4 * max(one.grid_voxels for one in passes) * prompts
    sums = min(BLOCK_BYTES, math.ceil(everywhere * (_STRUCTURE_SHARE if prompts > 1 else 1)))
    free = _free_bytes(torch.device("cpu")) + cache.memory_used
    # Sums for deciding which windows are needed are in the computer's memory, whatever the network runs on.
    decided = max((one.tiled_voxels for one in passes if one.spares), default=0)
    seen, deciding = _deciding_bytes(decided, min(prompts, _MOST_DECIDED))
    device_bytes = 0
    if device.type != "cpu":
        if runs_ahead(device):  # There sums are added up, and tiles of a window looked at while the next arrives.
            looking = sums + 2 * GPU_GROUP_BYTES + 2 * math.prod(network.window) * voxel_bytes
            encoding = max(encoding, looking) + _WORKSPACE_BYTES
        room = _free_bytes(device) + cache.device_used - encoding
        device_bytes = feature_bytes if feature_bytes <= room * (1 - _SPARE) else 0
    on_host = encoding if device.type == "cpu" else 0
    beside = on_host + max(sums, seen, seen + deciding - on_host)
    memory_bytes = max(min(cache.memory_bytes, int(free * (1 - _SPARE)) - beside), 0)
    left = free - on_host - min(feature_bytes, memory_bytes)
    block_bytes = min(max(left // 4, 1 << 20), BLOCK_BYTES)
    kept = device_bytes if device.type != "cpu" else min(feature_bytes, memory_bytes)
    home = _home(feature_bytes, device_bytes, memory_bytes, cache.disk_bytes)
    spilled = max(feature_bytes - memory_bytes, 0) if home == "memory and disk" else 0
    block = min(max(prompts, 1), _MOST_PROMPTS)
    working, twice = max(encoding, sums), False
    if home == "nowhere":
        # Then nothing is decided, and what windows say is held instead, or the sums of everything.
        held = 4 * math.ceil(voxels * prompts * (_STRUCTURE_SHARE if prompts > 1 else 1))
        twice = min(everywhere, max(sums, held)) > block_bytes
        working = encoding + min(max(sums, held), block_bytes)
    elif decided:
        # Where something is found everywhere, as many find room as half of what is left holds.
        block = min(block, _MOST_DECIDED, max(left // 2 // (decided * SEEN_VOXEL_BYTES), 1))
        seen, deciding = _deciding_bytes(decided, min(prompts, block))
        working = max(encoding + seen, seen + deciding, sums)
    working = working if device.type == "cpu" else encoding
    return RunPlan(
        device=str(device),
        precision=precision_name(dtype),
        windows=windows,
        least_windows=least,
        to_encode=to_encode,
        prompts=prompts,
        prompt_block=block,
        block_bytes=block_bytes,
        feature_bytes=feature_bytes,
        features_in=home,
        device_bytes=device_bytes,
        memory_bytes=memory_bytes,
        peak_bytes=weights + kept + working + (scan_bytes if device.type == "cpu" else 0),
        free_bytes=weights + (free if device.type == "cpu" else _free_bytes(device) + cache.device_used),
        in_slabs=not (device.type == "cuda" and network.backbone.whole_on_gpu),
        seconds=sum(_seconds(one, network, speed, twice) for one in passes) + spilled * _SPILLED_BYTE,
        windows_note=_windows_note(passes),
        precision_in_doubt=dtype != torch.float32 and not network.architecture.half_precision,
    )


def _encoding_bytes(network: SATNetwork, voxel_bytes: int) -> int:
    """Of a window while it is encoded, with features that are kept in so many bytes a voxel."""
    architecture, dtype = network.architecture, network.backbone.dtype
    encoding = architecture.encode_bytes(network.window, dtype, network.position_code.device)
    wide = architecture.channels * dtype.itemsize
    # While they are turned into eight bits, features are there twice.
    return max(encoding, math.prod(network.window) * (voxel_bytes + wide)) if voxel_bytes < wide else encoding


def _deciding_bytes(voxels: int, prompts: int) -> tuple[int, int]:
    """Of so many prompts' sums on tiles with so many voxels, and what deciding about one of them takes beside these.

    One prompt alone can be everywhere. Around what is found all neighbouring tiles are added up, so it is more than
    structures fill.
    """
    sums = SEEN_VOXEL_BYTES * voxels * min(prompts, 1 + prompts * _DECIDED_SHARE)
    return math.ceil(sums), DECIDING_VOXEL_BYTES * voxels


def _windows_note(passes: Sequence[PassSize]) -> str:
    """What there is to say about windows that were to be left out."""
    if not any(one.adaptive for one in passes) or any(one.spares for one in passes):
        return ""
    if all(one.windows == 1 for one in passes):
        return "Adaptive windows save nothing here: one window holds the whole scan."
    return "Adaptive windows save nothing here: so few windows cover the scan that all of them are needed."


def _home(feature_bytes: int, device_bytes: int, memory_bytes: int, disk_bytes: int) -> FeaturePlacement:
    if device_bytes:
        return "device"
    if feature_bytes <= memory_bytes:
        return "memory"
    return "memory and disk" if feature_bytes <= memory_bytes + disk_bytes else "nowhere"


def _seconds(size: PassSize, network: SATNetwork, speed: Speed, twice: bool) -> float:
    """Encoding what is new; then each prompt everywhere, again where it is found, and its way back to the scan.

    With adaptive windows it is the least: how many more are needed is known only when something is found.
    """
    encoding = size.to_encode * network.architecture.encode_macs(network.window) / speed.encode_macs * (1 + twice)
    found = size.prompts * _STRUCTURE_SHARE
    look = size.looked_voxels * (speed.voxel + speed.voxel_and_prompt * size.prompts)
    again = size.window_voxels * (speed.voxel * min(2 * found, 1) + speed.found_voxel * found)
    back = size.grid_voxels * found * speed.restored_voxel
    embedding = size.least_windows * (speed.window + speed.prompt * size.prompts)
    return encoding + embedding + look + again + back


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return cuda_free_bytes(device)
    return psutil.virtual_memory().available
