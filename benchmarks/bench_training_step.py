"""What a training step of the small network costs, against its U-Net's own forward and backward pass (CPU seconds).

python benchmarks/bench_training_step.py
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from SATSegmentLib.learning.sample import TrainingPrompt
from SATSegmentLib.learning.segmentation.batches import Batch
from SATSegmentLib.learning.segmentation.config import read_config
from SATSegmentLib.learning.segmentation.initial import new_network
from SATSegmentLib.learning.segmentation.queries import LabelQueries
from SATSegmentLib.learning.segmentation.settings import Settings
from SATSegmentLib.learning.segmentation.team import Team
from SATSegmentLib.learning.segmentation.trainer import Trainer

_PROMPTS = 16


def main() -> None:
    """Print one line for each way to train."""
    torch.set_num_threads(1)
    config = read_config(Path(__file__).parents[1] / "Docs/training-small.yaml")
    labels = [(f"label {number}", "mri") for number in range(_PROMPTS)]
    random = torch.Generator().manual_seed(0)
    image = torch.randn(1, 1, *config.window, generator=random)
    masks = torch.rand(_PROMPTS, *config.window, generator=random) > 0.9
    batch = Batch(image, [masks], [tuple(TrainingPrompt(*label) for label in labels)], ["benchmark"])
    ways = ({}, {"deep_supervision": False}, {"part": "decoder"}, {"precision": "bfloat16"})
    network = new_network(config.architecture, config.window)
    alone = _seconds(lambda: _unet(network.backbone, image))
    print(f"U-Net alone: {alone:.2f} s")
    for way in ways:
        network = new_network(config.architecture, config.window)
        queries = LabelQueries.free(labels, config.architecture.query_dim)
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(network, queries, Settings(batch_size=1, **way), Path(folder), None, Team())
        trainer.model.train()
        seconds = _seconds(lambda trainer=trainer: trainer._step([batch]))
        print(f"{way or 'recipe'}: {seconds:.2f} s, {seconds / alone:.2f} times")


def _unet(backbone: torch.nn.Module, image: torch.Tensor) -> None:
    pooled, finest = backbone(image)
    (pooled.sum() + finest.sum()).backward()


def _seconds(run: Callable[[], object], times: int = 5) -> float:
    """The best of some runs, in CPU seconds; the first warms up."""
    run()
    taken = []
    for _ in range(times):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return min(taken)


if __name__ == "__main__":
    main()
