"""No network access unless the user asked for a download."""

from __future__ import annotations

import os
from collections.abc import Mapping

# What the libraries of the segmentation process look at before they would go to the network.
_SWITCHES = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
# Read by huggingface_hub when it is imported. Large files over plain HTTP: that is what can go on where it stopped.
_DOWNLOAD = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_XET": "1",
    "DO_NOT_TRACK": "1",
}


def offline_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which no library of the segmentation process goes to the network."""
    return {**(os.environ if base is None else base), **_SWITCHES}


def download_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a process that the user told to download.

    Where a site has switched downloads off itself (HF_HUB_OFFLINE=1), they stay off.
    """
    return {**(os.environ if base is None else base), **_DOWNLOAD}
