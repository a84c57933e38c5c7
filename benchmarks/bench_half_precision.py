"""What bfloat16 costs each backbone against float32, beside what the same network loses layer by layer.

    python benchmarks/bench_half_precision.py

Narrow networks on a window of 48x48x48, one thread, minutes. "Plain" is the network layer by layer, with each weight
and each operation's result rounded to bfloat16, Mamba layers in float32. "Start" are the weights that a training starts
from, "golden" those of the rule that golden numbers were made with. Errors are shares of a standard deviation; masks
are those voxels of each prompt that float32 puts among the highest tenth.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_map

ROOT = Path(__file__).parents[1] / "SATSegment"
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from helpers.seeded import seeded_tensor  # noqa: E402
from SATSegmentLib.sat.backbone import Spec  # noqa: E402
from SATSegmentLib.sat.backbones.swinunetr.spec import SwinUNETRSpec  # noqa: E402
from SATSegmentLib.sat.backbones.umamba.mamba import MambaLayer  # noqa: E402
from SATSegmentLib.sat.backbones.umamba.spec import UMambaSpec  # noqa: E402
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec  # noqa: E402
from SATSegmentLib.sat.network import SATNetwork, mask_logits  # noqa: E402

WINDOW, PROMPTS, SEEDS = (48, 48, 48), 8, 1
HEAD = {"query_dim": 96, "projection_dim": 64, "decoder_layers": 2, "feedforward_dim": 64, "mask_dim": 32}
WIDTHS, STRIDES = (16, 16, 32, 64, 96), ((1, 1, 1), *((2, 2, 2),) * 4)
SPECS: dict[str, Spec] = {
    "unet": UNetSpec(features=WIDTHS, strides=STRIDES, encoder_convs=(2,) * 5, decoder_convs=(2,) * 4, **HEAD),
    "umamba": UMambaSpec(features=WIDTHS, strides=STRIDES, mamba_layers=3, **HEAD),
    "swinunetr": SwinUNETRSpec(feature_size=24, depths=(2, 2, 2), heads=(3, 6, 12), **HEAD),
}


class Rounding(TorchDispatchMode):
    """Every result is rounded to bfloat16."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if any(one.alias_info is not None and not one.alias_info.is_write for one in func._schema.returns):
            return result  # a view

        def rounded(one: Any) -> Any:
            if not isinstance(one, Tensor) or one.dtype != torch.float32:
                return one
            return one.copy_(one.bfloat16()) if any(one is given for given in args) else one.bfloat16().float()

        return tree_map(rounded, result)


def main() -> int:
    """Print the table."""
    torch.set_num_threads(1)
    print("network    weights  way      tokens   maps  logits  largest  least Dice")
    for name, spec in SPECS.items():
        for weights in ("start", "golden"):
            for way, errors in _measured(spec, weights).items():
                tokens, maps, logits, largest, dice = errors
                shown = f"{tokens:7.3f} {maps:6.3f} {logits:7.3f} {largest:8.2f} {dice:11.2f}"
                print(f"{name:<10} {weights:<8} {way:<7} {shown}", flush=True)
    return 0


def _measured(spec: Spec, weights: str) -> dict[str, list[float]]:
    """Mean errors of both ways over the seeds, and the largest and the least."""
    found: dict[str, list[tuple[float, ...]]] = {"ours": [], "plain": []}
    for seed in range(SEEDS):
        network, window = _network(spec, weights, seed), _window(seed)
        queries = torch.randn(PROMPTS, HEAD["query_dim"], generator=torch.Generator().manual_seed(50 + seed))
        with torch.inference_mode():
            exact = _plain(network, window)
            for way, seen in (("ours", _ours(network, window)), ("plain", _rounded(network, window))):
                found[way].append(tuple(_errors(network, queries, exact, seen)))
    joined = {way: list(zip(*errors, strict=True)) for way, errors in found.items()}
    return {way: [*(sum(column) / SEEDS for column in e[:3]), max(e[3]), min(e[4])] for way, e in joined.items()}


def _network(spec: Spec, weights: str, seed: int) -> SATNetwork:
    torch.manual_seed(seed)
    network = SATNetwork(spec, WINDOW).eval().requires_grad_(False)
    if weights == "start":
        network.backbone.init_weights()
        return network
    for name, parameter in network.named_parameters():
        parameter.copy_(seeded_tensor(f"{seed}.{name}", list(parameter.shape)))
    return network


def _window(seed: int) -> Tensor:
    """Noise of several scales."""
    random, window = torch.Generator().manual_seed(1000 + seed), torch.zeros(1, 1, *WINDOW)
    for scale in (2, 4, 8, 16):
        coarse = torch.randn(1, 1, *(side // scale for side in WINDOW), generator=random)
        window += F.interpolate(coarse, size=WINDOW, mode="trilinear") * scale
    return (window - window.mean()) / window.std()


def _ours(network: SATNetwork, window: Tensor) -> tuple[Tensor, Tensor]:
    half = copy.deepcopy(network)
    half.set_encoder_precision(torch.bfloat16)
    features = half.encode(window)
    return features.tokens, features.voxels


def _plain(network: SATNetwork, window: Tensor) -> tuple[Tensor, Tensor]:
    pooled, maps = network.backbone.supervised_maps(window, 1)
    return network.projection_layer(pooled.flatten(2).transpose(1, 2)), maps[0]


def _rounded(network: SATNetwork, window: Tensor) -> tuple[Tensor, Tensor]:
    half = copy.deepcopy(network)
    half.set_encoder_precision(torch.bfloat16)
    half.set_encoder_precision(torch.float32)
    for layer in half.modules():
        if isinstance(layer, MambaLayer):
            layer.forward = _without_rounding(layer.forward)  # type: ignore[method-assign]
    with Rounding():
        pooled, maps = half.backbone.supervised_maps(window.bfloat16().float(), 1)
    return half.projection_layer(pooled.flatten(2).transpose(1, 2)), maps[0]


def _without_rounding(forward: Any) -> Any:
    def run(voxels: Tensor) -> Tensor:
        with _disable_current_modes():
            return forward(voxels).bfloat16().float()

    return run


def _errors(
    network: SATNetwork, queries: Tensor, exact: tuple[Tensor, Tensor], seen: tuple[Tensor, Tensor]
) -> Iterator[float]:
    for ours, right in zip(seen, exact, strict=True):
        yield float((ours - right).square().mean().sqrt() / right.std())
    right, ours = (
        mask_logits(voxels, network.embed_masks(tokens, queries))[0].flatten(1) for tokens, voxels in (exact, seen)
    )
    away, spread = (ours - right).abs(), right.std(dim=1)
    yield float((away.square().mean(dim=1).sqrt() / spread).mean())
    yield float((away.amax(dim=1) / spread).max())
    border = right.quantile(0.9, dim=1, keepdim=True)
    true, made = right > border, ours > border
    yield float((2 * (true & made).sum(1) / (true.sum(1) + made.sum(1))).min())


if __name__ == "__main__":
    raise SystemExit(main())
