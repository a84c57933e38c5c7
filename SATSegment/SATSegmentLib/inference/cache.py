"""Image features, kept for the prompts that are still to come.

Features do not depend on prompts, and making them is nearly all of the work: a prompt that is added later should
find them ready. They are large (SAT-Nano: 1 GB a window in half precision), so they live under a byte budget, the
least recently used leaving first: from the GPU to memory, from memory to disk, from disk to nowhere.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from SATSegmentLib.inference.identity import FeatureKey
from SATSegmentLib.inference.transfer import Arriving, CudaLane, Transfer
from SATSegmentLib.memory import computer_memory
from SATSegmentLib.sat.features import Features
from SATSegmentLib.scratch import PrivateFolder, clear_leftovers

# A spilled file is summed up block by block, so that a damaged one is noticed before it is believed.
_SUM_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, eq=False)
class _Spilled:
    """Features whose voxels are in a file, and the rest of them."""

    rest: Features
    path: Path
    shape: torch.Size
    nbytes: int
    sums: Tensor

    def read(self) -> Features | None:
        """The features again, their voxels mapped from the file; None where the file is gone or damaged."""
        try:
            if self.path.stat().st_size != self.nbytes:
                return None
            mapped = torch.from_file(
                str(self.path), shared=False, size=self.shape.numel(), dtype=self.rest.voxels.dtype
            )
        except (OSError, RuntimeError):
            return None
        if not torch.equal(_block_sums(mapped), self.sums):
            return None
        return replace(self.rest, voxels=mapped.view(self.shape).movedim(-1, 1))


class FeatureCache:
    """Features by weights, scan and window, least recently used first to go.

    Parameters
    ----------
    memory_bytes : int
        How much may stay in the computer's memory.
    disk_bytes : int
        How much more may be written to a temporary folder; the folder goes with the cache.

    How much may stay on the GPU that made the features is said by `use`, run by run.
    """

    def __init__(self, memory_bytes: int, disk_bytes: int) -> None:
        self.memory_bytes = memory_bytes
        self.disk_bytes = disk_bytes
        self._on_device: OrderedDict[FeatureKey, Features] = OrderedDict()
        self._device_bytes, self._allowed_bytes = 0, memory_bytes
        self._kept: OrderedDict[FeatureKey, Features] = OrderedDict()
        self._spilled: OrderedDict[FeatureKey, _Spilled] = OrderedDict()
        self._folder: PrivateFolder | None = None
        self._files = 0
        self._transfers: dict[torch.device, Transfer] = {}
        self._coming: tuple[FeatureKey, Features, Arriving] | None = None

    def __contains__(self, key: FeatureKey) -> bool:
        return key in self._on_device or key in self._kept or key in self._spilled

    def use(self, device_bytes: int, memory_bytes: int) -> None:
        """Set the device and host budgets; evict what no longer fits."""
        self._coming = None
        self._device_bytes, self._allowed_bytes = device_bytes, min(memory_bytes, self.memory_bytes)
        self._make_room(0)

    def get(
        self, key: FeatureKey, encode: Callable[[], Features], beside: Collection[FeatureKey] = frozenset()
    ) -> Features:
        """The features under `key`; encoded, and kept if there is room, where they are not here or damaged.

        Parameters
        ----------
        key : FeatureKey
            Weights, scan and window.
        encode : callable
            Makes them.
        beside : Collection[FeatureKey], optional
            What they must not drive out: the other windows of a scan that are asked for again in the same order.
        """
        if key in self._on_device:
            self._on_device.move_to_end(key)
            return self._on_device[key]
        if self._coming is not None and self._coming[0] == key:
            _, rest, arriving = self._coming
            self._coming = None
            return replace(rest, voxels=arriving.take())
        found = self._in_memory(key)
        if found is not None:
            device = found.tokens.device
            transfer = self._transfer(device)
            voxels = found.voxels.to(device) if transfer is None else transfer.upload(found.voxels).take()
            return replace(found, voxels=voxels)
        features = encode()
        self._keep(key, features, beside)
        return features

    def prefetch(self, key: FeatureKey) -> None:
        """Begin to bring features from memory or disk to the GPU that a `get` will soon ask for, while it computes."""
        if key in self._on_device or (self._coming is not None and self._coming[0] == key):
            return
        self._coming = None
        held = self._kept.get(key) or self._spilled.get(key)
        if held is None:
            return
        tokens = held.tokens if isinstance(held, Features) else held.rest.tokens
        transfer = self._transfer(tokens.device)
        if transfer is not None and (found := self._in_memory(key)) is not None:
            # Where there is no room for two windows at once, the next comes when it is asked for.
            with contextlib.suppress(torch.OutOfMemoryError):
                self._coming = key, found, transfer.upload(found.voxels)

    @property
    def memory_used(self) -> int:
        """Bytes in memory."""
        return _nbytes(self._kept)

    @property
    def device_used(self) -> int:
        """Bytes on the device."""
        return _nbytes(self._on_device)

    @property
    def disk_used(self) -> int:
        """Bytes on disk."""
        return sum(spilled.nbytes for spilled in self._spilled.values())

    def clear(self) -> None:
        """Forget everything and remove the folder."""
        self._coming = None
        self._transfers.clear()
        self._on_device.clear()
        self._kept.clear()
        self._spilled.clear()
        if self._folder is not None:
            self._folder.remove()
            self._folder = None

    def forget(self, digest: str) -> None:
        """Forget the features of one scan (`grid.digest.digest_of`)."""
        self._coming = None
        for kept in (self._on_device, self._kept):
            for key in [key for key in kept if key.scan.endswith(digest)]:
                del kept[key]
        for key in [key for key in self._spilled if key.scan.endswith(digest)]:
            self._forget(key)

    def _in_memory(self, key: FeatureKey) -> Features | None:
        """Features from memory or disk, their voxels still there; None where they are in neither, or damaged."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key not in self._spilled:
            return None
        found = self._spilled[key].read()
        if found is None:
            self._forget(key)
        else:
            self._spilled.move_to_end(key)
        return found

    def _transfer(self, device: torch.device) -> Transfer | None:
        """The way to a device; None where its memory is this one, or is not CUDA's."""
        if device.type != "cuda":
            return None
        if device not in self._transfers:
            self._transfers[device] = Transfer(CudaLane(device))
        return self._transfers[device]

    def _to_memory(self, voxels: Tensor) -> Tensor:
        transfer = self._transfer(voxels.device)
        return voxels.cpu() if transfer is None else transfer.download(voxels)

    def _keep(self, key: FeatureKey, features: Features, beside: Collection[FeatureKey]) -> None:
        if features.voxels.nbytes > self._device_bytes:
            self._keep_in_memory(key, features, beside)
            return
        while self.device_used + features.voxels.nbytes > self._device_bytes:
            self._keep_in_memory(*self._on_device.popitem(last=False))
        self._on_device[key] = features

    def _keep_in_memory(
        self, key: FeatureKey, features: Features, beside: Collection[FeatureKey] = frozenset()
    ) -> None:
        if features.voxels.nbytes > self._allowed_bytes or not self._make_room(features.voxels.nbytes, beside):
            self._spill(key, features, beside)
            return
        self._kept[key] = replace(features, voxels=self._to_memory(features.voxels))

    def _make_room(self, needed: int, beside: Collection[FeatureKey] = frozenset()) -> bool:
        """Whether there is room in memory, after what may go has gone."""
        while self.device_used > self._device_bytes:
            self._keep_in_memory(*self._on_device.popitem(last=False))
        while self._kept and self.memory_used + needed > self._allowed_bytes:
            leaving = next((key for key in self._kept if key not in beside), None)
            if leaving is None:
                leaving = next(iter(self._kept))
                if not self._make_room_on_disk(self._kept[leaving].voxels.nbytes, beside):
                    return False
            self._spill(leaving, self._kept.pop(leaving), beside)
        return True

    def _make_room_on_disk(self, needed: int, beside: Collection[FeatureKey]) -> bool:
        while needed <= self.disk_bytes < self.disk_used + needed:
            leaving = next((key for key in self._spilled if key not in beside), None)
            if leaving is None:
                return False
            self._forget(leaving)
        return needed <= self.disk_bytes

    def _spill(self, key: FeatureKey, features: Features, beside: Collection[FeatureKey] = frozenset()) -> None:
        needed = features.voxels.nbytes
        if not self._make_room_on_disk(needed, beside):
            return
        # In the file as in memory: the channels of a voxel next to each other.
        voxels = self._to_memory(features.voxels).movedim(1, -1).contiguous()
        try:
            if self._folder is None:
                self._folder = PrivateFolder("features")
            self._files += 1
            path = self._folder.path / f"{self._files}.bin"
            # As bytes, because NumPy, which writes the file, knows no bfloat16.
            voxels.view(torch.uint8).numpy().tofile(path)
        except OSError:
            # No room: the window is encoded again when it is needed. What was written of it must not fill the disk.
            if self._folder is not None:
                (self._folder.path / f"{self._files}.bin").unlink(missing_ok=True)
            return
        rest = replace(features, voxels=voxels.new_empty(0))
        self._spilled[key] = _Spilled(rest, path, voxels.shape, needed, _block_sums(voxels))

    def _forget(self, key: FeatureKey) -> None:
        self._spilled.pop(key).path.unlink(missing_ok=True)


def default_cache(memory_bytes: int | None = None, spill: bool = True) -> FeatureCache:
    """So much memory, or half of what is free; and a quarter of the free space where temporary files go, or none."""
    # What a process that was killed has spilled is a patient's, and takes room: it goes even if nothing is spilled now.
    clear_leftovers()
    disk = shutil.disk_usage(tempfile.gettempdir()).free // 4 if spill else 0
    memory = computer_memory().free // 2 if memory_bytes is None else memory_bytes
    return FeatureCache(memory, disk)


def _nbytes(kept: OrderedDict[FeatureKey, Features]) -> int:
    return sum(features.voxels.nbytes for features in kept.values())


def _block_sums(voxels: Tensor) -> Tensor:
    """The sum of each block's bytes as integers: at memory speed, and different after nearly any damage."""
    content = voxels.reshape(-1).view(torch.uint8)
    whole = content.numel() // _SUM_BLOCK_BYTES * _SUM_BLOCK_BYTES
    blocks = content[:whole].view(torch.int64).view(-1, _SUM_BLOCK_BYTES // 8).sum(dim=1)
    return torch.cat((blocks, content[whole:].sum(dtype=torch.int64)[None]))
