"""Windows that are mostly padding: what can be left out, and what that costs in agreement.

    python benchmarks/experiment_padding.py --networks tiny demo demo-wide      minutes, one thread
    python benchmarks/experiment_padding.py --networks nano --seeds 1           minutes
    python benchmarks/experiment_padding.py --networks demo-fine --seeds 1 --sampled-only
    python benchmarks/experiment_padding.py --released                          counts only

A scan smaller than the window is padded with zeros on the high side. Here the head of `Resources/Demo` is brought to
0.3 of a window, and each way of doing less is held against the whole window, layer by layer: largest error of a logit
at the scan's own voxels over the logits' standard deviation (the golden tolerance is 1e-3), Dice of masks, and
convolution work. Masks are where the demonstration model's probability exceeds 0.5 ("demo" in its own window,
"demo-wide" in one that holds the whole head, "demo-fine" that at half the spacing), and the highest tenth
of each prompt's logits for networks with random weights: "tiny" (the golden test network's) and "nano" (SAT-Nano's
widths).

crop             only the cells (of the coarsest grid) that hold the scan: they are all there is for norms and queries
crop, constant   the rest counts in each norm, and stands beside the crop in each convolution and among the tokens, as
                 what the network makes of endless padding
+ n cells        with n more cells of padding on the high side
sampled n, b in p   the encoder exactly (only what is not constant); the decoder's n finest levels only at the scan and
                 at blocks of b voxels, one in each cube of p voxels of the padding, which stand for all of it in the
                 norms; coarser levels as a whole. The higher gain has the first convolution of a level folded into the
                 upsampling before it, where the skip is constant.

Work and time are those of the whole window over those of the way.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from bench_window import build  # also puts the program on the path
from torch import Tensor

from helpers.models import tiny_weights
from SATSegmentLib.inference.preprocess import prepare
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.resources import resource_path
from SATSegmentLib.sat.backbones.blocks import NEGATIVE_SLOPE, ConvBlock
from SATSegmentLib.sat.backbones.unet.spec import NANO, UNetSpec
from SATSegmentLib.sat.checkpoint.released import build_network
from SATSegmentLib.sat.network import SATNetwork, mask_logits
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Prompt

Triple = tuple[int, int, int]

# Sampled ways: levels, edge of a block, edge of the cube that it stands for.
SAMPLED = ((1, 2, 4), (1, 4, 8), (1, 4, 12), (2, 4, 8))
# Windows and scans of the demonstration model: its own, one that holds the whole head, and that at half the spacing.
DEMO = {
    "demo": ((48, 64, 48), (30, 49, 30)),
    "demo-wide": ((80, 96, 96), (58, 62, 58)),
    "demo-fine": ((160, 192, 192), (116, 124, 116)),
}
_RIM = 4  # voxels around the scan that are not sampled


@dataclass
class Way:
    """How a window is computed: the plain way, unless a field says otherwise.

    Attributes
    ----------
    cut: voxels of the window; of a crop all that lies beyond counts as endless padding.
    samples: for each of the decoder's finest levels the weight of each voxel in the norm's statistics.
    """

    cut: Triple | None = None
    samples: list[Tensor] = field(default_factory=list)


class Run:
    """One window through a network, layer by layer; of a crop, beside one cell of endless padding."""

    def __init__(self, network: SATNetwork, shape: Triple, way: Way) -> None:
        self._network, self._way = network, way
        self._step = network.architecture.downsampling
        self._shape = shape

    def encode(self, window: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (1, T, query_dim) of the whole window's cells, and the finest map (1, C, X, Y, Z) of the part."""
        maps = [window, torch.zeros(1, 1, *self._step)][: 2 if self._way.cut else 1]
        levels = []
        for stage in self._network.backbone.encoder.stages:
            for block in stage[0].convs:
                maps = self._block(block, maps)
            levels.append(maps)
        tokens = self._tokens(levels)
        maps = levels.pop()
        decoder = self._network.backbone.decoder
        for upsample, stage in zip(decoder.transpconvs, decoder.stages, strict=True):
            maps = [torch.cat((upsample(one), skip), 1) for one, skip in zip(maps, levels.pop(), strict=True)]
            weights = self._way.samples[len(levels)] if len(levels) < len(self._way.samples) else None
            for block in stage.convs:
                maps = self._block(block, maps, weights)
        return tokens, maps[0]

    def _tokens(self, levels: list[list[Tensor]]) -> Tensor:
        cells = levels[-1][0].shape[2:]
        tokens = torch.cat([F.adaptive_avg_pool3d(maps[0], cells) for maps in levels], 1)
        if self._way.cut:
            part, sides = tokens, [side // step for side, step in zip(self._way.cut, self._step, strict=True)]
            tokens = torch.cat([F.adaptive_avg_pool3d(maps[1], 1) for maps in levels], 1).repeat(1, 1, *sides)
            tokens[:, :, : cells[0], : cells[1], : cells[2]] = part
        return self._network.projection_layer(tokens.flatten(2).transpose(1, 2))

    def _block(self, block: ConvBlock, maps: list[Tensor], weights: Tensor | None = None) -> list[Tensor]:
        conv = block.conv
        if self._way.cut:
            x, cell = maps
            x, cell = self._with_padding(x, cell), F.pad(cell, (1,) * 6, mode="circular")
            maps = [F.conv3d(one, conv.weight, conv.bias, conv.stride) for one in (x, cell)]
            rest = math.prod(self._way.cut) / math.prod(self._shape) - 1
            counts = [torch.ones(()), torch.tensor(rest * maps[0][0, 0].numel() / maps[1][0, 0].numel())]
        else:
            maps = [conv(maps[0])]
            if weights is None:
                return [F.leaky_relu_(block.norm(maps[0]), NEGATIVE_SLOPE)]
            counts = [weights]
        rows = [
            (y[0, :, w.expand(y.shape[2:]) > 0].double(), w[w > 0].double()) for y, w in zip(maps, counts, strict=True)
        ]
        total = sum(w.expand(len(row[0])).sum() for row, w in rows)
        mean = sum((row * w).sum(1) for row, w in rows) / total
        variance = sum(((row - mean[:, None]).square_() * w).sum(1) for row, w in rows) / total
        scale = block.norm.weight.double() / (variance + block.norm.eps).sqrt()
        shift = (block.norm.bias.double() - mean * scale).float().view(-1, 1, 1, 1)
        return [F.leaky_relu_(y.mul_(scale.float().view(-1, 1, 1, 1)).add_(shift), NEGATIVE_SLOPE) for y in maps]

    def _with_padding(self, x: Tensor, cell: Tensor) -> Tensor:
        """`x` with one voxel more on each side: zeros, or endless padding where the window was cut."""
        assert self._way.cut
        sides = x.shape[2:]
        whole = x.new_zeros(1, x.shape[1], *(side + 2 for side in sides))
        ends = [n + (a < b) for n, a, b in zip(sides, self._shape, self._way.cut, strict=True)]
        tiled = cell.repeat(1, 1, *(-(-end // n) for end, n in zip(ends, cell.shape[2:], strict=True)))
        inner = whole[:, :, 1 : ends[0] + 1, 1 : ends[1] + 1, 1 : ends[2] + 1]
        inner.copy_(tiled[:, :, : ends[0], : ends[1], : ends[2]])
        inner[:, :, : sides[0], : sides[1], : sides[2]] = x
        return whole


def samples(strides: list[Triple], window: Triple, content: Triple, edge: int, period: int, seed: int) -> list[Tensor]:
    """For each of these levels: 1 at the scan, at blocks of the padding as much as each stands for, elsewhere 0.

    Of each cube of `period` voxels one block of `edge` counts, drawn at random: on a regular grid the blocks would
    always meet the same phase of the transposed convolutions. Of coarser levels cubes and blocks are as much smaller.
    """
    generator, weights = torch.Generator().manual_seed(seed), []
    for step in np.cumprod(strides, axis=0).tolist():
        sides = [side // one for side, one in zip(window, step, strict=True)]
        edges, periods = ([max(size // one, 1) for one in step] for size in (edge, period))
        cubes = [-(-side // one) for side, one in zip(sides, periods, strict=True)]
        inside, drawn = torch.ones(sides, dtype=torch.bool), torch.ones(sides, dtype=torch.bool)
        for axis in range(3):
            places = torch.arange(sides[axis]).view([-1 if one == axis else 1 for one in range(3)])
            place = torch.randint(0, periods[axis] // edges[axis], cubes, generator=generator)
            for other in range(3):
                place = place.repeat_interleave(periods[other], other).narrow(other, 0, sides[other])
            drawn &= places % periods[axis] // edges[axis] == place
            inside &= places < -(-content[axis] // step[axis]) + _RIM
        weight = inside.float()
        weight[drawn & ~inside] = float((~inside).sum()) / max(float((drawn & ~inside).sum()), 1)
        weights.append(weight)
    return weights


def sampled_work(architecture: UNetSpec, window: Triple, content: Triple, weights: list[Tensor], fold: bool) -> float:
    """Multiply-accumulate operations where only what is not constant is encoded, and only what counts is decoded.

    Voxels near the window's end, where the encoder repeats itself along its faces, are not counted.

    Parameters
    ----------
    fold: where the skip is constant, a transposed convolution and the convolution after it are one with 2x2x2 taps.
    """
    features, total = architecture.features, 0.0
    varies = _filled(window, content)
    channels, changing = 1, []
    for level, (stride, depth) in enumerate(zip(architecture.strides, architecture.encoder_convs, strict=True)):
        for number in range(depth):
            varies = F.max_pool3d(varies, 3, 1 if number else stride, 1)
            total += 27 * channels * features[level] * float(varies.sum())
            channels = features[level]
        changing.append(varies)
    needed = _filled(window, content)
    for level, depth in enumerate(reversed(architecture.decoder_convs)):
        counted = (weights[level] > 0).float()[None, None] if level < len(weights) else torch.ones_like(changing[level])
        needed = torch.maximum(needed, counted)
        for number in reversed(range(depth)):
            if number:
                total += 27 * features[level] ** 2 * float(needed.sum())
            else:
                short = float((needed * (1 - changing[level])).sum()) if fold else 0.0
                total += 27 * 2 * features[level] ** 2 * (float(needed.sum()) - short)
                total += 8 * features[level] * features[level + 1] * short
            needed = torch.maximum(F.max_pool3d(needed, 3, 1, 1), counted)
        total += features[level] * features[level + 1] * float(needed.sum())
        needed = F.max_pool3d(needed, architecture.strides[level + 1])
    return total


def _filled(window: Triple, content: Triple) -> Tensor:
    whole = torch.zeros(1, 1, *window)
    whole[:, :, : content[0], : content[1], : content[2]] = 1
    return whole


@dataclass
class Case:
    """A network, its window, a scan that fills a part of it, and prompts."""

    name: str
    network: SATNetwork
    content: Tensor
    queries: Tensor


def cases(names: list[str], prompts: int) -> Iterator[Case]:
    """The networks that were asked for."""
    head = read_scan(resource_path("Demo/itk_t1.nii.gz"))
    generator = torch.Generator().manual_seed(0)
    segmenter = Segmenter.load("demo", device="cpu", precision="float32")
    array = torch.from_numpy(prepare(head, "mri", "RAS", segmenter.description.spacing).array).float()
    for name in names:
        if name == "tiny":
            network, shape = build_network(tiny_weights(), (160, 160, 64)).eval(), (96, 96, 53)
        elif name == "nano":
            network, shape = build("nano", (96, 96, 64)), (58, 60, 50)
        else:
            network = segmenter.network
            network.window, shape = DEMO[name]
            network.position_code = network.position_code_for(network.architecture, network.window)
        if name.startswith("demo"):
            voxels = array if name == "demo" else F.interpolate(array[None, None], shape, mode="trilinear")[0, 0]
            low = [(a - b) // 2 for a, b in zip(voxels.shape, shape, strict=True)]
            content = voxels[tuple(slice(a, a + b) for a, b in zip(low, shape, strict=True))]
            rows = (resource_path("Demo/structures.tsv")).read_text(encoding="utf-8").splitlines()[1:]
            known = [Prompt(row.split("\t")[0], "mri") for row in rows if row.endswith("1")]
            queries = torch.from_numpy(np.asarray(segmenter.queries.embed(known), dtype=np.float32))
        else:
            content = F.interpolate(array[None, None], shape, mode="trilinear")[0, 0]
            queries = torch.randn(prompts, network.architecture.query_dim, generator=generator)
        yield Case(name, network, content, queries)


def compare(case: Case, seeds: int, crops: int) -> None:
    """Print a table of all ways."""
    network, content = case.network, tuple(case.content.shape)
    window, step, strides = network.window, network.architecture.downsampling, network.architecture.strides
    padded = F.pad(case.content, [n for a, b in zip(window[::-1], content[::-1], strict=True) for n in (0, a - b)])
    full, plain = answer(case, padded, window, Way()), seconds_of(network, padded)
    own = network.decode(network.encode(padded[None, None]), case.queries)[0]
    own = own[:, : content[0], : content[1], : content[2]]
    levels = torch.tensor([0.0 if case.name.startswith("demo") else np.quantile(one, 0.9) for one in full.numpy()])
    print(f"\n{case.name}: window {window}, scan {content}, {math.prod(content) / math.prod(window):.2f} of it")
    print("\n| way | work over | wall over | max error / std | lowest Dice | mean Dice |\n|---|---|---|---|---|---|")

    def show(name: str, logits: list[Tensor], work: str = "1.00", wall: str = "") -> None:
        masks = full > levels.view(-1, 1, 1, 1)
        dice = [one for some in logits for one in dices(masks, some > levels.view(-1, 1, 1, 1))]
        error = max(float((some - full).abs().max() / full.std()) for some in logits)
        print(f"| {name} | {work} | {wall} | {error:.1e} | {min(dice):.4f} | {np.mean(dice):.4f} |", flush=True)

    show("whole, slab by slab", [own])
    show("whole, last norms in float64", [answer(case, padded, window, Way(samples=[torch.ones(window)]))])
    for more in range(crops):
        shape = tuple(min((-(-a // one) + more) * one, b) for a, b, one in zip(content, window, step, strict=True))
        if shape == window:
            break
        part = padded[: shape[0], : shape[1], : shape[2]]
        work = f"{network.architecture.encode_macs(window) / network.architecture.encode_macs(shape):.2f}"
        wall = f"{plain / seconds_of(network, part):.2f}"
        for name, way in {"crop": Way(), "crop, constant": Way(cut=window)}.items():
            show(f"{name} + {more} cells", [answer(case, part, shape, way)], work, wall)
    for depth, edge, period in SAMPLED:
        drawn = [samples(strides[:depth], window, content, edge, period, seed) for seed in range(seeds)]
        logits = [answer(case, padded, window, Way(samples=weights)) for weights in drawn]
        works = [sampled_work(network.architecture, window, content, drawn[0], fold) for fold in (False, True)]
        gains = " to ".join(f"{network.architecture.encode_macs(window) / work:.2f}" for work in works)
        show(f"sampled {depth}, {edge} in {period}", logits, gains)


def released() -> None:
    """Print what each way would save of a brain in SAT-Nano's window."""
    window, content = (288, 288, 96), (180, 220, 60)
    work = NANO.encode_macs(window)
    print(f"\nSAT-Nano, window {window}, scan {content}: work of the whole window over that of the way\n")
    for more in (0, 1):
        shape = tuple(min((-(-a // 32) + more) * 32, b) for a, b in zip(content, window, strict=True))
        print(f"crop + {more} cells: {work / NANO.encode_macs(shape):.2f}")
    for depth, edge, period in SAMPLED:
        weights = samples(list(NANO.strides[:depth]), window, content, edge, period, 0)
        gains = [f"{work / sampled_work(NANO, window, content, weights, fold):.2f}" for fold in (False, True)]
        print(f"sampled {depth}, {edge} in {period}: {' to '.join(gains)}")


def answer(case: Case, part: Tensor, shape: Triple, way: Way) -> Tensor:
    """Logits (N, x, y, z) at the scan's own voxels."""
    network, content = case.network, case.content.shape
    tokens, voxels = Run(network, shape, way).encode(part[None, None])
    code = network.position_code.unflatten(
        0, [a // b for a, b in zip(network.window, network.architecture.downsampling, strict=True)]
    )
    whole = network.position_code
    cells = [a // b for a, b in zip(way.cut or shape, network.architecture.downsampling, strict=True)]
    network.position_code = code[: cells[0], : cells[1], : cells[2]].flatten(0, 2)
    embeddings = network.embed_masks(tokens, case.queries)
    network.position_code = whole
    return mask_logits(voxels[:, :, : content[0], : content[1], : content[2]], embeddings)[0]


def dices(ours: Tensor, theirs: Tensor) -> list[float]:
    """Dice of each mask that is not empty in both."""
    both = zip(ours.flatten(1), theirs.flatten(1), strict=True)
    return [2 * float((a & b).sum()) / float(a.sum() + b.sum()) for a, b in both if a.any() or b.any()]


def seconds_of(network: SATNetwork, part: Tensor) -> float:
    """Processor time of the program's own image encoder, the second time."""
    for _ in range(2):
        start = time.process_time()
        network.backbone(part[None, None].contiguous())
    return time.process_time() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="*", choices=["tiny", *DEMO, "nano"], default=[])
    parser.add_argument("--prompts", type=int, default=16, help="seeded, of tiny and nano")
    parser.add_argument("--seeds", type=int, default=3, help="draws of blocks; the worst is shown")
    parser.add_argument("--sampled-only", action="store_true", help="without the crops")
    parser.add_argument("--released", action="store_true", help="count the work of a brain in SAT-Nano's own window")
    arguments = parser.parse_args()
    with torch.inference_mode():
        for case in cases(arguments.networks, arguments.prompts):
            compare(case, arguments.seeds, 0 if arguments.sampled_only else 3)
        if arguments.released:
            released()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
