"""What a run will take and how it will go about it, decided in one place before it starts.

Nothing else decides: the run takes its block of prompts, its memory and the place of its features from here, the
terminal and the panel show it, and where memory runs out after all, `RunPlan.smaller` says how to go on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.device import choose_precision, precision_name
from SATSegmentLib.inference.memory import cuda_free_bytes
from SATSegmentLib.inference.run_plan import FeaturePlacement, RunPlan
from SATSegmentLib.inference.speed import Speed
from SATSegmentLib.inference.tiles import GPU_GROUP_BYTES, runs_ahead
from SATSegmentLib.inference.undecided import DECIDING_VOXEL_BYTES, SEEN_VOXEL_BYTES
from SATSegmentLib.memory import computer_memory
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
    device, precision = network.position_code.device, precision_name(network.backbone.dtype)
    names = ("windows", "least_windows", "to_encode", "prompts")
    windows, least, to_encode, prompts = (sum(getattr(one, name) for one in passes) for name in names)
    needs = _needs(network, passes, storage)
    room = _room(device, needs, cache, prompts)
    decoding = _decoding(device, needs, room, prompts)
    spilled = max(needs.features - room.memory_bytes, 0) if room.home == "memory and disk" else 0
    seconds = sum(_seconds(one, network, speed, decoding.encodes_twice) for one in passes) + spilled * _SPILLED_BYTE
    return RunPlan(
        device=str(device),
        precision=precision,
        windows=windows,
        least_windows=least,
        to_encode=to_encode,
        prompts=prompts,
        prompt_block=decoding.prompt_block,
        block_bytes=room.block_bytes,
        feature_bytes=needs.features,
        features_in=room.home,
        device_bytes=room.device_bytes,
        memory_bytes=room.memory_bytes,
        peak_bytes=needs.weights + room.kept + decoding.working + (needs.scan if device.type == "cpu" else 0),
        free_bytes=needs.weights + room.free + (needs.scan if device.type == "cpu" else 0),
        in_slabs=not (device.type == "cuda" and network.backbone.whole_on_gpu),
        seconds=seconds,
        windows_note=_windows_note(passes),
        precision_in_doubt=network.backbone.dtype != torch.float32 and not network.architecture.half_precision,
    )


@dataclass(frozen=True)
class _Needs:
    """What the parts of a run take, wherever that is. Bytes, but for `decided`.

    Attributes
    ----------
    weights : int
        Of the network.
    scan : int
        On the network's grid, all passes together.
    features : int
        Of all windows.
    encoding : int
        While a window is encoded; on a GPU also while one is looked at and the next arrives.
    everywhere, sums : int
        Sums of probabilities if all prompts were everywhere, and those that are expected and held at once.
    held : int
        Logits that are held instead of features, where these find no place.
    decided : int
        Voxels on which it is decided which windows are needed; 0 where all are.
    """

    weights: int
    scan: int
    features: int
    encoding: int
    everywhere: int
    sums: int
    held: int
    decided: int


@dataclass(frozen=True)
class _Room:
    """What a run may use. Bytes.

    Attributes
    ----------
    home : FeaturePlacement
        Where features are kept.
    device_bytes, memory_bytes : int
        Limits for features on the device, if it is no CPU, and in the computer's memory.
    block_bytes : int
        For sums of probabilities that are held at once.
    kept : int
        Features where the network runs: on the GPU, or in the computer's memory.
    free, left : int
        What is free there; and of the computer's memory, beside encoding and features.
    """

    home: FeaturePlacement
    device_bytes: int
    memory_bytes: int
    block_bytes: int
    kept: int
    free: int
    left: int


@dataclass(frozen=True)
class _Decoding:
    """How a run decodes its prompts.

    Attributes
    ----------
    prompt_block : int
        How many of them go over the features together.
    working : int
        Bytes that it needs beside weights and features, where the network runs.
    encodes_twice : bool
        Whether windows are encoded again for a second look.
    """

    prompt_block: int
    working: int
    encodes_twice: bool


def _needs(network: SATNetwork, passes: Sequence[PassSize], storage: FeatureStorage) -> _Needs:
    device = network.position_code.device
    prompts, voxels = sum(one.prompts for one in passes), sum(one.window_voxels for one in passes)
    share = _STRUCTURE_SHARE if prompts > 1 else 1
    voxel_bytes = network.architecture.channels * (1 if storage == "uint8" else network.backbone.dtype.itemsize)
    everywhere = 4 * max(one.grid_voxels for one in passes) * prompts
    sums = min(BLOCK_BYTES, math.ceil(everywhere * share))
    encoding = _encoding_bytes(network, voxel_bytes) if any(one.to_encode for one in passes) else 0
    if runs_ahead(device):  # There sums are added up, and tiles of a window looked at while the next arrives.
        looking = sums + 2 * GPU_GROUP_BYTES + 2 * math.prod(network.window) * voxel_bytes
        encoding = max(encoding, looking) + _WORKSPACE_BYTES
    return _Needs(
        weights=sum(tensor.nbytes for tensor in network.state_dict().values()),
        scan=4 * sum(one.grid_voxels for one in passes),
        features=voxels * voxel_bytes,
        encoding=encoding,
        everywhere=everywhere,
        sums=sums,
        held=4 * math.ceil(voxels * prompts * share),
        decided=max((one.tiled_voxels for one in passes if one.spares), default=0),
    )


def _room(device: torch.device, needs: _Needs, cache: FeatureCache, prompts: int) -> _Room:
    on_cpu = device.type == "cpu"
    free = _free_bytes(torch.device("cpu")) + cache.memory_used
    free_here = free if on_cpu else _free_bytes(device) + cache.device_used
    fits_device = not on_cpu and needs.features <= (free_here - needs.encoding) * (1 - _SPARE)
    on_host = needs.encoding if on_cpu else 0
    # Sums for deciding which windows are needed are in the computer's memory, whatever the network runs on.
    seen, deciding = _deciding_bytes(needs.decided, min(prompts, _MOST_DECIDED))
    beside = on_host + max(needs.sums, seen, seen + deciding - on_host)
    memory = max(min(cache.memory_bytes, int(free * (1 - _SPARE)) - beside), 0)
    left = free - on_host - min(needs.features, memory)
    on_device = needs.features if fits_device else 0
    return _Room(
        home=_home(needs.features, on_device, memory, cache.disk_bytes),
        device_bytes=on_device,
        memory_bytes=memory,
        block_bytes=min(max(left // 4, 1 << 20), BLOCK_BYTES),
        kept=min(needs.features, memory) if on_cpu else on_device,
        free=free_here,
        left=left,
    )


def _decoding(device: torch.device, needs: _Needs, room: _Room, prompts: int) -> _Decoding:
    block = min(max(prompts, 1), _MOST_PROMPTS)
    working, twice = max(needs.encoding, needs.sums), False
    if room.home == "nowhere":
        # Then nothing is decided, and what windows say is held instead, or the sums of everything.
        held = max(needs.sums, needs.held)
        twice = min(needs.everywhere, held) > room.block_bytes
        working = needs.encoding + min(held, room.block_bytes)
    elif needs.decided:
        # Where something is found everywhere, as many find room as half of what is left holds.
        block = min(block, _MOST_DECIDED, max(room.left // 2 // (needs.decided * SEEN_VOXEL_BYTES), 1))
        seen, deciding = _deciding_bytes(needs.decided, min(prompts, block))
        working = max(needs.encoding + seen, seen + deciding, needs.sums)
    # A GPU encodes and looks; what is added up beside that is in the computer's memory, or counted with `encoding`.
    return _Decoding(block, working if device.type == "cpu" else needs.encoding, twice)


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
    return computer_memory().free
