"""Every number of the demonstration model's training, in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace

from SATSegmentLib.learning.segmentation.settings import Settings
from SATSegmentLib.sat.backbone import Spec
from SATSegmentLib.sat.backbones.swinunetr.spec import SwinUNETRSpec
from SATSegmentLib.sat.backbones.umamba.spec import UMambaSpec
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec

SEED = 20260

# The window (144 x 192 x 144 mm) holds a whole brain. A finer grid would keep more of the smallest structures,
# but on two processor cores its steps take so long that too few of them fit into an hour.
SPACING_MM = (3.0, 3.0, 3.0)
WINDOW = (48, 64, 48)

ARCHITECTURE = UNetSpec(
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

# The same depth and grid with the other backbones; the embedded model is the U-Net.
_HEAD = {"query_dim": 192, "projection_dim": 256, "decoder_layers": 3, "feedforward_dim": 384, "mask_dim": 96}
ARCHITECTURES: dict[str, Spec] = {
    "unet": ARCHITECTURE,
    "umamba": UMambaSpec(features=ARCHITECTURE.features, strides=ARCHITECTURE.strides, mamba_layers=3, **_HEAD),
    "swinunetr": SwinUNETRSpec(feature_size=24, depths=(2, 2, 2), heads=(3, 6, 12), **_HEAD),
}


@dataclass(frozen=True)
class TissueSchedule:
    """Length and pace of the U-Net's first training (tissue.py)."""

    steps: int = 3800
    windows_per_head: int = 3
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    decay_steps: int = 800
    weight_decay: float = 1e-2
    max_grad_norm: float = 5.0
    validate_every: int = 250


TISSUE_SCHEDULE = TissueSchedule()

# The second training asks for some of the structures in each window, by any of their names.
PROMPTS_PER_WINDOW = 12
_WHOLE = Settings(
    steps=1500,
    batch_size=1,
    learning_rate=5e-4,
    warmup_steps=30,
    max_grad_norm=5.0,
    # The U-Net's coarser levels were trained before.
    deep_supervision=False,
    dice_smoothing=1.0,
    seed=SEED,
    workers=1,
    validate_every=200,
    validation_samples=6,
    checkpoint_every=100,
)
# First the query decoder alone, which costs a third: until it has learned to make mask embeddings out of words, its
# gradients would only spoil the U-Net.
DECODER_SETTINGS = replace(_WHOLE, steps=500, learning_rate=1e-3, part="decoder")
SETTINGS = _WHOLE
