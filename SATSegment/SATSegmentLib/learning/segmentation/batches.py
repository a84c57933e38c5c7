"""Samples by number, made in other processes, in the order of their numbers."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.learning.sample import Samples, TrainingPrompt, TrainingSample
from SATSegmentLib.learning.segmentation.errors import TrainingError
from SATSegmentLib.sat.backbone import Triple


class Batch(NamedTuple):
    """Windows that go through the network together.

    Attributes
    ----------
    images : Tensor
        (B, 1, X, Y, Z) float32.
    masks : list[Tensor]
        For each window (N, X, Y, Z) bool.
    prompts : list[tuple[TrainingPrompt, ...]]
        For each window its N prompts.
    sources : list[str]
        For each window the record it comes from.
    """

    images: Tensor
    masks: list[Tensor]
    prompts: list[tuple[TrainingPrompt, ...]]
    sources: list[str]

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        masks = [mask.to(device, non_blocking=True) for mask in self.masks]
        return self._replace(images=self.images.to(device, non_blocking=True), masks=masks)


def batches(
    samples: Samples, numbers: Iterable[Sequence[int]], window: Triple, workers: int, pinned: bool = False
) -> Iterator[Batch]:
    """One batch for each group of sample numbers, in order, whatever the number of workers.

    Raises
    ------
    SATSegmentError
        What `samples` raised; TrainingError where a sample does not fit the network.
    """
    # The loader draws a seed for its workers. It must not come from the training's own random numbers.
    generator = torch.Generator().manual_seed(0)
    loader = DataLoader(
        _Numbered(samples, window),
        batch_sampler=numbers,  # type: ignore[arg-type]
        collate_fn=_collate,
        num_workers=workers,
        worker_init_fn=_ignore_interrupt,
        pin_memory=pinned,
        generator=generator,
    )
    for item in loader:
        if isinstance(item, SATSegmentError):
            raise item
        yield item


class _Numbered(Dataset[TrainingSample | SATSegmentError]):
    def __init__(self, samples: Samples, window: Triple) -> None:
        self._samples = samples
        self._window = window

    def __getitem__(self, number: int) -> TrainingSample | SATSegmentError:
        # An error comes back as a value: raised in a worker, it would arrive as another text in the wrong type.
        try:
            sample = self._samples.sample(number)
            _check(sample, self._window)
        except SATSegmentError as error:
            return error
        return sample


def _check(sample: TrainingSample, window: Triple) -> None:
    count = len(sample.prompts)
    if not count:
        raise TrainingError(f"The sample of {sample.source} asks for nothing.", "Give each sample one prompt or more.")
    shapes = (tuple(sample.image.shape), tuple(sample.masks.shape))
    if shapes != ((1, *window), (count, *window)):
        raise TrainingError(
            f"The sample of {sample.source} has an image of {shapes[0]} and masks of {shapes[1]} "
            f"for {count} prompts; the network's window is {window}.",
            "Make samples of the network's window.",
        )


def _collate(samples: list[TrainingSample | SATSegmentError]) -> Batch | SATSegmentError:
    whole = []
    for sample in samples:
        if isinstance(sample, SATSegmentError):
            return sample
        whole.append(sample)
    return Batch(
        torch.stack([sample.image for sample in whole]).float(),
        [sample.masks for sample in whole],
        [sample.prompts for sample in whole],
        [sample.source for sample in whole],
    )


def _ignore_interrupt(worker: int) -> None:
    # Ctrl+C reaches every process of the terminal. The training process answers it, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
