"""The networks that SAT's authors have released, as far as their files are known (Docs/released-models.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from SATSegmentLib.models.folder import CHALLENGE_FAMILY, FAMILY


@dataclass(frozen=True)
class Release:
    """A network that was published, with the text encoder it was trained with.

    Parameters
    ----------
    name : str
        What it is called here.
    title : str
        What its authors call it.
    folder : str
        Where its authors published it.
    shape : str
        Name of its widths.
    text : str
        Kind of its text encoder.
    family : str
        How its images and prompts are prepared.
    network, text_encoder : str
        Names of its files in lower case, where they are known.
    knows_labels : bool
        Whether it was trained on the 498 labels of the 72 datasets; of the 49-dataset models no list was published.
    """

    name: str
    title: str
    folder: str
    shape: str
    text: Literal["ours", "medcpt", "basebert"]
    family: str = FAMILY
    network: str = ""
    text_encoder: str = ""
    knows_labels: bool = False


RELEASES: tuple[Release, ...] = (
    Release("sat-nano", "SAT-Nano", "Nano/", "nano", "ours", FAMILY, "nano.pth", "nano_text_encoder.pth", True),
    Release("sat-pro", "SAT-Pro", "Pro/", "pro", "ours", FAMILY, "sat_pro.pth", "text_encoder.pth", True),
    Release("unet-ours", "UNET-Ours", "Others/UNET-Ours", "nano", "ours"),
    Release("unet-cpt", "UNET-CPT", "Others/UNET-CPT", "nano", "medcpt"),
    Release("unet-basebert", "UNET-BaseBERT", "Others/UNET-BaseBERT", "nano", "basebert"),
    Release("umamba-cpt", "UMamba-CPT", "Others/UMamba-CPT", "umamba", "medcpt"),
    Release("swinunetr-cpt", "SwinUNETR-CPT", "Others/SwinUNETR-CPT", "swinunetr", "medcpt"),
    Release(
        "sat-nano-cvpr25",
        "SAT-Nano for the CVPR 2025 challenge",
        "Nano/ (CVPR 2025)",
        "nano",
        "ours",
        CHALLENGE_FAMILY,
        "nano_cvpr25_v0.pth",
        "text_encoder_cvpr25_v0.pth",
    ),
)
RELEASE_NAMES = tuple(release.name for release in RELEASES)
