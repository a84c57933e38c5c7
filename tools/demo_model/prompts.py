"""The demonstration model's second training: from words to masks, with the project's own trainer.

`SATSegmentLib.learning.segmentation` trains; here are only the samples: a random window of a random head, some of the
structures, each called by one of its names.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from heads import Head
from recipe import ARCHITECTURE, DECODER_SETTINGS, PROMPTS_PER_WINDOW, SEED, SETTINGS, WINDOW
from structures import membership, structures
from torch import nn
from windows import VALIDATION_SEED, LabelledWindow, random_windows

from SATSegmentLib.learning.knowledge.wording import paraphrases
from SATSegmentLib.learning.sample import TrainingPrompt, TrainingSample
from SATSegmentLib.learning.segmentation.initial import new_network
from SATSegmentLib.learning.segmentation.queries import TextQueries
from SATSegmentLib.learning.segmentation.settings import Settings
from SATSegmentLib.learning.segmentation.trainer import Outcome, fit
from SATSegmentLib.sat.backbone import Spec
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.sat.text.folder import ENCODER_FILE

_WINDOWS_PER_HEAD = 3
_PLAIN_NAME = 0.3


class PromptedWindows:
    """Windows by number (see `learning.sample.Samples`).

    Parameters
    ----------
    heads: the training heads.
    seed: of the first head; each three windows come from the next one.
    judged: for validation: all structures by their plain names, at the voxels' centres.
    """

    def __init__(self, heads: list[Head], seed: int, judged: bool = False) -> None:
        self.judged = judged
        self._names = [structure.name for structure in structures()]
        self._wordings = [paraphrases(name) for name in self._names]
        self._contains = torch.from_numpy(membership(heads[0].labels))
        # Neighbouring numbers share a head, and making one is most of the work.
        self._windows = lru_cache(maxsize=2)(lambda group: random_windows(heads, seed + group, _WINDOWS_PER_HEAD))

    def sample(self, number: int) -> TrainingSample:
        """Window `number`, and what is to be found in it."""
        group, part = divmod(number, 1 if self.judged else _WINDOWS_PER_HEAD)
        window: LabelledWindow = self._windows(group)[part]
        chance = np.random.default_rng((SEED, number))
        rows = np.arange(len(self._names))
        codes = window.centres
        if not self.judged:
            rows, codes = chance.permutation(rows)[:PROMPTS_PER_WINDOW], window.shares
        prompts = tuple(TrainingPrompt(self._word(row, chance), "mri") for row in rows)
        return TrainingSample(window.image, self._contains[rows][:, codes], prompts, f"head {group}, window {part}")

    def _word(self, row: int, chance: np.random.Generator) -> str:
        if self.judged or chance.random() < _PLAIN_NAME:
            return self._names[row]
        return str(chance.choice(self._wordings[row]))


def fit_prompts(
    heads: list[Head],
    tissue: Path,
    text: Path,
    folder: Path,
    architecture: Spec = ARCHITECTURE,
    schedules: tuple[Settings, Settings] = (DECODER_SETTINGS, SETTINGS),
) -> Outcome:
    """Train the query decoder on the finished U-Net, then both together; goes on where `folder` left off.

    Parameters
    ----------
    tissue: checkpoint of the backbone's first training.
    text: folder of the text encoder (text.py).
    folder: gets `decoder/` and `whole/`, one for each of the two.
    architecture: that of the first training.
    schedules: of the query decoder alone, and of both together.
    """
    network = new_network(architecture, WINDOW, SEED)
    _start_embeddings(network)
    state = torch.load(tissue, weights_only=True)["model"]
    prefix = "network.backbone."
    network.backbone.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    queries = TextQueries.load(_text_file(text), text)
    samples, judged = PromptedWindows(heads, SEED), PromptedWindows(heads, VALIDATION_SEED, judged=True)
    fit(network, queries, samples, schedules[0], folder / "decoder", judged, resume=True)
    return fit(network, queries, samples, schedules[1], folder / "whole", judged, resume=True)


def _text_file(folder: Path) -> Path:
    """The text encoder's checkpoint, or the file that it became in a model folder."""
    released = folder / "text_encoder.pth"
    return released if released.exists() else folder / ENCODER_FILE


def _start_embeddings(network: SATNetwork) -> None:
    """Mask embeddings as the first training's: small where the features are large, else larger."""
    last = network.mask_embed_proj[2]
    large = network.architecture.features_grow
    nn.init.normal_(last.weight, std=0.01 if large else 0.1)
    nn.init.constant_(last.bias, -0.06 if large else -0.3)
