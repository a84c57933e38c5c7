"""The network as it is trained: with mask heads on coarser levels of the backbone's decoder, and its loss."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.learning.sample import TrainingPrompt
from SATSegmentLib.learning.segmentation.loss import prompt_losses
from SATSegmentLib.learning.segmentation.queries import Queries
from SATSegmentLib.learning.segmentation.settings import Settings
from SATSegmentLib.learning.segmentation.way_back import gelu_with_way_back
from SATSegmentLib.sat.backbone import Spec
from SATSegmentLib.sat.network import SATNetwork

# Each level counts half as much as the next finer one.
_LEVEL_SHARE = 0.5
_COARSER_LEVELS = 3


class SupervisedNetwork(nn.Module):
    """A SAT network, its queries, and heads that are needed in training only.

    Parameters
    ----------
    network : SATNetwork
        Is trained in place.
    queries : Queries
        Are trained in place, as far as they have parameters.
    settings : Settings
        Decides what is frozen, the loss and the precision.
    heads : Mapping[str, Tensor] | None, optional
        Start values of the training's own heads (`mid_mask_embed_proj.*` of a released file, without that
        prefix); random without.
    precision : torch.dtype, optional
        Of the backbone.
    """

    def __init__(
        self,
        network: SATNetwork,
        queries: Queries,
        settings: Settings,
        heads: Mapping[str, Tensor] | None = None,
        precision: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if queries.query_dim != network.architecture.query_dim:
            raise ValueError(f"Queries of {queries.query_dim} numbers, a network for {network.architecture.query_dim}.")
        self.network = network
        self.queries = queries
        self.mid_mask_embed_proj = coarser_heads(network.architecture if settings.deep_supervision else None)
        if heads and settings.deep_supervision:
            self.mid_mask_embed_proj.load_state_dict(dict(heads))
        network.requires_grad_(True)
        network.backbone.requires_grad_(settings.part == "all")
        self._frozen_backbone = settings.part != "all"
        self._smoothing = settings.dice_smoothing
        self._precision = precision
        shares = [_LEVEL_SHARE**level for level in range(1 + len(self.mid_mask_embed_proj))]
        self._shares = [share / sum(shares) for share in shares]
        self._pools = [step for _, step in network.architecture.supervised_levels[: len(self.mid_mask_embed_proj)]]

    def forward(
        self, images: Tensor, masks: Sequence[Tensor], prompts: Sequence[Sequence[TrainingPrompt]]
    ) -> tuple[Tensor, Tensor]:
        """The loss of each window, (B,), with gradients, and of its finest level alone, without.

        Parameters
        ----------
        images : Tensor
            (B, 1, X, Y, Z) float32.
        masks : Sequence[Tensor]
            For each window (N, X, Y, Z) bool and N prompts.
        prompts : Sequence[Sequence[TrainingPrompt]]
            For each window (N, X, Y, Z) bool and N prompts.
        """
        tokens, maps = self._encode(images)
        losses = [
            self._window_losses(tokens[row], [level[row] for level in maps], masks[row], prompts[row])
            for row in range(len(images))
        ]
        levels = torch.stack(losses)
        return levels @ levels.new_tensor(self._shares), levels[:, 0].detach()

    def _encode(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Image tokens (B, T, query_dim) float32, and the maps (B, C, x, y, z) that have heads, finest first."""
        backbone = self.network.backbone
        half = torch.autocast(images.device.type, self._precision, enabled=self._precision != torch.float32)
        with half, torch.no_grad() if self._frozen_backbone else contextlib.nullcontext():
            pooled, maps = backbone.supervised_maps(images, len(self._shares))
        # The query decoder stays precise: it is small, and it decides.
        return self.network.projection_layer(pooled.float().flatten(2).transpose(1, 2)), maps

    def _window_losses(
        self, tokens: Tensor, maps: list[Tensor], masks: Tensor, prompts: Sequence[TrainingPrompt]
    ) -> Tensor:
        """(levels,) mean loss over the prompts of one window."""
        queries = self.queries(prompts)
        decoded = self.network.transformer_decoder(queries[None], tokens[None], self.network.position_code)[0]
        target = masks.float()
        losses = []
        for level, features in enumerate(maps):
            if level:
                # A coarser voxel is asked for the share of it that is filled, so that thin structures do not vanish.
                target = F.avg_pool3d(target, self._pools[level - 1])
            head = self.mid_mask_embed_proj[level - 1] if level else self.network.mask_embed_proj
            logits = self._product(self._embed(head, decoded), features.flatten(1))
            losses.append(prompt_losses(logits, target.flatten(1), self._smoothing).mean())
        return torch.stack(losses)

    def _embed(self, head: nn.Module, decoded: Tensor) -> Tensor:
        """The mask embeddings of decoded queries (N, query_dim) for one level."""
        if self.network.architecture.features_grow:
            return head(decoded)
        return gelu_with_way_back(head[:-1](decoded))  # type: ignore[index]

    def _product(self, embeddings: Tensor, voxels: Tensor) -> Tensor:
        """(N, V) float32 logits. On a GPU the product is as precise as the features are; their copy would be large."""
        if voxels.is_cuda and voxels.dtype != torch.float32:
            return (embeddings.to(voxels.dtype) @ voxels).float()
        return embeddings @ voxels.float()


def coarser_heads(architecture: Spec | None) -> nn.ModuleList:
    """The heads of the three levels below the finest, finest first, as released networks have them; none for None."""
    if architecture is None:
        return nn.ModuleList()
    dim = architecture.query_dim
    widths = [width for width, _ in architecture.supervised_levels[:_COARSER_LEVELS]]
    return nn.ModuleList(
        nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, width), nn.GELU())
        for hidden, width in zip(head_widths(architecture), widths, strict=False)
    )


def head_widths(architecture: Spec) -> list[int]:
    """Hidden widths of the coarser heads.

    Released ones are 256, 384, 512 (Nano, after 256 for the finest) and 384, 512, 512 (Pro, after 384), for queries of
    768 numbers: a sixth of that is added from level to level, up to two thirds.
    """
    dim = architecture.query_dim
    # The first coarser head is as wide as the finest one.
    return [max(architecture.mask_dim, min(architecture.mask_dim + n * dim // 6, 2 * dim // 3)) for n in range(3)]
