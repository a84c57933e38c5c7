"""One pass over a scan: one orientation, one modality, its windows and all its prompts."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from SATSegmentLib.grid.box import Box
from SATSegmentLib.grid.cropped_probability import LEAST_PROBABILITY
from SATSegmentLib.inference.adaptive import WindowSearch, logit, nearly
from SATSegmentLib.inference.blend import Blend
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.device import precision_name
from SATSegmentLib.inference.held_logits import HeldLogits
from SATSegmentLib.inference.plan import PassSize
from SATSegmentLib.inference.preprocess import PreparedScan
from SATSegmentLib.inference.progress import Run
from SATSegmentLib.inference.query import Output, Query, Response
from SATSegmentLib.inference.restore import restore, restore_probability
from SATSegmentLib.inference.run_plan import RunPlan
from SATSegmentLib.inference.tiles import HighTiles, TileLogits, TileSums, Tiling, sent
from SATSegmentLib.inference.undecided import Decisions, mean_of_seen
from SATSegmentLib.inference.window_features import WindowFeatures
from SATSegmentLib.inference.windows import cover, fewest
from SATSegmentLib.sat.features import Features
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.types import FeatureStorage, SegmentResult, WindowUse

# A voxel is looked at if some window's logit there comes this close to the threshold: rounding stays far below.
_MARGIN = 1e-3
# How many times the weight that is not looked at a threshold must be, for that to save more than it costs.
_FAR_ABOVE = 3


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
        self._output = output
        self._storage = storage
        self.boxes = cover(scan.grid.shape, network.window, output.windows.overlap)
        adaptive = output.windows.rule == "adaptive"
        self._first = fewest(self.boxes, scan.grid.shape) if adaptive else list(range(len(self.boxes)))
        self._tiling = Tiling(scan.grid.shape, self._device)
        self._blend = Blend(scan.grid.shape, network.window, self.boxes, self._device)
        # With adaptive windows the masks' own level decides where to look, whatever else is kept.
        wide = output.keep_probabilities and self._looks_at_all
        self._looked_at, self._level = self._where_to_look(
            min(output.threshold, LEAST_PROBABILITY) if wide else output.threshold
        )
        self._precision = precision_name(network.backbone.dtype)
        self._features = WindowFeatures(network, weights, scan, self.boxes, cache, storage)
        self._decode_work = math.prod(network.window) * network.architecture.channels  # one prompt's mask
        self._encode_work = network.architecture.encode_macs(network.window)

    @property
    def size(self) -> PassSize:
        """How much it has to do, with what the cache holds now."""
        looked_at = self._looked_at if self._looks_at_all else self.boxes
        return PassSize(
            windows=len(self.boxes),
            least_windows=len(self._first),
            to_encode=sum(self._features.is_missing(number) for number in self._first),
            window_voxels=sum(box.voxels for box in self.boxes),
            looked_voxels=sum(looked_at[number].voxels for number in self._first),
            grid_voxels=math.prod(self._scan.grid.shape),
            prompts=len(self.asks),
            tiled_voxels=len(self._tiling) * self._tiling.voxels,
            adaptive=self._output.windows.rule == "adaptive",
        )

    def work(self, prompts: int) -> float:
        """For so many prompts, in multiply-accumulate operations: each is asked everywhere, and again where found.

        With adaptive windows it is the most that it can be; `Run.less` hears of what was not needed.
        """
        to_encode = sum(self._features.is_missing(number) for number in range(len(self.boxes)))
        return to_encode * self._encode_work + 2 * len(self.boxes) * prompts * self._decode_work

    def results(self, run: Run, plan: RunPlan, rows: Sequence[int]) -> Iterator[tuple[int, SegmentResult]]:
        """(row among `asks`, result) of the prompts in these rows."""
        for row, answer in self.answers(run, plan, rows):
            yield row, self._finish(answer)

    def answers(self, run: Run, plan: RunPlan, rows: Sequence[int]) -> Iterator[tuple[int, Response]]:
        """(row among `asks`, its probability where it can exceed the threshold)."""
        for start in range(0, len(rows), plan.prompt_block):
            stop = start + plan.prompt_block
            yield from self._answers(run, plan, rows[start:stop], last=stop >= len(rows))

    def features(self, number: int) -> Features:
        """What the encoder found in a window; from the cache where it is there."""
        return self._features.get(number)

    @property
    def encoded(self) -> int:
        """Windows that were encoded so far."""
        return self._features.encoded

    @property
    def encode_seconds(self) -> float:
        """What the image encoder took for them."""
        return self._features.encode_seconds

    def weights(self, number: int) -> Tensor:
        """How much a window counts at each of its voxels (x, y, z); over all windows they add up to one."""
        return self._blend.weights(self.boxes[number], self.boxes[number])

    @property
    def _looks_at_all(self) -> bool:
        return len(self._first) == len(self.boxes)

    def _answers(self, run: Run, plan: RunPlan, rows: Sequence[int], last: bool) -> Iterator[tuple[int, Response]]:
        started, encoding = time.perf_counter(), self.encode_seconds
        search = WindowSearch(self.boxes, self._looked_at, self._first, self._tiling, len(rows))
        some = not (self._looks_at_all and plan.keeps_features)
        near = logit(nearly(self._output.threshold)) - _MARGIN if some else None
        high = HighTiles(self._tiling, len(rows), self._level, near)
        embeddings: dict[int, Tensor] = {}
        held = HeldLogits(self._tiling, self.boxes, 0 if plan.keeps_features else plan.block_bytes)
        # Without a place for features every look at them is a run of the encoder: better all voxels in one look.
        at_once = (
            self._looks_at_all
            and not plan.keeps_features
            and len(rows) * len(self._tiling) * self._tiling.voxels * 4 <= plan.block_bytes
        )
        twice = self._output.keep_probabilities and not self._looks_at_all
        if at_once:
            search.round()
            needed = torch.ones(len(self._tiling), len(rows), dtype=torch.bool)
        else:
            exact = self._looks_at_all or twice or not plan.keeps_features
            self._locate(run, rows, last, embeddings, search, high, held, None if exact else self._decisions(search))
            needed = self._probable(run, embeddings, search, held) if twice else high.needed()
        looked_at = search.looked_at.sum(dim=0).tolist()
        spent = time.perf_counter() - started - (self.encode_seconds - encoding)
        for block in _blocks((needed.sum(dim=0) * self._tiling.voxels * 4).tolist(), plan.block_bytes):
            started, encoding = time.perf_counter(), self.encode_seconds
            sums = TileSums(self._tiling, needed[:, block])
            self._add_windows(run, rows, block, embeddings, sums, search, held, high if at_once else None)
            share, highest = spent / len(rows), high.highest
            share += (time.perf_counter() - started - (self.encode_seconds - encoding)) / len(block)
            for place, one in enumerate(block):
                run.check()
                found = twice or highest[one] > self._level
                part, probability = (sums.dense(place) if found else None) or (None, np.zeros((0, 0, 0), np.float32))
                if part is not None and not self._looks_at_all:
                    probability = mean_of_seen(probability, search, self._blend, one, part)
                most = float(highest[one].sigmoid())
                yield rows[one], Response(self.asks[rows[one]], part, probability, most, looked_at[one], share)

    def _decisions(self, search: WindowSearch) -> Decisions:
        window, threshold = self._network.window, self._output.threshold
        return Decisions(search, self.boxes, self._blend, self._tiling, self.grid, window, threshold)

    def _where_to_look(self, threshold: float) -> tuple[list[Box], float]:
        """The part of each window to look at, and the logit that must be exceeded there.

        A weighted mean exceeds the threshold only if one of its members does, and one with some weight at that.
        """
        if threshold < _FAR_ABOVE * self._blend.margin_weight:
            return self.boxes, logit(threshold) - _MARGIN
        parts = [self._tiling.rounded(core, box) for core, box in zip(self._blend.cores, self.boxes, strict=True)]
        return parts, logit(self._blend.least_inside(threshold)) - _MARGIN

    def _locate(
        self,
        run: Run,
        rows: Sequence[int],
        last: bool,
        embeddings: dict[int, Tensor],
        search: WindowSearch,
        high: HighTiles,
        held: HeldLogits,
        decisions: Decisions | None,
    ) -> None:
        """Fill in the mask embeddings of the windows that are looked at, and where each prompt is high.

        Without `decisions`, all windows are looked at that touch what is found.
        """
        first, done, known = True, 0, 0
        while todo := search.round():
            known += len(todo)
            stage = f"of {known}" if self._looks_at_all else f"of {known} or more"
            for place, (number, chosen) in enumerate(todo, start=1):
                run.check()
                fresh, box = self._features.is_missing(number), self.boxes[number]
                features = self.features(number)
                if number not in embeddings:
                    # Of all prompts: that takes hardly longer than of some, and others may ask for the window later.
                    embeddings[number] = self._embed_masks(features.tokens, rows)
                asked = embeddings[number][sent(chosen, self._device)]
                logits, part = TileLogits(features, asked), self._looked_at[number]
                for cells, some in self._tiling.groups(part, *asked.shape[::-1]):
                    high.look(cells, some, logits.roughly(some.relative_to(box)), chosen)
                # Nobody else has seen the rest of a window of the first round.
                for rest in self._tiling.around(part, box) if first and not self._looks_at_all else ():
                    for cells, some in self._tiling.groups(rest, *asked.shape[::-1]):
                        high.glance(cells, some, logits.roughly(some.relative_to(box)), chosen)
                if self._features.is_missing(number):
                    held.hold(number, chosen, logits, high.near)
                # A GPU shall not hold them while it encodes the next.
                del features, logits
                self._features.look_ahead(todo[place][0] if place < len(todo) else None)
                done += 1
                work = len(chosen) * self._decode_work + (self._encode_work if fresh else 0)
                run.advance(work, f"window {done} {stage}")
            first = False
            if decisions is not None:
                decisions.ask_next(todo, high.near(), embeddings, self.features)
            elif not self._looks_at_all:
                search.ask_all(high.needed(), high.near())
        # Whether a window is encoded is settled with the last prompts only.
        unused = ~search.looked_at
        unseen = unused.all(dim=1).nonzero()[:, 0].tolist() if last else []
        encoding = self._encode_work * sum(self._features.is_missing(number) for number in unseen)
        run.less(encoding + self._decode_work * int(unused.sum()))

    def _probable(self, run: Run, embeddings: dict[int, Tensor], search: WindowSearch, held: HeldLogits) -> Tensor:
        """(tiles, prompts) bool: where a probability can be above zero and all windows were looked at."""
        parts, level = self._where_to_look(min(self._output.threshold, LEAST_PROBABILITY))
        high = HighTiles(self._tiling, search.looked_at.shape[1], level)
        for number, embedded in sorted(embeddings.items()):
            run.check()
            chosen = search.looked_at[number].nonzero()[:, 0]
            tiles = list(self._tiling.parts(parts[number], torch.ones(len(self._tiling), dtype=torch.bool)))
            if held.covers(number, ((tile, chosen) for tile, _ in tiles)):
                for tile, part in tiles:
                    high.look(self._tiling.cell(tile), part, held.of(number, tile, chosen, self._device), chosen)
                continue
            logits = TileLogits(self.features(number), embedded[chosen])
            for cells, some in self._tiling.groups(parts[number], embedded.shape[1], len(chosen)):
                high.look(cells, some, logits.roughly(some.relative_to(self.boxes[number])), chosen)
        return high.needed() & search.complete()

    def _add_windows(
        self,
        run: Run,
        rows: Sequence[int],
        block: Sequence[int],
        embeddings: dict[int, Tensor],
        sums: TileSums,
        search: WindowSearch,
        held: HeldLogits,
        high: HighTiles | None,
    ) -> None:
        """Add up what each window says of a block of the prompts; tell `high` of it if nobody has looked yet."""
        looked_at, rows_of = search.looked_at[:, block], torch.tensor(block)
        all_tiles = [
            list(self._tiling.parts(box, sums.matters)) if some else []
            for box, some in zip(self.boxes, looked_at.any(dim=1).tolist(), strict=True)
        ]
        is_held = [
            held.covers(number, ((tile, rows_of[_seen(sums.prompts(tile), looked_at[number])]) for tile, _ in tiles))
            for number, tiles in enumerate(all_tiles)
        ]
        for number, (box, tiles) in enumerate(zip(self.boxes, all_tiles, strict=True)):
            work = len(block) * self._decode_work
            if tiles:
                run.check()
                logits = None
                if not is_held[number]:
                    features = self.features(number)
                    if high is not None:
                        embeddings[number] = self._embed_masks(features.tokens, rows)
                        work += len(block) * self._decode_work + self._encode_work
                    logits = TileLogits(features, embeddings[number][block])
                    del features
                for tile, part in tiles:
                    prompts = sums.prompts(tile)
                    if logits is None:
                        if not len(_seen(prompts, looked_at[number])):
                            continue
                        values = held.of(number, tile, rows_of[prompts], self._device)
                    else:
                        values = logits.of(part.relative_to(box), prompts)
                    if high is not None and part.intersection(self._looked_at[number]):
                        high.look(self._tiling.cell(tile), part, values)
                    weights = self._blend.weights(box, part)
                    values = values.sigmoid_().mul_(weights[..., None])
                    if not self._looks_at_all:
                        values *= sent(looked_at[number, prompts], self._device)
                    sums.add(tile, part, values)
                del logits
                later = (n for n in range(number + 1, len(self.boxes)) if all_tiles[n] and not is_held[n])
                self._features.look_ahead(next(later, None))
            run.advance(work, f"window {number + 1} of {len(self.boxes)}" if high else "putting windows together")

    def _embed_masks(self, tokens: Tensor, rows: Sequence[int]) -> Tensor:
        """(rows, C) mask embeddings of these prompts, each with its offset."""
        queries = torch.from_numpy(np.stack([self.asks[row].query for row in rows]))
        embeddings = self._network.embed_masks(tokens, sent(queries, self._device))[0]
        for place, row in enumerate(rows):
            offset = self.asks[row].mask_embedding_offset
            if offset is not None:
                embeddings[place] += torch.from_numpy(offset).to(embeddings)
        return embeddings

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
            windows=self._window_use(answer.windows),
        )

    def _window_use(self, looked_at: int) -> WindowUse:
        choice = self._output.windows
        margin = nearly(self._output.threshold) if choice.rule == "adaptive" else 0.0
        return WindowUse(choice.rule, choice.overlap, len(self.boxes), looked_at, margin)


def _seen(prompts: Tensor, looked_at: Tensor) -> Tensor:
    """Those of the prompts that a window was looked at for."""
    return prompts[looked_at[prompts]]


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
