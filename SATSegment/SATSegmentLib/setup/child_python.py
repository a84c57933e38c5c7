"""Which Python runs the network: Slicer's own, from outside of Slicer's process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import slicer

# Where the models and a site's taught words are, for Slicer's side and for the engine alike.
MODELS_VARIABLE = "SATSEGMENT_MODELS"
WORDS_VARIABLE = "SATSEGMENT_WORDS"


def python_and_environment() -> tuple[str, dict[str, str]]:
    """The Python that runs the network, and its environment."""
    if not hasattr(slicer, "app") or not hasattr(slicer.app, "slicerHome"):
        return sys.executable, dict(os.environ)
    # Not sys.executable: inside Slicer that may be Slicer itself. The start-up environment is the one from before
    # Slicer's launcher changed it; PythonSlicer is a launcher too and sets its own.
    suffix = ".exe" if os.name == "nt" else ""
    python = Path(slicer.app.slicerHome) / "bin" / f"PythonSlicer{suffix}"
    environment = {**slicer.util.startupEnvironment(), "PYTHONUTF8": "1"}
    for variable in (MODELS_VARIABLE, WORDS_VARIABLE):
        if variable in os.environ:
            environment[variable] = os.environ[variable]
    return str(python), environment
