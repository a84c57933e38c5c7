"""The challenge's models: a network of SAT-Nano's shape and a text encoder that knows five modalities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch

from SATSegmentLib.challenge.container import Case
from SATSegmentLib.challenge.grid import file_labels, network_image
from SATSegmentLib.challenge.weights import reference_weights
from SATSegmentLib.errors import Cancelled, CheckpointError, ModelNotFound, PairMismatch
from SATSegmentLib.files import reading_folder
from SATSegmentLib.inference.device import choose_device, inferring
from SATSegmentLib.inference.loading import load_network
from SATSegmentLib.inference.windows import cover
from SATSegmentLib.models.catalog import find_model
from SATSegmentLib.models.folder import CHALLENGE_FAMILY, TEXT_FOLDER, ModelDescription, read_description
from SATSegmentLib.sat.network import SATNetwork, mask_logits
from SATSegmentLib.sat.text.encoder import TextEncoder
from SATSegmentLib.sat.text.folder import ENCODER_FILE
from SATSegmentLib.types import DEFAULT_THRESHOLD, Progress

# Sums of probabilities that are held at once; with more phrases, windows are looked at again.
_SUM_BYTES = 1 << 31

ProgressCallback = Callable[[Progress], None]
CancelCallback = Callable[[], bool]


class ChallengeSegmenter:
    """Segments cases of the challenge.

        segmenter = ChallengeSegmenter.load("sat-nano-cvpr25")
        labels = segmenter.segment(read_case(Path("CT_case.npz")))

    Parameters
    ----------
    network : SATNetwork
        In evaluation mode.
    text_encoder : TextEncoder, optional
        With five modalities; without it, queries are given in its place.
    description : ModelDescription, optional
        Of the model.
    """

    def __init__(
        self,
        network: SATNetwork,
        text_encoder: TextEncoder | None = None,
        description: ModelDescription | None = None,
    ) -> None:
        self._network, self._text_encoder = network, text_encoder
        self.description = description or ModelDescription("unnamed", network.window, family=CHALLENGE_FAMILY)

    @classmethod
    def load(cls, folder_or_name: str | Path, device: str = "auto") -> Self:
        """Load a converted model of the challenge's family.

        Parameters
        ----------
        folder_or_name : str or Path
            A model folder, or its name in the catalog ("sat-nano-cvpr25").
        device : str, optional
            "auto", "cpu", "cuda", "cuda:1" or "mps".

        Raises
        ------
        ModelNotFound, CheckpointError, PairMismatch
            The model is not there, not whole, or of another family.
        DeviceError
            The device is not there.
        """
        chosen = choose_device(device)
        folder = find_model(folder_or_name)
        with reading_folder(CheckpointError, folder):
            return cls._loaded(folder, chosen)

    @classmethod
    def _loaded(cls, folder: Path, device: torch.device) -> Self:
        description = read_description(folder, CHALLENGE_FAMILY)
        text = folder / TEXT_FOLDER
        if not (text / ENCODER_FILE).is_file():
            raise ModelNotFound(
                f"The model {folder.name} has no text encoder, and the challenge's prompts are free text.",
                "Convert it again, with text_encoder_cvpr25_v0.pth.",
            )
        encoder = TextEncoder.load(text / ENCODER_FILE, text, family="cvpr25")
        if encoder.sha256 != description.text_sha256:
            raise PairMismatch(
                f"The text encoder in the model {folder.name} is not the one that the network was trained with.",
                "Convert the model again, with the text encoder that was released with the network.",
            )
        network, _ = load_network(folder, description)
        return cls(network.settle(device, network.backbone.dtype), encoder, description)

    @property
    def device(self) -> torch.device:
        """What the network runs on."""
        return self._network.position_code.device

    def segment(
        self, case: Case, progress: ProgressCallback | None = None, cancel: CancelCallback | None = None
    ) -> np.ndarray:
        """The labels of a case, (D, H, W) uint16.

        A voxel that several phrases claim goes to the most probable one; the reference adds their values up, which
        gives values that stand for something else.

        Raises
        ------
        PromptError
            A phrase holds no word that the text encoder knows.
        Cancelled
            `cancel` said so.
        """
        shape = network_image(case).shape
        labels = np.zeros(shape, np.uint16)
        highest = np.full(shape, DEFAULT_THRESHOLD, np.float32)
        for value, probability in self.found(case, progress, cancel):
            higher = probability > highest
            labels[higher], highest[higher] = value, probability[higher]
        return file_labels(labels, case)

    def found(
        self, case: Case, progress: ProgressCallback | None = None, cancel: CancelCallback | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Each phrase's value, and its probability (H, W, D) in the network's voxels.

        Raises
        ------
        PromptError, Cancelled
            As `segment`.
        """
        if self._text_encoder is None:
            raise ValueError("A challenge segmenter without a text encoder takes queries, not phrases.")
        values, phrases = list(case.phrases), list(case.phrases.values())
        queries = self._text_encoder.embed(phrases, [case.modality] * len(phrases))
        image = network_image(case)
        block = max(_SUM_BYTES // (4 * image.size), 1)
        for first in range(0, len(values), block):
            chosen = slice(first, first + block)
            told = _part(progress, first / len(values), min(first + block, len(values)) / len(values))
            yield from zip(values[chosen], self.probabilities(image, queries[chosen], told, cancel), strict=True)

    def probabilities(
        self,
        image: np.ndarray,
        queries: np.ndarray,
        progress: ProgressCallback | None = None,
        cancel: CancelCallback | None = None,
    ) -> np.ndarray:
        """The probability of each query at each voxel, (N, H, W, D) float32.

        Parameters
        ----------
        image : np.ndarray
            (H, W, D), as `network_image` gives it. It is padded with zeros, which are black here, up to a window.
        queries : np.ndarray
            (N, query_dim).
        progress, cancel : callable, optional
            As in `segment`.
        """
        window, device = self._network.window, self.device
        padded = _padded(image, window)
        shape = (padded.shape[0], padded.shape[1], padded.shape[2])
        boxes = cover(shape, window)
        weights = reference_weights(window)
        on_device = torch.from_numpy(weights).to(device)
        total = np.zeros(shape, np.float32)
        for box in boxes:
            total[box] += weights
        sums = np.zeros((len(queries), *shape), np.float32)
        asked = torch.from_numpy(np.ascontiguousarray(queries, np.float32)).to(device)
        with inferring():
            for number, box in enumerate(boxes):
                if cancel is not None and cancel():
                    raise Cancelled
                if progress is not None:
                    progress(Progress(number / len(boxes), f"window {number + 1} of {len(boxes)}"))
                seen = torch.from_numpy(np.ascontiguousarray(padded[box])).to(device)
                features = self._network.encode(seen[None, None])
                embeddings, voxels = self._network.embed_masks(features.tokens, asked), features.dequantize()
                for query in range(len(queries)):
                    logits = mask_logits(voxels, embeddings[:, query : query + 1])[0, 0]
                    sums[(query, *box)] += (torch.sigmoid(logits) * on_device).cpu().numpy()
        sums /= total
        x, y, z = image.shape
        return sums[:, :x, :y, :z]


def _part(progress: ProgressCallback | None, start: float, end: float) -> ProgressCallback | None:
    if progress is None:
        return None
    return lambda one: progress(Progress(start + (end - start) * one.fraction, one.stage))


def _padded(image: np.ndarray, window: Sequence[int]) -> np.ndarray:
    missing = [(0, max(side - size, 0)) for side, size in zip(window, image.shape, strict=True)]
    return np.pad(image, missing) if any(after for _, after in missing) else image
