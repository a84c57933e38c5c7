"""Every number of the demonstration model's training, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from SATSegmentLib.sat.architecture import Architecture

SEED = 20260

# The window (144 x 192 x 144 mm) holds a whole brain. A finer grid would keep more of the smallest structures,
# but on two processor cores its steps take so long that too few of them fit into an hour.
SPACING_MM = (3.0, 3.0, 3.0)
WINDOW = (48, 64, 48)

ARCHITECTURE = Architecture(
    features=(16, 32, 64, 128, 160),
    strides=((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2)),
    encoder_convs=(1, 2, 2, 2, 2),
    decoder_convs=(2, 2, 2, 1),
    query_dim=192,
    projection_dim=256,
    decoder_layers=3,
    feedforward_dim=384,
    mask_dim=96,
)


@dataclass(frozen=True)
class Schedule:
    """Length and pace of the training.

    Attributes
    ----------
    steps: optimizer steps, one window each.
    windows_per_head: windows cut from one augmented head before the next head is made.
    queries_per_step: structures asked for in one step, drawn at random; the network takes them in sixteens.
    learning_rate: from the warm-up to the decay, of the query decoder.
    convolution_pace: how many times faster the U-Net learns.
    warmup_steps: linear warm-up.
    decay_steps: cosine to zero over the last steps.
    """

    steps: int = 2700
    windows_per_head: int = 3
    queries_per_step: int = 16
    learning_rate: float = 1e-3
    convolution_pace: float = 2.0
    warmup_steps: int = 50
    decay_steps: int = 1150
    weight_decay: float = 1e-2
    gradient_norm: float = 5.0


SCHEDULE = Schedule()


@dataclass(frozen=True)
class TissueSchedule:
    """Length and pace of the U-Net's first training (tissue.py)."""

    steps: int = 5000
    windows_per_head: int = 3
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    decay_steps: int = 1500
    weight_decay: float = 1e-2
    gradient_norm: float = 5.0
    validate_every: int = 250


TISSUE_SCHEDULE = TissueSchedule()
