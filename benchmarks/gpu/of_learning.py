"""Checks of training: float16 with its scaled gradients, and two processes on two cards."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from checking import NotRun, Setup, Targets
from learning.segmentation.toy_training import Cubes, read_log, settings, toy_network, toy_queries

from SATSegmentLib.learning.segmentation.team import Team, joined
from SATSegmentLib.learning.segmentation.trainer import fit

_STEPS = 40
_LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def training(setup: Setup) -> tuple[dict[str, Any], list[str]]:
    """A toy problem in each precision, and a training in float16 that goes on from its checkpoint."""
    targets = Targets()
    for precision in setup.precisions():
        first, last, _ = _losses(setup.device, precision, 4 if setup.small else _STEPS)
        targets.true(f"{precision} learns", math.isfinite(last) and last < first)
        targets.note(**{f"{precision} loss": last})
    if setup.on_card:
        with tempfile.TemporaryDirectory() as folder:
            team, way = Team(device=setup.device), settings(steps=4, precision="float16", checkpoint_every=2)
            fit(toy_network(), toy_queries(), Cubes(), way, Path(folder), team=team)
            longer = dataclasses.replace(way, steps=6)
            outcome = fit(toy_network(2), toy_queries(), Cubes(), longer, Path(folder), resume=True, team=team)
            targets.true("float16 goes on from a checkpoint", outcome.step == 6)
    return targets.result()


def team(setup: Setup) -> tuple[dict[str, Any], list[str]]:
    """Two processes with NCCL reach what one reaches with batches of two accumulated."""
    if not setup.on_card or torch.cuda.device_count() < 2:
        raise NotRun("needs two cards")
    targets = Targets()
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, *_LAUNCHER, __file__, folder]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
        targets.true("two processes end well", done.returncode == 0)
        if done.returncode == 0:
            two = [entry["loss"] for entry in read_log(Path(folder))]
            _, _, one = _losses(setup.device, "float32", 4, accumulate=2)
            apart = max(abs(ours - theirs) / abs(theirs) for ours, theirs in zip(two, one, strict=True))
            targets.most("loss apart from one process's", apart, 1e-3)
        else:
            targets.note(**{"said": (done.stderr.strip().splitlines() or ["nothing"])[-1][:200]})
    return targets.result()


def _losses(device: torch.device, precision: str, steps: int, accumulate: int = 1) -> tuple[float, float, list[float]]:
    """The first and the last loss, and all."""
    with tempfile.TemporaryDirectory() as folder:
        way = settings(steps=steps, precision=precision, accumulate=accumulate)
        fit(toy_network(), toy_queries(), Cubes(), way, Path(folder), team=Team(device=device))
        losses = [entry["loss"] for entry in read_log(Path(folder))]
    return losses[0], losses[-1], losses


def _together(folder: str) -> None:
    """One of the two processes."""
    with joined("cuda") as both:
        fit(toy_network(), toy_queries(), Cubes(), settings(steps=4, precision="float32"), Path(folder), team=both)
        if both.is_main_process:
            print(json.dumps({"done": True}))


if __name__ == "__main__":
    _together(sys.argv[1])
