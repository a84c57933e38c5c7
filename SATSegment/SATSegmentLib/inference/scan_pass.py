"""One pass over a scan: one orientation, one modality, its windows and its prompts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from SATSegmentLib.inference.blend import BlendedProbability
from SATSegmentLib.inference.features import WindowFeatures
from SATSegmentLib.inference.preprocess import PreparedScan
from SATSegmentLib.inference.progress import Run
from SATSegmentLib.inference.restore import restore, touched_sides
from SATSegmentLib.inference.windows import Box, cover, pad_to_window
from SATSegmentLib.sat.architecture import Triple
from SATSegmentLib.sat.cost import decode_macs, encode_macs
from SATSegmentLib.sat.network import Features, SATNetwork, mask_logits
from SATSegmentLib.types import Prompt, SegmentResult

# Working memory for one block of prompts: their probabilities on the whole grid and on one window.
_BLOCK_BYTES = 1 << 30
_MOST_PROMPTS_IN_A_BLOCK = 32

# Image features of windows that more prompts will need; what exceeds it is written to disk.
_FEATURE_BYTES = 4 << 30


@dataclass(frozen=True, eq=False)
class Ask:
    """One prompt, its query vector, and its place in the caller's list."""

    index: int
    prompt: Prompt
    query: np.ndarray


@dataclass(frozen=True, eq=False)
class Answer:
    """One prompt's blended probability on the network's grid.

    Attributes
    ----------
    probability: float32; overwritten when the next block of prompts begins, so copy what is to be kept.
    seconds: spent on this prompt alone.
    """

    ask: Ask
    probability: np.ndarray
    seconds: float


class ScanPass:
    """All prompts of one modality and orientation: one prepared scan, its windows, its prompts in blocks.

    Parameters
    ----------
    network: on the device it is to run on.
    window: voxels of a window.
    scan: the prepared scan.
    asks: the prompts.
    """

    def __init__(self, network: SATNetwork, window: Triple, scan: PreparedScan, asks: list[Ask]) -> None:
        self._network = network
        self._device = network.position_code.device
        self._scan = scan
        self._window = window
        self._boxes = cover(scan.grid.shape, window)
        grid_voxels = int(np.prod(scan.grid.shape))
        window_voxels = max(int(np.prod([part.stop - part.start for part in box])) for box in self._boxes)
        size = _BLOCK_BYTES // (4 * (grid_voxels + 2 * window_voxels))
        size = max(1, min(size, _MOST_PROMPTS_IN_A_BLOCK))
        self._blocks = [asks[start : start + size] for start in range(0, len(asks), size)]
        self._encode_work = encode_macs(network.architecture, window)
        self._decode_work = decode_macs(network.architecture, window_voxels)
        self.work = len(self._boxes) * (self._encode_work + len(asks) * self._decode_work)

    def results(self, run: Run, threshold: float) -> Iterator[tuple[int, SegmentResult]]:
        """(place in the caller's list, result) of each prompt."""
        for answer in self.answers(run):
            yield answer.ask.index, self._finish(answer, threshold)

    def answers(self, run: Run) -> Iterator[Answer]:
        """The probability of each prompt, block by block."""
        blended = BlendedProbability(self._scan.grid.shape, self._window, self._boxes)
        with WindowFeatures(self._encode, _FEATURE_BYTES) as features:
            for number, block in enumerate(self._blocks):
                run.check()
                queries = torch.from_numpy(np.stack([ask.query for ask in block])).to(self._device)
                blended.start(len(block))
                seconds = self._sweep(queries, features, blended, run, keep=number + 1 < len(self._blocks))
                for position, ask in enumerate(block):
                    run.check()
                    yield Answer(ask, blended.probability(position), seconds / len(block))

    def _sweep(
        self, queries: Tensor, features: WindowFeatures, blended: BlendedProbability, run: Run, keep: bool
    ) -> float:
        """Ask all windows about a block of prompts; returns the seconds spent on the prompts alone."""
        spent = 0.0
        for number, box in enumerate(self._boxes):
            run.check()
            fresh = not features.has(number)
            found = features.get(number, keep)
            started = time.perf_counter()
            blended.add(box, mask_logits(found.voxels, self._network.embed_masks(found.tokens, queries))[0])
            spent += time.perf_counter() - started
            work = len(queries) * self._decode_work + (self._encode_work if fresh else 0)
            run.advance(work, f"window {number + 1} of {len(self._boxes)}")
        return spent

    def _encode(self, number: int) -> Features:
        box = self._boxes[number]
        window = torch.from_numpy(pad_to_window(self._scan.array[box], self._window))
        features = self._network.encode(window[None, None].to(self._device))
        return replace(features, voxels=_without_padding(features.voxels, box))

    def _finish(self, answer: Answer, threshold: float) -> SegmentResult:
        started = time.perf_counter()
        grid, prompt = self._scan.grid, answer.ask.prompt
        restored = restore(answer.probability, grid, threshold)
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
            max_probability=float(answer.probability.max()),
            cut_by=touched_sides(restored, grid),
            orientation=prompt.orientation,
            device=str(self._device),
            precision=str(self._network.backbone.dtype).removeprefix("torch."),
            seconds=answer.seconds + time.perf_counter() - started,
        )


def _without_padding(voxels: Tensor, box: Box) -> Tensor:
    """What lies in the scan; the padding's features would only take memory."""
    x, y, z = (slice(0, part.stop - part.start) for part in box)
    inside = voxels[:, :, x, y, z]
    return inside if inside.shape == voxels.shape else inside.contiguous()
