"""Which Python packages are missing, and their installation at the user's wish. Never at import."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from subprocess import CalledProcessError
from typing import TYPE_CHECKING, Literal

from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.resources import resource_path

if TYPE_CHECKING:
    from packaging.requirements import Requirement

TORCH = "torch>=2.4"
REQUESTER = "SATSegment"

# "run": segment with a model that is there. "weights": get and convert a released model. "dicom": write DICOM results.
Purpose = Literal["run", "weights", "dicom"]
_FILES: dict[Purpose, tuple[str, ...]] = {
    "run": ("requirements.txt",),
    "weights": ("requirements.txt", "requirements-weights.txt"),
    "dicom": ("requirements-dicom.txt",),
}


class SetupError(SATSegmentError):
    """Something that a run needs is not there and could not be installed."""


def missing(purpose: Purpose) -> list[str]:
    """Requirements that are not met, PyTorch first; empty where all is there.

    Reads the packages' metadata only, so it is fast and imports none of them.
    """
    importlib.invalidate_caches()
    return [str(requirement) for requirement in _requirements(purpose) if not _is_met(requirement)]


def install(purpose: Purpose, progress: Callable[[str], None] | None = None) -> None:
    """Install what is missing, inside Slicer. Only call it from a user's action: it asks, and it blocks.

    PyTorch goes through the PyTorch extension, which knows the build that fits the GPU; all
    else through Slicer's own installer, which shows its progress and proposes a restart where one is needed.

    Parameters
    ----------
    progress : Callable[[str], None] | None, optional
        Told what is being installed.

    Raises
    ------
    SetupError
        The PyTorch extension or the installer is absent, the user declined, or it failed.
    """
    wanted = missing(purpose)
    if TORCH in wanted:
        if progress is not None:
            progress("PyTorch")
        _install_torch()
    others = [requirement for requirement in wanted if requirement != TORCH]
    if others:
        if progress is not None:
            progress(", ".join(others))
        _install_others(others)
    still = missing(purpose)
    if still:
        raise SetupError(
            f"Still missing after the installation: {', '.join(still)}.",
            "Restart Slicer and try again; Slicer's own log says what the installer answered.",
        )


def _requirements(purpose: Purpose) -> list[Requirement]:
    # Slicer brings `packaging`; it is not needed before somebody asks.
    from packaging.requirements import Requirement

    lines = [] if purpose == "dicom" else [TORCH]
    for name in _FILES[purpose]:
        lines += resource_path(name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def _is_met(requirement: Requirement) -> bool:
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    # A pre-release of PyTorch is what a new GPU sometimes needs.
    return requirement.specifier.contains(version, prereleases=True)


def _install_torch() -> None:
    try:
        import PyTorchUtils
    except ModuleNotFoundError as error:
        raise SetupError(
            "PyTorch is not installed, and neither is Slicer's PyTorch extension, which installs it.",
            "Install the extension PyTorch in the Extensions Manager, restart Slicer, then come back here.",
        ) from error
    try:
        torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(
            askConfirmation=True, torchVersionRequirement=TORCH.removeprefix("torch")
        )
    except Exception as error:  # the extension passes on whatever pip and the driver's probe raise
        raise SetupError(
            f"PyTorch could not be installed: {error}.",
            "Check the network connection and the free disk space (PyTorch takes up to 6 GB), then try again.",
        ) from error
    if torch is None:
        raise SetupError("PyTorch was not installed.", "Nothing was changed. Press Install when you want it.")


def _install_others(requirements: list[str]) -> None:
    try:
        import slicer.packaging
    except ModuleNotFoundError as error:
        raise SetupError(
            f"This version of Slicer cannot install {', '.join(requirements)} itself.",
            f"Use Slicer 5.12 or newer, or run in its Python console: pip_install('{' '.join(requirements)}')",
        ) from error
    try:
        slicer.packaging.pip_ensure(requirements, requester=REQUESTER)
    except CalledProcessError as error:
        raise SetupError(
            f"{', '.join(requirements)} could not be installed (pip ended with code {error.returncode}).",
            "Check the network connection; behind a proxy set HTTPS_PROXY before Slicer starts. Then try again.",
        ) from error
    except RuntimeError as error:
        raise SetupError(f"{', '.join(requirements)} was not installed.", "Nothing was changed.") from error
