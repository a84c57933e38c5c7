"""The image features of a scan's windows: from the cache where they are there, encoded where they are not."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from torch import Tensor

from SATSegmentLib.grid.box import Box
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.device import precision_name
from SATSegmentLib.inference.identity import FeatureKey
from SATSegmentLib.inference.preprocess import PreparedScan
from SATSegmentLib.inference.tiles import runs_ahead
from SATSegmentLib.inference.windows import pad_to_window
from SATSegmentLib.sat.features import Features
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.sat.timing import wait_for
from SATSegmentLib.types import FeatureStorage


class WindowFeatures:
    """Windows by their numbers.

    Parameters
    ----------
    network : SATNetwork
        On the device it is to run on.
    weights : str
        Digest of the network's weights; tells its features from another's.
    scan : PreparedScan
        The prepared scan.
    boxes : list of Box
        Of the windows, in the network's grid.
    cache : FeatureCache
        Where features are kept between passes and runs.
    storage : FeatureStorage
        How they are kept.

    Attributes
    ----------
    encoded, encode_seconds
        How many windows were encoded so far, and how long that took.
    """

    def __init__(
        self,
        network: SATNetwork,
        weights: str,
        scan: PreparedScan,
        boxes: list[Box],
        cache: FeatureCache,
        storage: FeatureStorage,
    ) -> None:
        self._network, self._scan, self._boxes = network, scan, boxes
        self._cache, self._storage = cache, storage
        self._device = network.position_code.device
        made = weights, str(self._device), precision_name(network.backbone.dtype), storage, network.window
        self._keys = [FeatureKey(*made, scan.name, box.offset) for box in boxes]
        self._every_window = frozenset(self._keys)
        self._ahead = runs_ahead(self._device)
        self._coming: tuple[int, Tensor] | None = None
        self.encoded, self.encode_seconds = 0, 0.0

    def get(self, number: int) -> Features:
        """What the encoder finds in a window."""
        # They are looked at in the same order again: were the oldest to leave, none would be there when it is its turn.
        return self._cache.get(self._keys[number], lambda: self._encode(number), beside=self._every_window)

    def is_missing(self, number: int) -> bool:
        """Whether a window is still to be encoded."""
        return self._keys[number] not in self._cache

    def look_ahead(self, number: int | None) -> None:
        """Bring what the next window needs to a GPU while it is still at work on the last."""
        if number is None or not self._ahead:
            return
        if self.is_missing(number):
            self._coming = number, self._window(number)
        else:
            self._cache.prefetch(self._keys[number])

    def _encode(self, number: int) -> Features:
        started = time.perf_counter()
        coming, self._coming = self._coming, None
        window = coming[1] if coming is not None and coming[0] == number else self._window(number)
        features = self._network.encode(window[None, None])
        features = replace(features, voxels=_without_padding(features.voxels, self._boxes[number]))
        if self._storage == "uint8":
            features = features.quantize()
        wait_for(self._device)
        features.refuse_overflow()
        self.encoded += 1
        self.encode_seconds += time.perf_counter() - started
        return features

    def _window(self, number: int) -> Tensor:
        """A window's voxels on the device; to a GPU they go by themselves, from pinned memory."""
        window = torch.from_numpy(pad_to_window(self._scan.array[self._boxes[number]], self._network.window))
        return window.pin_memory().to(self._device, non_blocking=True) if self._ahead else window.to(self._device)


def _without_padding(voxels: Tensor, box: Box) -> Tensor:
    """What lies in the scan; the padding's features would only take memory.

    Always with a voxel's channels next to each other, as tiles are read.
    """
    x, y, z = Box.whole(box.shape)
    return voxels[:, :, x, y, z].contiguous(memory_format=torch.channels_last_3d)
