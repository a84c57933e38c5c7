"""One pass over a scan: one orientation, one modality, its windows and all its prompts."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from SATSegmentLib.grid.box import Box
from SATSegmentLib.grid.cropped_probability import LEAST_PROBABILITY
from SATSegmentLib.inference.blend import Blend
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.device import precision_name
from SATSegmentLib.inference.identity import FeatureKey
from SATSegmentLib.inference.plan import PassSize
from SATSegmentLib.inference.preprocess import PreparedScan
from SATSegmentLib.inference.progress import Run
from SATSegmentLib.inference.restore import restore, restore_probability
from SATSegmentLib.inference.run_plan import RunPlan
from SATSegmentLib.inference.tiles import HighTiles, TileLogits, TileSums, Tiling
from SATSegmentLib.inference.windows import cover, pad_to_window
from SATSegmentLib.sat.features import Features
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.types import FeatureStorage, Prompt, SegmentResult

# A voxel is looked at if some window's logit there comes this close to the threshold: rounding stays far below.
_MARGIN = 1e-3
# How many times the weight that is not looked at a threshold must be, for that to save more than it costs.
_FAR_ABOVE = 3


@dataclass(frozen=True)
class Output:
    """What results hold.

    Attributes
    ----------
    threshold : float
        A voxel belongs to a mask where its probability exceeds this.
    keep_probabilities : bool
        Whether the probability on the scan's grid is kept beside the mask. The network is then asked wherever it can
        be above zero.
    """

    threshold: float
    keep_probabilities: bool = False


@dataclass(frozen=True, eq=False)
class Query:
    """One prompt, its query vector, and its place in the caller's list.

    Attributes
    ----------
    mask_embedding_offset : np.ndarray | None
        (C,) added to the query's mask embedding, for a word that a user taught; None for all others.
    """

    index: int
    prompt: Prompt
    query: np.ndarray
    mask_embedding_offset: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Response:
    """One prompt's blended probability where it can exceed the threshold.

    Attributes
    ----------
    ask : Query
        The prompt.
    part : Box | None
        Box of the network's grid that `probability` covers; None where no voxel can exceed the threshold.
    probability : np.ndarray
        float32, on `part`; zero in parts of it where neither a voxel nor a neighbour can exceed the threshold.
    highest : float
        The highest probability that any window gave where it counts.
    seconds : float
        Spent on this prompt alone.
    """

    ask: Query
    part: Box | None
    probability: np.ndarray
    highest: float
    seconds: float


class ScanPass:
    """All prompts of one modality and orientation on one prepared scan.

    First each window is asked, tile by tile, where each prompt could exceed the threshold at all; then only there
    probabilities are computed, blended and brought back. So time and memory follow the size of the structures, not
    prompts times volume.

    Parameters
    ----------
    network : SATNetwork
        On the device it is to run on.
    weights : str
        Digest of the network's weights; tells its features from another's.
    scan : PreparedScan
        The prepared scan.
    asks : list[Query]
        The prompts.
    cache : FeatureCache
        Where features are kept between passes and runs.
    output : Output
        What the results are to hold.
    storage : FeatureStorage
        How features are kept, and looked at.

    Attributes
    ----------
    grid
        The network's grid of the scan.
    boxes
        Of the windows, in that grid.
    asks : list[Query]
        The prompts.
    encode_seconds
        Spent in the image encoder so far, for `encoded` windows.
    """

    def __init__(
        self,
        network: SATNetwork,
        weights: str,
        scan: PreparedScan,
        asks: list[Query],
        cache: FeatureCache,
        output: Output,
        storage: FeatureStorage,
    ) -> None:
        self._network = network
        self._device = network.position_code.device
        self._scan = scan
        self.grid = scan.grid
        self.asks = asks
        self._cache = cache
        self._output = output
        self._storage = storage
        self.boxes = cover(scan.grid.shape, network.window)
        self._tiling = Tiling(scan.grid.shape, self._device)
        self._blend = Blend(scan.grid.shape, network.window, self.boxes, self._device)
        least = min(output.threshold, LEAST_PROBABILITY) if output.keep_probabilities else output.threshold
        self._looked_at, level = self._where_to_look(least)
        self._level = _logit(level) - _MARGIN
        self._precision = precision_name(network.backbone.dtype)
        self._weights = weights
        self._decode_work = math.prod(network.window) * network.architecture.channels  # one prompt's mask
        self._encode_work = network.architecture.encode_macs(network.window)
        self.encoded, self.encode_seconds = 0, 0.0

    @property
    def size(self) -> PassSize:
        """How much it has to do, with what the cache holds now."""
        return PassSize(
            windows=len(self.boxes),
            to_encode=sum(self._is_missing(number) for number in range(len(self.boxes))),
            window_voxels=sum(box.voxels for box in self.boxes),
            looked_voxels=sum(box.voxels for box in self._looked_at),
            grid_voxels=math.prod(self._scan.grid.shape),
            prompts=len(self.asks),
        )

    def work(self, prompts: int) -> float:
        """For so many prompts, in multiply-accumulate operations: each is asked everywhere, and again where found."""
        size = self.size
        return size.to_encode * self._encode_work + 2 * size.windows * prompts * self._decode_work

    def results(self, run: Run, plan: RunPlan, rows: Sequence[int]) -> Iterator[tuple[int, SegmentResult]]:
        """(row among `asks`, result) of the prompts in these rows."""
        for row, answer in self.answers(run, plan, rows):
            yield row, self._finish(answer)

    def answers(self, run: Run, plan: RunPlan, rows: Sequence[int]) -> Iterator[tuple[int, Response]]:
        """(row among `asks`, its probability where it can exceed the threshold)."""
        for start in range(0, len(rows), plan.prompt_block):
            yield from self._answers(run, plan, rows[start : start + plan.prompt_block])

    def features(self, number: int) -> Features:
        """What the encoder found in a window; from the cache where it is there."""
        return self._cache.get(self._key(number), lambda: self._encode(number))

    def weights(self, number: int) -> Tensor:
        """How much a window counts at each of its voxels (x, y, z); over all windows they add up to one."""
        return self._blend.weights(self.boxes[number], self.boxes[number])

    def _answers(self, run: Run, plan: RunPlan, rows: Sequence[int]) -> Iterator[tuple[int, Response]]:
        started, encoding = time.perf_counter(), self.encode_seconds
        high = HighTiles(self._tiling, len(rows), self._level)
        embeddings: dict[int, Tensor] = {}
        # Without a place for features every look at them is a run of the encoder: better all voxels in one look.
        at_once = (
            not plan.keeps_features and len(rows) * len(self._tiling) * self._tiling.voxels * 4 <= plan.block_bytes
        )
        if at_once:
            needed = torch.ones(len(self._tiling), len(rows), dtype=torch.bool)
        else:
            self._locate(run, rows, embeddings, high)
            needed = high.needed()
        spent = time.perf_counter() - started - (self.encode_seconds - encoding)
        for block in _blocks((needed.sum(dim=0) * self._tiling.voxels * 4).tolist(), plan.block_bytes):
            started, encoding = time.perf_counter(), self.encode_seconds
            sums = TileSums(self._tiling, needed[:, block])
            self._add_windows(run, [rows[place] for place in block], block, embeddings, sums, high if at_once else None)
            share = spent / len(rows)
            share += (time.perf_counter() - started - (self.encode_seconds - encoding)) / len(block)
            for place, one in enumerate(block):
                run.check()
                dense = sums.dense(place) if high.highest[one] > self._level else None
                part, probability = dense or (None, np.zeros((0, 0, 0), np.float32))
                yield rows[one], Response(self.asks[rows[one]], part, probability, _sigmoid(high.highest[one]), share)

    def _where_to_look(self, threshold: float) -> tuple[list[Box], float]:
        """The part of each window to look at, and the probability that must be exceeded there.

        A weighted mean exceeds the threshold only if one of its members does, and one with some weight at that.
        """
        if threshold < _FAR_ABOVE * self._blend.margin_weight:
            return self.boxes, threshold
        parts = [self._tiling.rounded(core, box) for core, box in zip(self._blend.cores, self.boxes, strict=True)]
        return parts, self._blend.least_inside(threshold)

    def _locate(self, run: Run, rows: Sequence[int], embeddings: dict[int, Tensor], high: HighTiles) -> None:
        """Fill in the mask embeddings of all windows, and where each prompt is high."""
        for number, box in enumerate(self.boxes):
            run.check()
            fresh = self._is_missing(number)
            features = self.features(number)
            embeddings[number] = self._embed_masks(features.tokens, rows)
            logits = TileLogits(features, embeddings[number])
            for cells, part in self._tiling.groups(self._looked_at[number], *embeddings[number].shape[::-1]):
                high.look(cells, part, logits.of(part.relative_to(box)))
            work = len(rows) * self._decode_work + (self._encode_work if fresh else 0)
            run.advance(work, f"window {number + 1} of {len(self.boxes)}")

    def _add_windows(
        self,
        run: Run,
        rows: Sequence[int],
        block: Sequence[int],
        embeddings: dict[int, Tensor],
        sums: TileSums,
        high: HighTiles | None,
    ) -> None:
        """Add up what each window says of the prompts in `rows`; tell `high` of it if nobody has looked yet."""
        for number, box in enumerate(self.boxes):
            tiles = list(self._tiling.parts(box, sums.matters))
            work = len(block) * self._decode_work
            if tiles:
                run.check()
                features = self.features(number)
                if high is not None:
                    embeddings[number] = self._embed_masks(features.tokens, rows)
                    work += len(block) * self._decode_work + self._encode_work
                logits = TileLogits(features, embeddings[number][block])
                for tile, part in tiles:
                    values = logits.of(part.relative_to(box), sums.prompts(tile))
                    if high is not None and part.intersection(self._looked_at[number]):
                        high.look(self._tiling.cell(tile), part, values)
                    weights = self._blend.weights(box, part)
                    sums.add(tile, part, values.sigmoid_().mul_(weights[..., None]))
            run.advance(work, f"window {number + 1} of {len(self.boxes)}" if high else "putting windows together")

    def _embed_masks(self, tokens: Tensor, rows: Sequence[int]) -> Tensor:
        """(rows, C) mask embeddings of these prompts, each with its offset."""
        queries = torch.from_numpy(np.stack([self.asks[row].query for row in rows])).to(self._device)
        embeddings = self._network.embed_masks(tokens, queries)[0]
        for place, row in enumerate(rows):
            offset = self.asks[row].mask_embedding_offset
            if offset is not None:
                embeddings[place] += torch.from_numpy(offset).to(embeddings)
        return embeddings

    def _key(self, number: int) -> FeatureKey:
        return FeatureKey(self._weights, self._precision, self._storage, self._network.window, self._scan.name, number)

    def _is_missing(self, number: int) -> bool:
        return self._key(number) not in self._cache

    def _encode(self, number: int) -> Features:
        started = time.perf_counter()
        box = self.boxes[number]
        window = torch.from_numpy(pad_to_window(self._scan.array[box], self._network.window))
        features = self._network.encode(window[None, None].to(self._device))
        features = replace(features, voxels=_without_padding(features.voxels, box))
        if self._storage == "uint8":
            features = features.quantize()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        self.encoded += 1
        self.encode_seconds += time.perf_counter() - started
        return features

    def _finish(self, answer: Response) -> SegmentResult:
        started = time.perf_counter()
        grid, prompt = self._scan.grid, answer.ask.prompt
        part = grid.cropped(answer.part or _NOWHERE)
        mask, mean = restore(answer.probability, part, self._output.threshold)
        voxels = mask.voxels
        return SegmentResult(
            prompt=prompt,
            status="found" if voxels else "empty",
            cropped=mask,
            voxels=voxels,
            volume_ml=voxels * grid.scan.voxel_ml,
            mean_probability=mean,
            max_probability=answer.highest,
            cut_by=grid.touched_sides(mask.box) if mask else (),
            orientation=prompt.orientation,
            device=str(self._device),
            precision=self._precision,
            feature_storage=self._storage,
            seconds=answer.seconds + time.perf_counter() - started,
            probability=restore_probability(answer.probability, part) if self._output.keep_probabilities else None,
        )


def _logit(probability: float) -> float:
    if probability <= 0:
        return -math.inf
    return math.log(probability / (1 - probability)) if probability < 1 else math.inf


def _sigmoid(logit: Tensor) -> float:
    return float(logit.sigmoid())


_NOWHERE = Box.whole((0, 0, 0))


def _blocks(sizes: Sequence[int], limit: int) -> Iterator[list[int]]:
    """Places in blocks whose sizes together stay below the limit (one alone may exceed it)."""
    block: list[int] = []
    total = 0
    for place, size in enumerate(sizes):
        if block and total + size > limit:
            yield block
            block, total = [], 0
        block.append(place)
        total += size
    if block:
        yield block


def _without_padding(voxels: Tensor, box: Box) -> Tensor:
    """What lies in the scan; the padding's features would only take memory.

    Always with a voxel's channels next to each other, as tiles are read.
    """
    x, y, z = Box.whole(box.shape)
    return voxels[:, :, x, y, z].contiguous(memory_format=torch.channels_last_3d)
