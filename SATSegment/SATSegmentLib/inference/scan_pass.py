"""One pass over a scan: one orientation, one modality, its windows and all its prompts."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from SATSegmentLib.inference.blend import Blend
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.preprocess import PreparedScan
from SATSegmentLib.inference.progress import Run
from SATSegmentLib.inference.restore import restore, touched_sides
from SATSegmentLib.inference.windows import Box, cover, intersection, pad_to_window
from SATSegmentLib.sat.cost import decode_macs, encode_macs
from SATSegmentLib.sat.network import Features, SATNetwork, mask_logits
from SATSegmentLib.types import Prompt, SegmentResult

# Probabilities of one block of prompts, on the parts of the grid where they can matter.
BLOCK_BYTES = 1 << 29

# Logits of all prompts on one slab of a window, while it is searched for where they are high.
_SLAB_BYTES = 1 << 26

# A voxel is looked at if some window's logit there comes this close to the threshold: rounding stays far below.
_MARGIN = 1e-3


@dataclass(frozen=True, eq=False)
class Ask:
    """One prompt, its query vector, and its place in the caller's list."""

    index: int
    prompt: Prompt
    query: np.ndarray


@dataclass(frozen=True, eq=False)
class Answer:
    """One prompt's blended probability where it can exceed the threshold.

    Attributes
    ----------
    ask: the prompt.
    part: box of the network's grid that `probability` covers; None where no voxel can exceed the threshold.
    probability: float32, on `part`.
    highest: the highest probability that any window gave anywhere.
    seconds: spent on this prompt alone.
    """

    ask: Ask
    part: Box | None
    probability: np.ndarray
    highest: float
    seconds: float


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a prompt's logits are high."""

    part: Box | None
    highest: float


class ScanPass:
    """All prompts of one modality and orientation on one prepared scan.

    First each window is asked, slab by slab, where each prompt could exceed the threshold at all; then only there
    probabilities are computed, blended and brought back. So time and memory follow the size of the structures, not
    prompts times volume.

    Parameters
    ----------
    network: on the device it is to run on.
    identity: tells this network's features from another's ("sha256 precision").
    scan: the prepared scan.
    asks: the prompts.
    cache: where features are kept between passes and runs.
    threshold: of probability.
    """

    def __init__(
        self,
        network: SATNetwork,
        identity: str,
        scan: PreparedScan,
        asks: list[Ask],
        cache: FeatureCache,
        threshold: float,
    ) -> None:
        self._network = network
        self._device = network.position_code.device
        self._scan = scan
        self._asks = asks
        self._cache = cache
        self._threshold = threshold
        self._logit = _logit(threshold)
        self._boxes = cover(scan.grid.shape, network.window)
        self._blend = Blend(scan.grid.shape, network.window, self._boxes, self._device)
        content = hashlib.blake2b(scan.array.data, digest_size=16)
        self._name = f"{identity} {network.window} {scan.array.shape} {content.hexdigest()}"
        missing = [(self._name, number) not in cache for number in range(len(self._boxes))]
        self._decode_work = decode_macs(network.architecture, math.prod(network.window))
        self._encode_work = encode_macs(network.architecture, network.window)
        # Every prompt is asked once everywhere, and once more where it was found.
        self.work = sum(missing) * self._encode_work + 2 * len(missing) * len(asks) * self._decode_work

    def results(self, run: Run) -> Iterator[tuple[int, SegmentResult]]:
        """(place in the caller's list, result) of each prompt."""
        for answer in self.answers(run):
            yield answer.ask.index, self._finish(answer)

    def answers(self, run: Run) -> Iterator[Answer]:
        """The probability of each prompt, where it can exceed the threshold."""
        queries = torch.from_numpy(np.stack([ask.query for ask in self._asks])).to(self._device)
        if not self._cache.can_hold(self._feature_bytes()):
            yield from self._direct_answers(queries, run)
            return
        embeddings, places, seconds = self._locate(queries, run)
        share = seconds / len(self._asks)
        for block in _blocks([place.part for place in places]):
            run.check()
            started = time.perf_counter()
            parts = self._blended(block, embeddings, places)
            run.advance(len(block) * len(self._boxes) * self._decode_work, "putting windows together")
            spent = share + (time.perf_counter() - started) / len(block)
            for row, probability in zip(block, parts, strict=True):
                run.check()
                yield Answer(self._asks[row], places[row].part, probability.numpy(), places[row].highest, spent)

    def _direct_answers(self, queries: Tensor, run: Run) -> Iterator[Answer]:
        """The same where features cannot be kept: each block of prompts is blended while the windows pass by."""
        whole: Box = tuple(slice(0, size) for size in self._scan.grid.shape)  # type: ignore[assignment]
        for block in _blocks([whole] * len(self._asks)):
            started = time.perf_counter()
            highest = torch.full((len(block),), -math.inf)
            sums = torch.zeros(len(block), *self._scan.grid.shape)
            for number, box in enumerate(self._boxes):
                run.check()
                features = self._encode(number)
                embeddings = self._network.embed_masks(features.tokens, queries[block])
                for slab in _slabs(box, len(block)):
                    x, _, _ = _relative(slab, box)
                    logits = mask_logits(features.voxels[:, :, x], embeddings)[0]
                    highest = torch.maximum(highest, logits.amax(dim=(1, 2, 3)).cpu())
                    sums[(slice(None), *slab)] += logits.sigmoid_().mul_(self._blend.weights(box, slab)).cpu()
                work = self._encode_work + 2 * len(block) * self._decode_work
                run.advance(work, f"window {number + 1} of {len(self._boxes)}")
            spent = (time.perf_counter() - started) / len(block)
            for row, total, high in zip(block, sums, highest, strict=True):
                part = whole if high > self._logit - _MARGIN else None
                yield Answer(self._asks[row], part, total.numpy(), float(high.sigmoid()), spent)

    def _feature_bytes(self) -> int:
        """Of all windows of the scan, inside the scan."""
        voxels = sum(math.prod(side.stop - side.start for side in box) for box in self._boxes)
        return voxels * self._network.architecture.features[0] * self._network.backbone.dtype.itemsize

    def _locate(self, queries: Tensor, run: Run) -> tuple[list[Tensor], list[_Place], float]:
        """Mask embeddings by window, where each prompt is high in the grid, and the seconds spent on prompts alone."""
        embeddings, spent = [], 0.0
        high = _HighVoxels(self._scan.grid.shape, len(queries), self._logit - _MARGIN)
        for number, box in enumerate(self._boxes):
            run.check()
            fresh = (self._name, number) not in self._cache
            features = self._features(number)
            started = time.perf_counter()
            embeddings.append(self._network.embed_masks(features.tokens, queries)[0])
            high.look(box, features.voxels[0], embeddings[-1])
            spent += time.perf_counter() - started
            work = len(queries) * self._decode_work + (self._encode_work if fresh else 0)
            run.advance(work, f"window {number + 1} of {len(self._boxes)}")
        return embeddings, high.places(), spent

    def _blended(self, block: Sequence[int], embeddings: list[Tensor], places: list[_Place]) -> list[Tensor]:
        """The blended probability of each prompt of the block, on its own part of the grid."""
        parts = {row: part for row in block if (part := places[row].part) is not None}
        sums = {row: torch.zeros([side.stop - side.start for side in part]) for row, part in parts.items()}
        for number, box in enumerate(self._boxes):
            asked = [row for row, part in parts.items() if intersection(box, part)]
            if not asked:
                continue
            voxels = self._features(number).voxels[0]
            for slab in _slabs(box, len(asked)):
                # All prompts at once over the whole slab: one product is cheaper than cutting features out for each.
                rows = [row for row in asked if intersection(slab, parts[row])]
                if not rows:
                    continue
                x, _, _ = _relative(slab, box)
                logits = mask_logits(voxels[None, :, x], embeddings[number][None, rows])[0]
                weights = self._blend.weights(box, slab)
                for row, logit in zip(rows, logits, strict=True):
                    shared = intersection(slab, parts[row])
                    assert shared is not None
                    inside = _relative(shared, slab)
                    weighed = logit[inside].sigmoid().mul_(weights[inside]).cpu()
                    sums[row][_relative(shared, parts[row])] += weighed
        return [sums.get(row, torch.zeros(0, 0, 0)) for row in block]

    def _features(self, number: int) -> Features:
        return self._cache.get((self._name, number), lambda: self._encode(number))

    def _encode(self, number: int) -> Features:
        box = self._boxes[number]
        window = torch.from_numpy(pad_to_window(self._scan.array[box], self._network.window))
        features = self._network.encode(window[None, None].to(self._device))
        return replace(features, voxels=_without_padding(features.voxels, box))

    def _finish(self, answer: Answer) -> SegmentResult:
        started = time.perf_counter()
        grid, prompt = self._scan.grid, answer.ask.prompt
        restored = restore(answer.probability, grid.cropped(answer.part or _NOWHERE), self._threshold)
        voxels = int(np.count_nonzero(restored.mask))
        voxel_ml = abs(float(np.linalg.det(grid.source_ijk_to_ras[:3, :3]))) / 1000
        return SegmentResult(
            prompt=prompt,
            status="found" if voxels else "empty",
            mask=restored.mask,
            offset_kji=restored.offset_kji,
            voxels=voxels,
            volume_ml=voxels * voxel_ml,
            mean_probability=restored.mean_probability,
            max_probability=answer.highest,
            cut_by=touched_sides(restored, grid),
            orientation=prompt.orientation,
            device=str(self._device),
            precision=str(self._network.backbone.dtype).removeprefix("torch."),
            seconds=answer.seconds + time.perf_counter() - started,
        )


def _logit(probability: float) -> float:
    if probability <= 0:
        return -math.inf
    return math.log(probability / (1 - probability)) if probability < 1 else math.inf


_NOWHERE: Box = (slice(0, 0), slice(0, 0), slice(0, 0))


class _HighVoxels:
    """For each prompt the bounding box of the voxels where some window's logit is high, and the highest logit.

    Kept as one line of voxels per axis, so that its size does not depend on the volume.
    """

    def __init__(self, shape: tuple[int, int, int], prompts: int, level: float) -> None:
        self._level = level
        self._used = [torch.zeros(prompts, size, dtype=torch.bool) for size in shape]
        self._highest = torch.full((prompts,), -math.inf)

    def look(self, box: Box, voxels: Tensor, embeddings: Tensor) -> None:
        """Take in one window: features (C, x, y, z), mask embeddings (N, C)."""
        for slab in _slabs(box, len(embeddings)):
            x, _, _ = _relative(slab, box)
            logits = mask_logits(voxels[None, :, x], embeddings[None])[0]
            plane = logits.amax(dim=1)
            lines = (logits.amax(dim=(2, 3)), plane.amax(dim=2), plane.amax(dim=1))
            for used, part, line in zip(self._used, slab, lines, strict=True):
                used[:, part] |= (line > self._level).cpu()
            self._highest = torch.maximum(self._highest, lines[0].amax(dim=1).cpu())

    def places(self) -> list[_Place]:
        """Where each prompt is high, with a margin of one voxel, which is how far interpolation reaches."""
        return [_Place(self._part(row), float(self._highest[row].sigmoid())) for row in range(len(self._highest))]

    def _part(self, row: int) -> Box | None:
        part = []
        for used in self._used:
            hits = used[row].nonzero()
            if not len(hits):
                return None
            part.append(slice(max(int(hits[0]) - 1, 0), min(int(hits[-1]) + 2, used.shape[1])))
        return (part[0], part[1], part[2])


def _slabs(box: Box, prompts: int) -> Iterator[Box]:
    """A window's box in slabs along its first axis, thin enough for the logits of all prompts."""
    x, y, z = box
    plane = (y.stop - y.start) * (z.stop - z.start) * 4 * 3 * prompts
    thick = max(1, _SLAB_BYTES // plane)
    for start in range(x.start, x.stop, thick):
        yield slice(start, min(start + thick, x.stop)), y, z


def _blocks(parts: Sequence[Box | None]) -> Iterator[list[int]]:
    """Rows in blocks whose parts together stay below BLOCK_BYTES (one part alone may exceed it)."""
    block: list[int] = []
    size = 0
    for row, part in enumerate(parts):
        needed = 4 * math.prod(side.stop - side.start for side in part or _NOWHERE)
        if block and size + needed > BLOCK_BYTES:
            yield block
            block, size = [], 0
        block.append(row)
        size += needed
    if block:
        yield block


def _relative(part: Box, whole: Box) -> Box:
    """A part of the grid in the indices of the box that contains it."""
    x, y, z = (
        slice(inner.start - outer.start, inner.stop - outer.start) for inner, outer in zip(part, whole, strict=True)
    )
    return (x, y, z)


def _without_padding(voxels: Tensor, box: Box) -> Tensor:
    """What lies in the scan; the padding's features would only take memory.

    Always with a voxel's channels next to each other: a slab is then one piece of memory, and a product of it is
    rounded in the same way wherever the features were kept.
    """
    x, y, z = (slice(0, part.stop - part.start) for part in box)
    return voxels[:, :, x, y, z].contiguous(memory_format=torch.channels_last_3d)
