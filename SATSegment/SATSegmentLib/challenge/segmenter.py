"""The challenge's models: a network of SAT-Nano's shape and a text encoder that knows five modalities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from SATSegmentLib.challenge.container import Case
from SATSegmentLib.challenge.grid import file_labels, network_image
from SATSegmentLib.errors import Cancelled, PairMismatch
from SATSegmentLib.inference.blend import Blend
from SATSegmentLib.inference.windows import cover
from SATSegmentLib.sat.checkpoint.released import build_network, read_network
from SATSegmentLib.sat.network import SATNetwork, mask_logits
from SATSegmentLib.sat.text.encoder import TextEncoder
from SATSegmentLib.types import Progress

RELEASED_WINDOW = (288, 288, 96)
_THRESHOLD = 0.5
# Sums of probabilities that are held at once; with more phrases, windows are looked at again.
_SUM_BYTES = 1 << 31


class ChallengeSegmenter:
    """Segments cases of the challenge.

    Parameters
    ----------
    network : SATNetwork
        In evaluation mode.
    text_encoder : TextEncoder, optional
        With five modalities; without it, queries are given in its place.
    """

    def __init__(self, network: SATNetwork, text_encoder: TextEncoder | None = None) -> None:
        self._network, self._text_encoder = network, text_encoder

    @classmethod
    def load(
        cls, network: Path, text_encoder: Path, language_model: Path, device: torch.device | None = None
    ) -> ChallengeSegmenter:
        """Read both files, which must be the challenge's: a network cannot be told from SAT-Nano's by its tensors.

        Raises
        ------
        CheckpointError
            One of its kinds; PairMismatch where the two do not fit each other.
        """
        encoder = TextEncoder.load(text_encoder, language_model, family="cvpr25")
        weights = read_network(network, family="cvpr25")
        if weights.architecture.query_dim != encoder.query_dim:
            raise PairMismatch(
                f"{text_encoder.name} makes queries of {encoder.query_dim} numbers, {network.name} takes "
                f"{weights.architecture.query_dim}.",
                "Use the text encoder that was released with the network.",
            )
        made = build_network(weights, RELEASED_WINDOW)
        return cls(made.to(device) if device is not None else made, encoder)

    def segment(
        self,
        case: Case,
        progress: Callable[[Progress], None] | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> np.ndarray:
        """The labels of a case, (D, H, W) uint16.

        A voxel that several phrases claim goes to the most probable one; the reference adds their values up, which
        gives values that stand for something else.

        Raises
        ------
        Cancelled
            `cancel` said so.
        """
        if self._text_encoder is None:
            raise ValueError("A challenge segmenter without a text encoder takes queries, not phrases.")
        phrases = list(case.phrases.values())
        queries = self._text_encoder.embed(phrases, [case.modality] * len(phrases))
        image = network_image(case)
        labels = np.zeros(image.shape, np.uint16)
        highest = np.full(image.shape, _THRESHOLD, np.float32)
        block = max(_SUM_BYTES // (4 * image.size), 1)
        values = list(case.phrases)
        for first in range(0, len(values), block):
            found = self.probabilities(image, queries[first : first + block], progress, cancel)
            for value, probability in zip(values[first : first + block], found, strict=True):
                higher = probability > highest
                labels[higher], highest[higher] = value, probability[higher]
        return file_labels(labels, case)

    def probabilities(
        self,
        image: np.ndarray,
        queries: np.ndarray,
        progress: Callable[[Progress], None] | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> np.ndarray:
        """The probability of each query at each voxel, (N, H, W, D) float32.

        Parameters
        ----------
        image : np.ndarray
            (H, W, D), as `network_image` gives it. It is padded with zeros, which are black here, up to a window.
        queries : np.ndarray
            (N, query_dim).
        """
        window, device = self._network.window, self._network.position_code.device
        padded = _padded(image, window)
        shape = (padded.shape[0], padded.shape[1], padded.shape[2])
        boxes = cover(shape, window)
        blend = Blend(shape, window, boxes, device)
        sums = np.zeros((len(queries), *shape), np.float32)
        asked = torch.from_numpy(np.ascontiguousarray(queries, np.float32)).to(device)
        with torch.inference_mode():
            for number, box in enumerate(boxes):
                if cancel is not None and cancel():
                    raise Cancelled
                if progress is not None:
                    progress(Progress(number / len(boxes), f"window {number + 1} of {len(boxes)}"))
                seen = torch.from_numpy(np.ascontiguousarray(padded[tuple(box)])).to(device)
                features = self._network.encode(seen[None, None])
                embeddings = self._network.embed_masks(features.tokens, asked)
                weights, voxels = blend.weights(box, box), features.dequantize()
                for query in range(len(queries)):
                    logits = mask_logits(voxels, embeddings[:, query : query + 1])[0, 0]
                    sums[(query, *box)] += (torch.sigmoid(logits) * weights).cpu().numpy()
        x, y, z = image.shape
        return sums[:, :x, :y, :z]


def _padded(image: np.ndarray, window: Sequence[int]) -> np.ndarray:
    missing = [(0, max(side - size, 0)) for side, size in zip(window, image.shape, strict=True)]
    return np.pad(image, missing) if any(after for _, after in missing) else image
