"""The training curve for Docs/demo-model.md."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

_SMOOTHING_STEPS = 50


def draw_curve(log: Path, out: Path) -> None:
    """Loss (running mean) and validation Dice over the steps."""
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    steps = [entry["step"] for entry in entries]
    loss = np.convolve([e["loss"] for e in entries], np.ones(_SMOOTHING_STEPS) / _SMOOTHING_STEPS, mode="valid")
    checked = [entry for entry in entries if "validation_dice" in entry]
    figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
    axes.plot(steps[_SMOOTHING_STEPS - 1 :], loss, color="tab:blue")
    axes.set(xlabel="step", ylabel="loss (BCE + Dice)")
    right = axes.twinx()
    right.plot([e["step"] for e in checked], [e["validation_dice"] for e in checked], "o-", color="tab:orange")
    right.set(ylabel="Dice on augmented training heads", ylim=(0, 1))
    figure.savefig(out, dpi=110)
