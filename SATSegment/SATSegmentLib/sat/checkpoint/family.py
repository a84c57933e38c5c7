"""The two families of SAT's models: prepared and prompted in different ways, with networks that look alike."""

from __future__ import annotations

from typing import Literal

# "sat": CT, MRI and PET in their own units. "cvpr25": five modalities, 0 to 255, of the CVPR 2025 challenge.
Family = Literal["sat", "cvpr25"]
