"""A toy training in a process of its own: `python training_child.py KIND FOLDER THREADS`."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from learning.segmentation.toy_training import Cubes, settings, toy_network, toy_queries

from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.learning.sample import TrainingSample
from SATSegmentLib.learning.segmentation.team import joined
from SATSegmentLib.learning.segmentation.trainer import LAST_FILE, fit


@dataclass(frozen=True)
class FilledDisk(Cubes):
    """From sample 9 on, no file may be larger than half a checkpoint."""

    folder: Path = Path()

    def sample(self, number: int) -> TrainingSample:
        if number == 9:
            half = (self.folder / LAST_FILE).stat().st_size // 2
            resource.setrlimit(resource.RLIMIT_FSIZE, (half, half))
        return super().sample(number)


def main(kind: str, folder: Path, threads: int) -> int:
    """Train; prints the error and returns 2 where there is one, 1 where it was stopped."""
    torch.set_num_threads(threads)
    samples = {"stuck": Cubes(stuck=7), "full": FilledDisk(folder=folder), "team": Cubes()}[kind]
    changes = {"steps": 1, "accumulate": 2} if kind == "team" else {}
    try:
        with joined("cpu") as team:
            outcome = fit(toy_network(), toy_queries(), samples, settings(**changes), folder, team=team)
    except SATSegmentError as error:
        print(f"{type(error).__name__}: {error}")
        return 2
    return 0 if outcome.finished else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
